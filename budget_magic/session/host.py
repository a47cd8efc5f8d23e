"""The host of a session: a notebook, a terminal or a script."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from budget_magic.settings import Defaults

if TYPE_CHECKING:
    from budget_magic.events import Suggestion


class Host(Protocol):
    """What a session needs from its surroundings: the user, their configuration and their names."""

    def word(self, suggestion: Suggestion) -> str:
        """Return a suggestion as a clause, with its command in backticks."""
        ...

    def setting(self, name: str) -> str:
        """Return the name under which users know a setting."""
        ...

    def has_stdin(self) -> bool:
        """Return whether a person can be asked by `input()`."""
        ...

    def awaits_cells(self) -> bool:
        """Return whether a cancelled coroutine means that a person interrupted the cell."""
        ...

    def defaults(self) -> Defaults | None:
        """Return the configured defaults; None for the documented ones."""
        ...

    def lookup(self, name: str) -> object:
        """Return an object of the user's namespace.

        Raises
        ------
        LookupError
            There is no object of that name.
        """
        ...

    def candidates(self) -> Iterable[str]:
        """Return names to suggest in place of a mistyped one."""
        ...


class PythonHost:
    """Plain Python: a script or an interactive interpreter, without configuration or look-up."""

    def word(self, suggestion: Suggestion) -> str:
        """Return the suggestion as a call or an argument."""
        return str(suggestion)

    def setting(self, name: str) -> str:
        """Return the name of the argument."""
        return name

    def has_stdin(self) -> bool:
        """Return whether stdin is a terminal."""
        return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()

    def awaits_cells(self) -> bool:
        """Return False: a cancelled coroutine was cancelled by the program."""
        return False

    def defaults(self) -> Defaults | None:
        """Return None: nothing can be configured."""
        return None

    def lookup(self, name: str) -> object:
        """Raise LookupError: there is no namespace to look in."""
        raise LookupError(f"pass the object {name} itself, not its name")

    def candidates(self) -> Iterable[str]:
        """Return nothing."""
        return ()

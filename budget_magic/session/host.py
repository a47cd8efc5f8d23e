"""What surrounds a session: a notebook, a terminal or a script, as the session sees it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from budget_magic.session.settings import Defaults


class Host(Protocol):
    """Where the user sits: who can be asked, what they configured, and what they defined."""

    def has_stdin(self) -> bool:
        """Return whether a person can be asked by `input()`."""
        ...

    def awaits_cells(self) -> bool:
        """Return whether a cancelled coroutine means that a person interrupted the cell."""
        ...

    def defaults(self) -> Defaults | None:
        """Return the defaults as configured; None takes the documented ones."""
        ...

    def lookup(self, name: str) -> object:
        """Return an object of the user's namespace.

        Raises
        ------
        LookupError
            There is none of that name.
        """
        ...

    def candidates(self) -> Iterable[str]:
        """Return the names that a mistyped one may have meant."""
        ...


class PythonHost:
    """Plain Python: a script or an interactive interpreter, without a namespace of its own."""

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
        """Raise KeyError: functions are passed as objects."""
        raise KeyError(name)

    def candidates(self) -> Iterable[str]:
        """Return nothing."""
        return ()

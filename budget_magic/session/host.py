"""The program around a session: it puts into words what a user can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from budget_magic.events import Suggestion


class Host(Protocol):
    """What words suggestions and settings for its users."""

    def word(self, suggestion: Suggestion) -> str:
        """Return what the user can do as a clause, with a command in backticks."""
        ...

    def setting(self, name: str) -> str:
        """Return what users call a setting."""
        ...


class PythonHost:
    """Plain Python: settings are arguments, suggestions are calls."""

    def word(self, suggestion: Suggestion) -> str:
        """Return the call that does it."""
        return str(suggestion)

    def setting(self, name: str) -> str:
        """Return the argument."""
        return name

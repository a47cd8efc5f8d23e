"""IPython as the host of a session."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from budget_magic.magics.defaults import TaskDefaults
from budget_magic.magics.shell_context import ShellContext

if TYPE_CHECKING:
    from budget_magic.session.settings import Defaults


class IPythonHost:
    """A notebook's kernel, or IPython in a terminal.

    Parameters
    ----------
    shell_context
        The shell and what is known of it.
    configured
        What `%config` has set.
    """

    def __init__(self, shell_context: ShellContext, configured: TaskDefaults) -> None:
        self._shell_context, self._configured = shell_context, configured

    def has_stdin(self) -> bool:
        """Return whether a person can be asked by `input()`."""
        return self._shell_context.has_stdin()

    def awaits_cells(self) -> bool:
        """Return whether this is a kernel: interrupting it cancels the cell's coroutine."""
        return self._shell_context.kernel is not None

    def defaults(self) -> Defaults:
        """Return the defaults as `%config` has them now."""
        return self._configured.as_defaults()

    def lookup(self, name: str) -> object:
        """Return an object of the notebook by name, attributes after dots."""
        return self._shell_context.lookup(name)

    def candidates(self) -> Iterable[str]:
        """Return the names of the functions that the notebook defines."""
        return self._shell_context.candidates()

"""IPython as the host of a session: a kernel with or without a person, or a terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from inspect import getattr_static
from typing import Any, Final

from IPython.core.interactiveshell import ExecutionInfo, InteractiveShell

from budget_magic.magics import wording
from budget_magic.settings import Defaults

_CELL_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""What nbformat accepts as a cell id."""


class ShellContext:
    """One shell: its namespace, its cell, and whether a user is attached."""

    word = staticmethod(wording.word)
    setting = staticmethod(wording.setting)

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.depth = 0
        """How many cells and nested calls run, one inside the other."""
        self.cell_id: str | None = None
        """The front end's id of the running cell; None if it gives none."""
        self.defaults: Callable[[], Defaults] = Defaults
        """Returns the defaults as `%config` has them now."""

    @property
    def kernel(self) -> Any:
        """The kernel; None in a terminal."""
        return getattr(self.shell, "kernel", None)

    def has_stdin(self) -> bool:
        """Return whether a person can be asked by `input()`."""
        if self.kernel is None:
            return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()
        parent = self.kernel.get_parent("shell") or {}
        return bool(parent.get("content", {}).get("allow_stdin", False))

    def awaits_cells(self) -> bool:
        """Return whether this is a kernel: interrupting it cancels the cell's coroutine."""
        return self.kernel is not None

    def lookup(self, name: str) -> object:
        """Return an object of the notebook by name, attributes after dots."""
        first, *rest = name.split(".")
        found: object = self.shell.user_ns[first]
        for attribute in rest:
            found = getattr(found, attribute)
        return found

    def candidates(self) -> Iterable[str]:
        """Return the names of the functions that the notebook defines."""
        return [
            name
            for name, value in self._defined()
            if callable(value) and not isinstance(value, type)
        ]

    def clients(self) -> Iterable[str]:
        """Return the names of the client objects that the notebook defines."""
        return [
            name
            for name, value in self._defined()
            if getattr_static(value, "beta", None) is not None and not isinstance(value, type)
        ]

    def _defined(self) -> Iterator[tuple[str, object]]:
        """Yield the names that the notebook defines, without those of IPython itself."""
        hidden = self.shell.user_ns_hidden
        for name, value in list(self.shell.user_ns.items()):
            if not name.startswith("_") and hidden.get(name, self) is not value:
                yield name, value

    def expand(self, word: str) -> str:
        """Expand `$x` and `{x}` as IPython does, by the notebook's variables only."""
        return str(self.shell.var_expand(word, depth=sys.getrecursionlimit()))

    def before_code(self) -> None:
        """Count the start of a cell or nested call."""
        self.depth += 1

    def after_code(self) -> None:
        """Count its end."""
        self.depth = max(self.depth - 1, 0)

    def before_cell(self, info: ExecutionInfo) -> None:
        """Remember the cell; nested calls belong to the outermost."""
        if self.depth == 1:
            cell_id = info.cell_id
            valid = isinstance(cell_id, str) and _CELL_ID.fullmatch(cell_id)
            self.cell_id = cell_id if valid else None

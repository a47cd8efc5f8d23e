"""What the host offers: its words, whether a user is attached, and how to ask."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from budget_magic.session.host import Host, PythonHost


def _stdin_is_a_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _no() -> bool:
    return False


def _none() -> object:
    return None


def _nothing(name: str) -> object:
    raise KeyError(name)


@dataclass(slots=True, kw_only=True)
class Surroundings:
    """What a notebook, a terminal or a script offers."""

    host: Host = field(default_factory=PythonHost)
    """Words what a user can do."""
    has_stdin: Callable[[], bool] = _stdin_is_a_terminal
    """Whether a person can be asked by `input()`."""
    awaits_cells: Callable[[], bool] = _no
    """Whether a cancelled coroutine means that a person interrupted the cell."""
    defaults: Callable[[], object] = _none
    """Gives the session's `Defaults` as configured; None where nothing was."""
    lookup: Callable[[str], object] = _nothing
    """Finds an object of the notebook by name; raises KeyError where there is none."""
    candidates: Callable[[], Iterable[str]] = tuple
    """Names that a mistyped one may have meant."""


HERE = Surroundings()
"""The surroundings of this process."""

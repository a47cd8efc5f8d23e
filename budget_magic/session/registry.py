"""The tasks of this process, by name."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from budget_magic.session.task import Task

_TASKS: dict[str, Task] = {}
_LAST: list[str] = []


def tasks() -> Mapping[str, Task]:
    """Return the tasks of this process by name, oldest first; a view that follows changes."""
    return MappingProxyType(_TASKS)


def register(task: Task) -> None:
    """Enter a task under its name; an earlier one of that name is no longer reached by it."""
    _TASKS[task.name] = task


def used(name: str) -> None:
    """Remember the task that ran last."""
    _LAST[:] = [name]


def last_used() -> str | None:
    """Name of the task that ran last; None where none did."""
    return _LAST[0] if _LAST and _LAST[0] in _TASKS else None


def forget_all() -> None:
    """Empty the registry, as at the start of a process."""
    _TASKS.clear()
    _LAST.clear()

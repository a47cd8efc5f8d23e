"""WIRING: tasks and their turns, the thread they run on, the bus that carries what happened.

`Task` and `tasks` are imported on first use: `%load_ext` needs this room's light modules only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from budget_magic.session.registry import tasks
    from budget_magic.session.task import Task

__all__ = ["Task", "tasks"]


def __getattr__(name: str) -> Any:
    if name == "Task":
        from budget_magic.session.task import Task  # noqa: PLC0415 - lazy, as said above

        return Task
    if name == "tasks":
        from budget_magic.session.registry import tasks  # noqa: PLC0415 - likewise

        return tasks
    raise AttributeError(f"module 'budget_magic.session' has no attribute {name!r}")

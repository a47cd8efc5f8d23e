"""Agentic loops on Claude in notebook cells, under a task budget and hard ceilings that hold.

`%load_ext budget_magic` registers the magics; `Task` is the same from Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from budget_magic.errors import (
        BudgetMagicError,
        ConfigurationError,
        TaskFailed,
        TaskInterrupted,
    )
    from budget_magic.meter import Spend
    from budget_magic.session import Outcome, Task, tasks
    from budget_magic.settings import Ceilings
    from budget_magic.tools import tool

__version__ = "0.1.0"

__all__ = [
    "BudgetMagicError",
    "Ceilings",
    "ConfigurationError",
    "Outcome",
    "Spend",
    "Task",
    "TaskFailed",
    "TaskInterrupted",
    "__version__",
    "load_ipython_extension",
    "tasks",
    "tool",
    "unload_ipython_extension",
]

_EXPORTS = {
    "errors": {"BudgetMagicError", "ConfigurationError", "TaskFailed", "TaskInterrupted"},
    "meter": {"Spend"},
    "session": {"Outcome", "Task", "tasks"},
    "settings": {"Ceilings"},
    "tools": {"tool"},
}


def __getattr__(name: str) -> Any:
    import importlib  # noqa: PLC0415 - public names are lazy, so that loading stays cheap

    for package, names in _EXPORTS.items():
        if name in names:
            return getattr(importlib.import_module(f"budget_magic.{package}"), name)
    raise AttributeError(f"module 'budget_magic' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(ipython: Any) -> None:
    """Register the magics; `%load_ext budget_magic` calls this."""
    from budget_magic.magics.load import load  # noqa: PLC0415 - IPython only in magics

    load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """Remove everything that loading added; `%unload_ext budget_magic` calls this."""
    from budget_magic.magics.load import unload  # noqa: PLC0415 - IPython only in magics

    unload(ipython)

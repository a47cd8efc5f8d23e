"""Sessions, tasks and their turns, the thread they run on, and the bus that records them.

Names are imported on first use, since `%load_ext` needs only the light modules of this package.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from budget_magic.session.host import Host, PythonHost
    from budget_magic.session.outcome import Outcome
    from budget_magic.session.session import (
        Session,
        default_session,
        set_default_session,
        tasks,
    )
    from budget_magic.session.task import Task

_MODULES = {
    "Host": "host",
    "Outcome": "outcome",
    "PythonHost": "host",
    "Session": "session",
    "Task": "task",
    "default_session": "session",
    "set_default_session": "session",
    "tasks": "session",
}

__all__ = [
    "Host",
    "Outcome",
    "PythonHost",
    "Session",
    "Task",
    "default_session",
    "set_default_session",
    "tasks",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'budget_magic.session' has no attribute {name!r}")
    module = importlib.import_module(f"budget_magic.session.{_MODULES[name]}")
    return getattr(module, name)

"""WIRING: tasks and their turns, the thread they run on, the bus that carries what happened."""

from budget_magic.session.registry import tasks
from budget_magic.session.task import Task

__all__ = ["Task", "tasks"]

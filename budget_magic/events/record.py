"""A fact with its stamp: id, sequence within the task, and time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from budget_magic.events.facts import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One entry of a task's journal."""

    id: str
    task: str
    sequence: int
    """Position within the task, from 1, without gaps."""
    at: datetime
    """UTC, timezone-aware."""
    fact: Fact
    parent: str | None = None
    """Id of the record of its call, step or turn; for a turn, of the call of another task whose
    tool runs it. None if there is none."""

"""The turns of a task, and what running a cell again means for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from budget_magic.loop import Conversation
from budget_magic.meter import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a cell asks: as typed and as sent."""

    typed: str
    sent: str
    inserted: tuple[str, ...] = ()
    """The `{{ }}` expressions that were filled in."""
    cell_id: str | None = None
    """The front end's id of the cell; None where it gives none."""


@dataclass(slots=True, kw_only=True)
class Turn:
    """Everything done for one prompt."""

    number: int
    prompt: Prompt
    key: tuple[object, ...]
    """What must be equal for the turn to count as unchanged, the prompt aside."""
    before: Conversation
    """The history in front of the turn, from which it can start again."""
    outcome: Outcome | None = None
    """None while it runs for the first time."""
    ended_at: datetime | None = None
    is_superseded: bool = False
    """Whether the task went back to before this turn."""
    changed_things: bool = False
    """Whether a tool ran that is not read-only: showing the turn again does not bring that back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What running a cell means now."""

    kind: Literal["new", "go_on", "show", "rewind"]
    turn: Turn | None = None
    """The turn that goes on, is shown, or is gone back before."""


def plan_turn(
    turns: Sequence[Turn], prompt: Prompt, key: tuple[object, ...], *, again: bool
) -> Plan:
    """What running a cell means, by the turns that are in force.

    A turn that did not complete goes on only while it is the last; once others followed, the task
    goes back to before it instead.
    """
    in_force = [turn for turn in turns if not turn.is_superseded]
    found = next(
        (
            turn
            for turn in reversed(in_force)
            if prompt.cell_id is not None and turn.prompt.cell_id == prompt.cell_id
        ),
        None,
    )
    if found is None:
        return Plan(kind="new")
    if again or found.prompt.sent != prompt.sent:
        return Plan(kind="rewind", turn=found)
    is_completed = found.outcome is not None and found.outcome.state == "completed"
    if not is_completed:
        return Plan(kind="go_on" if found is in_force[-1] else "rewind", turn=found)
    return Plan(kind="show" if found.key == key else "rewind", turn=found)

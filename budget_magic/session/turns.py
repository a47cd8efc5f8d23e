"""The turns of a task, and what running a cell again means for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from budget_magic.loop import Approver
from budget_magic.meter import Outcome
from budget_magic.session.bus import Sink
from budget_magic.session.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a cell asks: as typed and as sent."""

    typed: str = field(repr=False)
    sent: str = field(repr=False)
    inserted: tuple[str, ...] = field(default=(), repr=False)
    """The `{{ }}` expressions that were filled in."""
    cell_id: str | None = None
    """The front end's id of the cell; None where it gives none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How a cell starts a turn."""

    settings: Settings | None = None
    """Put in force if the turn can run; None keeps those of the task."""
    sinks: Sequence[Sink] = ()
    """Views that watch this turn only."""
    approver: Approver | None = None
    """Who is asked about calls; None asks by `input()`."""
    background: bool = False
    """Whether nobody waits for the turn: only tools that read are offered."""


@dataclass(slots=True, kw_only=True)
class Turn:
    """Everything done for one prompt."""

    number: int
    prompt: Prompt
    shown_prompt: str
    """As typed, secrets replaced."""
    settings_before: Settings
    """In force before the cell's own."""
    key: tuple[object, ...]
    """What must be equal for the turn to count as unchanged, the prompt aside."""
    outcome: Outcome | None = None
    """None while it runs for the first time."""
    ended_at: datetime | None = None
    is_superseded: bool = False
    """Whether the task went back to before this turn."""
    changed_things: bool = False
    """Whether a tool ran that is not read-only: showing the turn again does not bring that back."""

    def __repr__(self) -> str:
        state = "running" if self.outcome is None else self.outcome.state
        return f"Turn({self.number}, {state}, prompt={self.shown_prompt.strip()[:60]!r})"

    def _repr_mimebundle_(self, **_kwargs: object) -> dict[str, object]:
        if self.outcome is None or self.outcome.bundle is None:
            return {"text/plain": repr(self)}
        return self.outcome.bundle()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What running a cell means now."""

    kind: Literal["new", "go_on", "show", "rewind"]
    settings: Settings
    """With the cell's own put in."""
    turn: Turn | None = None
    """The turn that goes on, is shown, or is gone back before."""


def in_force(turns: Sequence[Turn]) -> list[Turn]:
    """Return the turns that the task has not gone back before, oldest first."""
    return [turn for turn in turns if not turn.is_superseded]


def turn_key(settings: Settings) -> tuple[object, ...]:
    """Return the settings that count when a cell is run again."""
    client = settings.client if isinstance(settings.client, str) else id(settings.client)
    return (
        client,
        settings.model,
        settings.effort,
        settings.budget,
        settings.system_text,
        settings.tool_names,
        str(settings.root_path()),
    )


def plan_turn(
    turns: Sequence[Turn],
    prompt: Prompt,
    settings: Settings,
    change: Callable[[Settings], Settings],
    *,
    again: bool,
) -> Plan:
    """Return what running a cell means, by the turns that are in force.

    Parameters
    ----------
    turns
        Of the task, oldest first.
    prompt
        What the cell asks.
    settings
        In force now.
    change
        Puts the cell's settings in.
    again
        Whether the cell asks to be run anew.

    Notes
    -----
    A cell that is run again starts from the settings that were in force before it ran first, so
    that settings of later cells do not make it count as changed; ceilings, approval and tags are
    those of now. A turn that did not complete goes on only while it is the last: once others
    followed, the task goes back to before it instead.
    """
    standing = in_force(turns)
    same_cell = [
        turn
        for turn in standing
        if prompt.cell_id is not None and turn.prompt.cell_id == prompt.cell_id
    ]
    if not same_cell:
        return Plan(kind="new", settings=change(settings))
    found = same_cell[-1]
    base = replace(
        found.settings_before,
        ceilings=settings.ceilings,
        approve=settings.approve,
        tags=settings.tags,
        wrap_up=settings.wrap_up,
        compact_at=settings.compact_at,
        carry=settings.carry,
        prices=settings.prices,
        inference_geo=settings.inference_geo,
    )
    rewound = Plan(kind="rewind", turn=found, settings=change(base))
    if again or found.prompt.sent != prompt.sent:
        return rewound
    if found.outcome is None or found.outcome.state != "completed":
        goes_on = Plan(kind="go_on", turn=found, settings=change(settings))
        return goes_on if found is standing[-1] else rewound
    if found.key == turn_key(rewound.settings):
        return Plan(kind="show", turn=found, settings=rewound.settings)
    return rewound

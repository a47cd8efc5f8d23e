"""The turns of a task, and what running a cell again means for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Literal

from budget_magic.characters import without_lone_surrogates
from budget_magic.session.outcome import Outcome
from budget_magic.settings import TABLE, Settings
from budget_magic.tools.toolbox import Toolbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a cell asks: as typed and as sent."""

    typed: str = field(repr=False)
    sent: str = field(repr=False)
    inserted: tuple[str, ...] = field(default=(), repr=False)
    """The `{{ }}` expressions that were filled in."""
    cell_id: str | None = None
    """The front end's id of the cell; None if it gives none."""

    def __post_init__(self) -> None:
        """Replace lone surrogates, which names of files may hold and no request can."""
        for name in ("typed", "sent"):
            text = getattr(self, name)
            if isinstance(text, str):
                object.__setattr__(self, name, without_lone_surrogates(text))


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
    """Settings that must be equal for the turn to count as unchanged."""
    outcome: Outcome | None = None
    """None while it runs for the first time."""
    ended_at: datetime | None = None
    changed_things: bool = False
    """Whether a tool ran that may change something; showing the turn again does not do that."""
    is_superseded: bool = False
    """Whether the task went back to before this turn."""

    def note_call(self, tool_name: str, toolbox: Toolbox) -> None:
        """Note that a tool ran; one that is not known any more may change something."""
        tool = toolbox.get(tool_name)
        self.changed_things |= tool is None or tool.needs_approval

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
    """The settings with the cell's options applied."""
    turn: Turn | None = None
    """The turn to resume, to show again, or to run anew."""


def in_force(turns: Sequence[Turn]) -> list[Turn]:
    """Return the turns that are not superseded, oldest first."""
    return [turn for turn in turns if not turn.is_superseded]


def turn_key(settings: Settings) -> tuple[object, ...]:
    """Return the settings that count when a cell is run again, as they are in force."""
    in_force = {
        "system": settings.system_text,
        "tools": settings.tool_names,
        "root": settings.root_path(),
    }
    return tuple(
        in_force.get(row.name, getattr(settings, row.argument, None))
        for row in TABLE.values()
        if row.counts
    )


def _of_now(settings: Settings) -> dict[str, Any]:
    """Return the settings that do not count when a cell is run again."""
    return {
        part.name: getattr(settings, part.name)
        for part in fields(settings)
        if "row" in part.metadata and not part.metadata["row"].counts
    }


def plan_turn(
    turns: Sequence[Turn],
    prompt: Prompt,
    settings: Settings,
    change: Callable[[Settings], Settings],
    *,
    again: bool,
) -> Plan:
    """Return what running a cell means, given the turns of the task.

    `change` applies the cell's options; `again` is true if the cell asks to be run anew.

    A cell that is run again starts from the settings in force before its first run, so that options
    of later cells do not make it count as changed. Settings that do not count, such as ceilings,
    approval and tags, are the current ones. A turn that did not complete is resumed only if it is
    the last; otherwise the task goes back to before it.
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
    base = replace(found.settings_before, **_of_now(settings))
    rewound = Plan(kind="rewind", turn=found, settings=change(base))
    if again or found.prompt.sent != prompt.sent:
        return rewound
    if found.outcome is None or found.outcome.state != "completed":
        goes_on = Plan(kind="go_on", turn=found, settings=change(settings))
        return goes_on if found is standing[-1] else rewound
    if found.key == turn_key(rewound.settings):
        return Plan(kind="show", turn=found, settings=rewound.settings)
    return rewound

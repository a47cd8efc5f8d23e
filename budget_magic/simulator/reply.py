"""What a scene answers: the plan of one reply, before it is counted, cut and streamed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from budget_magic.simulator.view import View


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call that a reply makes."""

    name: str
    input: Mapping[str, Any] = field(default_factory=dict)
    result_tokens: int | None = None
    """What its result will count, whatever it says; None counts it honestly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One reply of the simulated model.

    The blocks come in the order thinking, text, calls. Without further word the reply ends with
    `tool_use` where it calls tools and with `end_turn` otherwise.
    """

    text: str = ""
    calls: Sequence[Call] = ()
    thinking: str = ""
    """The summary that is shown of the thinking; left out where the request turns thinking off."""
    thinking_tokens: int | None = None
    """Raw thinking tokens; None makes them 1 to 8 times the summary's, by seed."""
    output_tokens: int | None = None
    """What the whole reply counts, whatever it says; None counts it honestly."""
    result_tokens: int | None = None
    """What all results of its calls count together; None counts them honestly."""
    stop_reason: str | None = None
    """`pause_turn`, `refusal` and so on; None for the natural one."""
    refusal_category: str | None = None
    """`stop_details.category` where `stop_reason` is `refusal`."""
    when: Callable[[View], bool] | None = None
    """In a script: play it whenever this holds, ahead of its place; None for its place."""

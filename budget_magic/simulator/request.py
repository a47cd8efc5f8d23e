"""A checked request, as the rest of the simulator reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from budget_magic.models import Model
from budget_magic.simulator.schema import Body, TaskBudget, Thinking

JsonMapping = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as sent, its content always a list of blocks."""

    role: str
    blocks: tuple[JsonMapping, ...]
    index: int
    """Place in the `messages` that were sent."""
    effort: str | None = None
    """The effort a system message sets."""

    @property
    def has_tool_results(self) -> bool:
        """Whether it answers tool calls."""
        return any(block["type"] == "tool_result" for block in self.blocks)

    @property
    def has_new_input(self) -> bool:
        """Whether it holds anything but tool results."""
        return any(block["type"] != "tool_result" for block in self.blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that passed all checks which need nothing but the request itself."""

    sent: Body
    betas: frozenset[str]
    model: Model
    messages: tuple[Message, ...]
    thinking: Thinking
    """How the model thinks, its defaults filled in."""
    effort: str | None
    """The top-level effort, default filled in; None where the model has none."""
    effort_now: str | None
    """The effort of the coming reply, after effort-per-message changes."""

    @property
    def thinks(self) -> bool:
        """Whether the model thinks at all."""
        return self.thinking.type in ("adaptive", "enabled")

    @property
    def budget(self) -> TaskBudget | None:
        """The task budget, if it has one."""
        return self.sent.output_config.task_budget


def cache_ttl(cache_control: JsonMapping | None) -> str | None:
    """Return the time to live of a `cache_control`; None where there is none."""
    return None if cache_control is None else cache_control.get("ttl", "5m")

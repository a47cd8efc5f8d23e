"""A checked request, as the rest of the simulator reads it."""

from __future__ import annotations

from dataclasses import dataclass

from budget_magic.models import Model
from budget_magic.simulator.tokens import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """`output_config.task_budget`."""

    total: int
    remaining: int | None
    """As sent; None where the request leaves it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking:
    """How the model thinks in this request, defaults filled in."""

    mode: str
    """`adaptive`, `enabled`, `disabled` or `between_tools`."""
    display: str
    """`summarized`, `omitted` or `updates`."""
    budget_tokens: int | None
    drops_mismatches: bool
    """Whether a block of another conversation is dropped instead of refused."""

    @property
    def is_on(self) -> bool:
        """Whether the model thinks at all."""
        return self.mode in ("adaptive", "enabled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as sent, its content always a list of blocks."""

    role: str
    blocks: tuple[JsonObject, ...]
    index: int
    """Place in the `messages` that were sent."""
    effort: str | None = None
    """The effort a system message sets."""

    @property
    def has_tool_results(self) -> bool:
        """Whether it answers tool calls."""
        return any(block["type"] == "tool_result" for block in self.blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that passed all checks which need nothing but the request itself."""

    model: Model
    model_id: str
    """As the client wrote it."""
    max_tokens: int
    stream: bool
    betas: frozenset[str]
    system: tuple[JsonObject, ...]
    tools: tuple[JsonObject, ...]
    messages: tuple[Message, ...]
    tool_choice: JsonObject
    stop_sequences: tuple[str, ...]
    thinking: Thinking
    effort: str | None
    """The top-level effort, default filled in; None where the model has none."""
    effort_now: str | None
    """The effort of the coming reply, after effort-per-message changes."""
    budget: Budget | None
    cache_ttl: str | None
    """The time to live of the top-level `cache_control`; None where there is none."""
    speed: str
    inference_geo: str | None
    compaction: JsonObject | None


def turns(messages: tuple[Message, ...]) -> list[tuple[str, list[tuple[Message, int]]]]:
    """The conversation with consecutive messages of one role put together.

    Returns
    -------
    list
        Per turn its role and its blocks, each as (message, place in that message); system messages
        are left out.
    """
    result: list[tuple[str, list[tuple[Message, int]]]] = []
    for message in messages:
        if message.role == "system":
            continue
        if not result or result[-1][0] != message.role:
            result.append((message.role, []))
        result[-1][1].extend((message, place) for place in range(len(message.blocks)))
    return result

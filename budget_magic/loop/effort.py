"""The effort of the next request: by a message where that keeps the cached prefix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from budget_magic.loop.conversation import GO_ON, text_block
from budget_magic.loop.task import TaskContext

Blocks = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EffortUpdate:
    """How the next request brings the effort that the settings ask for into force."""

    by_message: str | None = None
    """Announced in a message behind the user's; None where none is needed."""
    at_top_level: str | None = None
    """Named at the top level, which writes the cached prefix anew; None where nothing changes."""


def next_effort(task: TaskContext, blocks: Blocks) -> tuple[Blocks, EffortUpdate]:
    """Return the blocks of the next user message, and how the effort changes with it.

    Notes
    -----
    platform.claude.com, "Effort per message" (2026-11): a message takes effect only after new
    input, which tool results are not; once one stands in the history it outranks the top level.
    """
    conversation, model = task.conversation, task.model
    wanted = task.settings.effort if model is None or model.effort_levels else None
    if wanted is None or wanted == conversation.spoken_effort:
        return blocks, EffortUpdate()
    by_message = model is not None and model.effort_per_message
    has_messages = by_message and conversation.message_effort() is not None
    is_new_input = any(block["type"] == "text" for block in blocks)
    if conversation.spoken_effort is None or not (by_message and (is_new_input or has_messages)):
        return blocks, EffortUpdate(at_top_level=wanted)
    blocks = blocks if is_new_input else [*blocks, text_block(GO_ON)]
    return blocks, EffortUpdate(by_message=wanted)

"""Check the rules of a conversation: who begins, which calls are answered, which effort holds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from budget_magic.models import Model
from budget_magic.simulator import facts
from budget_magic.simulator.refusal import Refused
from budget_magic.simulator.request import Message
from budget_magic.simulator.schema import SentMessage, SystemMessage


def parse_messages(
    sent: Sequence[SentMessage], model: Model, betas: frozenset[str]
) -> tuple[Message, ...]:
    """Return the conversation, the pairing of calls and results checked."""
    if not sent:
        raise Refused("messages: at least one message is required")
    messages = tuple(_message(message, place, model, betas) for place, message in enumerate(sent))
    starts_with_summary = messages[0].blocks and messages[0].blocks[0]["type"] == "compaction"
    if messages[0].role != "user" and not starts_with_summary:
        raise Refused('messages: first message must use the "user" role')
    _check_calls(messages)
    return messages


def effort_of_reply(messages: tuple[Message, ...], top_level: str | None) -> str | None:
    """Return the effort of the coming reply, after the system messages that change it.

    A change directly after a user message with new input holds for the reply to it; anywhere else
    it waits for the next user message with new input, and tool results alone are not new input.
    """
    effort, waiting = top_level, None
    before: Message | None = None
    for message in messages:
        if message.effort is not None:
            if before is not None and before.role == "user" and before.has_new_input:
                effort, waiting = message.effort, None
            else:
                waiting = message.effort
        elif message.role == "user" and waiting is not None and message.has_new_input:
            effort, waiting = waiting, None
        if message.role != "system":
            before = message
    return effort


def _message(sent: SentMessage, place: int, model: Model, betas: frozenset[str]) -> Message:
    where = f"messages.{place}"
    effort = _effort(sent, where, model, betas) if isinstance(sent, SystemMessage) else None
    if not sent.content and effort is None:
        raise Refused(
            f"{where}: all messages must have non-empty content except for the optional final"
            " assistant message"
        )
    return Message(role=sent.role, blocks=tuple(sent.content), index=place, effort=effort)


def _effort(sent: SystemMessage, where: str, model: Model, betas: frozenset[str]) -> str | None:
    if sent.clear_at is not None:
        facts.need_beta(facts.CLEAR_AT, betas, f"{where}.clear_at")
    if sent.output_config is None:
        return None
    facts.need_beta(facts.MESSAGE_EFFORT, betas, f"{where}.output_config")
    if not model.effort_per_message:
        raise Refused(f"{where}.output_config: effort per message is not supported for this model")
    return sent.output_config.effort


def _check_calls(messages: tuple[Message, ...]) -> None:
    """Check that every call is answered in the next turn, and that only calls are answered."""
    called: set[str] = set()
    open_calls: list[str] = []
    calls_at = 0
    spoken = [message for message in messages if message.role != "system"]
    turns = ((role, list(turn)) for role, turn in groupby(spoken, key=lambda each: each.role))
    for role, turn in [*turns, ("user", [])]:  # the empty turn tells what is left unanswered
        blocks = [
            (each.index, place, block) for each in turn for place, block in enumerate(each.blocks)
        ]
        if role == "assistant":
            open_calls = [block["id"] for *_, block in blocks if block["type"] == "tool_use"]
            calls_at = turn[0].index
            if len(called.union(open_calls)) < len(called) + len(open_calls):
                raise Refused("messages: `tool_use` ids must be unique")
            called.update(open_calls)
            continue
        answered = set()
        is_leading = True
        for index, place, block in blocks:
            if block["type"] != "tool_result":
                is_leading = False
                continue
            call = block["tool_use_id"]
            if call not in open_calls:
                raise Refused(
                    f"messages.{index}.content.{place}: unexpected `tool_use_id` found in"
                    f" `tool_result` blocks: {call}. Each `tool_result` block must have a"
                    " corresponding `tool_use` block in the previous message."
                )
            if call in answered:
                raise Refused(
                    f"messages.{index}.content.{place}: each tool_use must have a single"
                    f" result. Found multiple `tool_result` blocks with id: {call}"
                )
            if is_leading:
                answered.add(call)
        missing = [call for call in open_calls if call not in answered]
        if missing:
            raise Refused(
                f"messages.{calls_at}: `tool_use` ids were found without `tool_result` blocks"
                f" immediately after: {', '.join(missing)}. Each `tool_use` block must have a"
                " corresponding `tool_result` block in the next message."
            )
        open_calls = []

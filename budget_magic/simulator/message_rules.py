"""Rules of a conversation: the first role, results for all calls, the effort that applies."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from budget_magic.models import Model
from budget_magic.simulator import betas as beta_names
from budget_magic.simulator.betas import require_beta
from budget_magic.simulator.errors import ApiError
from budget_magic.simulator.message_schema import Message, SystemMessage
from budget_magic.simulator.tokens import JsonMapping


def check_messages(messages: Sequence[Message], model: Model, betas: frozenset[str]) -> None:
    """Raise `ApiError` if the API would reject the conversation."""
    if not messages:
        raise ApiError("messages: at least one message is required")
    for index, message in enumerate(messages):
        where = f"messages.{index}"
        if isinstance(message, SystemMessage):
            _check_system_message(message, where, model, betas)
        if not message.content and message.effort is None:
            raise ApiError(
                f"{where}: all messages must have non-empty content except for the optional final"
                " assistant message"
            )
    first = messages[0]
    starts_with_summary = first.content and first.content[0]["type"] == "compaction"
    if first.role != "user" and not starts_with_summary:
        raise ApiError('messages: first message must use the "user" role')
    _check_tool_results(messages)


def effort_of_reply(messages: Sequence[Message], top_level: str | None) -> str | None:
    """Return the effort of the coming reply, after the system messages that change it.

    A change directly after a user message with new input applies to the reply to it. Anywhere else
    it waits for the next user message with new input; tool results alone are not new input.
    """
    effort, pending = top_level, None
    follows_input = False
    for message in messages:
        has_input = message.role == "user" and bool(message.kinds - {"tool_result"})
        pending = message.effort or pending
        if pending and (has_input or (message.effort and follows_input)):
            effort, pending = pending, None
        if message.role != "system":
            follows_input = has_input
    return effort


def _check_system_message(
    message: SystemMessage, where: str, model: Model, betas: frozenset[str]
) -> None:
    if message.clear_at is not None:
        require_beta(beta_names.CLEAR_AT, betas, f"{where}.clear_at")
    if message.output_config is not None:
        require_beta(beta_names.MESSAGE_EFFORT, betas, f"{where}.output_config")
        if not model.effort_per_message:
            raise ApiError(
                f"{where}.output_config: effort per message is not supported for this model"
            )


def _check_tool_results(messages: Sequence[Message]) -> None:
    """Check that every call is answered in the next turn, and that only calls are answered."""
    known_ids: set[str] = set()
    open_ids: list[str] = []
    calls_index = 0
    spoken = [(index, one) for index, one in enumerate(messages) if one.role != "system"]
    turns = ((role, list(turn)) for role, turn in groupby(spoken, key=lambda pair: pair[1].role))
    for role, turn in [*turns, ("user", [])]:  # the empty turn reveals what is left unanswered
        blocks = [
            (f"messages.{index}.content.{position}", block)
            for index, message in turn
            for position, block in enumerate(message.content)
        ]
        if role == "assistant":
            open_ids = [block["id"] for _, block in blocks if block["type"] == "tool_use"]
            calls_index = turn[0][0]
            if len(known_ids.union(open_ids)) < len(known_ids) + len(open_ids):
                raise ApiError("messages: `tool_use` ids must be unique")
            known_ids.update(open_ids)
            continue
        answered = _answered_ids(blocks, open_ids)
        if missing := [call_id for call_id in open_ids if call_id not in answered]:
            raise ApiError(
                f"messages.{calls_index}: `tool_use` ids were found without `tool_result` blocks"
                f" immediately after: {', '.join(missing)}. Each `tool_use` block must have a"
                " corresponding `tool_result` block in the next message."
            )
        open_ids = []


def _answered_ids(blocks: Sequence[tuple[str, JsonMapping]], open_ids: Sequence[str]) -> set[str]:
    """Return the calls that the results at the start of a turn answer."""
    answered: set[str] = set()
    is_leading = True
    for where, block in blocks:
        if block["type"] != "tool_result":
            is_leading = False
            continue
        call_id = block["tool_use_id"]
        if call_id not in open_ids:
            raise ApiError(
                f"{where}: unexpected `tool_use_id` found in `tool_result` blocks: {call_id}."
                " Each `tool_result` block must have a corresponding `tool_use` block in the"
                " previous message."
            )
        if call_id in answered:
            raise ApiError(
                f"{where}: each tool_use must have a single result. Found multiple `tool_result`"
                f" blocks with id: {call_id}"
            )
        if is_leading:
            answered.add(call_id)
    return answered

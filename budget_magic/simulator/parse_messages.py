"""The rules of `system`, `tools` and `messages`: what a valid conversation looks like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from budget_magic.models import EFFORT_LEVELS, Model
from budget_magic.simulator import facts
from budget_magic.simulator.checks import (
    a_list,
    a_text,
    an_object,
    cache_ttl,
    no_extras,
    one_of,
    required,
)
from budget_magic.simulator.refusal import Refused
from budget_magic.simulator.request import Message, turns
from budget_magic.simulator.tokens import JsonObject

_TOOL_NAME: Final = re.compile(r"^[a-zA-Z0-9_-]{1,128}$")
_CALL_ID: Final = re.compile(r"^[a-zA-Z0-9_-]+$")
_CALLED: Final = re.compile(r"^[a-zA-Z0-9_-]{1,200}$")
_ROLES: Final = ("user", "assistant", "system")
_THINKING: Final = ("thinking", "redacted_thinking")
_BLOCKS: Final = {
    "user": ("text", "tool_result", "image", "document", "compaction"),
    "assistant": ("text", "tool_use", "thinking", "redacted_thinking", "compaction"),
    "system": ("text",),
}


def parse_system(value: object) -> tuple[JsonObject, ...]:
    """The system prompt as blocks."""
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        return ({"type": "text", "text": value},)
    blocks = a_list(value, "system")
    for place, block in enumerate(blocks):
        _check_block(an_object(block, f"system.{place}"), "system", f"system.{place}")
    return tuple(blocks)


def parse_tools(value: object) -> tuple[JsonObject, ...]:
    """The offered tools, names and schemas checked."""
    tools = [] if value is None else a_list(value, "tools")
    names = set()
    for place, tool in enumerate(tools):
        an_object(tool, f"tools.{place}")
        where = f"tools.{place}.custom."
        if tool.get("type", "custom") != "custom":
            raise Refused(f"tools.{place}: the simulator runs no server tools")
        name = a_text(required(tool, "name", where), f"{where}name")
        if not _TOOL_NAME.match(name):
            raise Refused(f"{where}name: String should match pattern '{_TOOL_NAME.pattern}'")
        schema = an_object(required(tool, "input_schema", where), f"{where}input_schema")
        if schema.get("type") != "object":
            raise Refused(f"{where}input_schema.type: Input should be 'object'")
        cache_ttl(tool, f"tools.{place}")
        if name in names:
            raise Refused("tools: Tool names must be unique.")
        names.add(name)
    return tuple(tools)


def parse_messages(value: object, model: Model, betas: frozenset[str]) -> tuple[Message, ...]:
    """The conversation, its shape and the pairing of calls and results checked."""
    sent = a_list(value, "messages")
    if not sent:
        raise Refused("messages: at least one message is required")
    messages = tuple(_message(message, place, model, betas) for place, message in enumerate(sent))
    starts_with_summary = messages[0].blocks and messages[0].blocks[0]["type"] == "compaction"
    if messages[0].role != "user" and not starts_with_summary:
        raise Refused('messages: first message must use the "user" role')
    _check_pairs(messages)
    return messages


def _message(value: object, place: int, model: Model, betas: frozenset[str]) -> Message:
    where = f"messages.{place}"
    message = an_object(value, where)
    role = one_of(required(message, "role", f"{where}."), f"{where}.role", _ROLES)
    content = required(message, "content", f"{where}.")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}] if content else []
    blocks = a_list(content, f"{where}.content")
    for at, block in enumerate(blocks):
        _check_block(an_object(block, f"{where}.content.{at}"), role, f"{where}.content.{at}")
    effort = _system_effort(message, where, model, betas) if role == "system" else None
    known = {"role", "content", *(("output_config", "clear_at") if role == "system" else ())}
    no_extras(message, frozenset(known), f"{where}.")
    if not blocks and effort is None:
        raise Refused(
            f"{where}: all messages must have non-empty content except for the optional final"
            " assistant message"
        )
    return Message(role=role, blocks=tuple(blocks), index=place, effort=effort)


def _system_effort(
    message: Mapping[str, Any], where: str, model: Model, betas: frozenset[str]
) -> str | None:
    if message.get("clear_at") is not None and facts.CLEAR_AT not in betas:
        raise Refused(f"{where}.clear_at: Extra inputs are not permitted")
    if message.get("output_config") is None:
        return None
    if facts.MESSAGE_EFFORT not in betas:
        raise Refused(f"{where}.output_config: Extra inputs are not permitted")
    if not model.effort_per_message:
        raise Refused(f"{where}.output_config: effort per message is not supported for this model")
    config = an_object(message["output_config"], f"{where}.output_config")
    no_extras(config, frozenset({"effort"}), f"{where}.output_config.")
    if config.get("effort") is None:
        return None
    return one_of(config["effort"], f"{where}.output_config.effort", EFFORT_LEVELS)


def _check_block(block: Mapping[str, Any], role: str, where: str) -> None:
    kind = one_of(required(block, "type", f"{where}."), f"{where}.type", _BLOCKS[role])
    if cache_ttl(block, where) is not None and kind in _THINKING:
        raise Refused(f"{where}.{kind}.cache_control: Extra inputs are not permitted")
    if kind == "text":
        text = a_text(required(block, "text", f"{where}.text."), f"{where}.text.text")
        if not text:
            raise Refused("messages: text content blocks must be non-empty")
        if not text.strip():
            raise Refused("messages: text content blocks must contain non-whitespace text")
    elif kind == "tool_use":
        _check_text(required(block, "id", f"{where}.tool_use."), f"{where}.tool_use.id", _CALL_ID)
        name = required(block, "name", f"{where}.tool_use.")
        _check_text(name, f"{where}.tool_use.name", _CALLED)
        an_object(required(block, "input", f"{where}.tool_use."), f"{where}.tool_use.input")
    elif kind == "tool_result":
        _check_result(block, where)
    elif kind == "compaction":
        _check_summary(block, f"{where}.compaction")
    elif kind == "thinking":
        a_text(required(block, "thinking", f"{where}.thinking."), f"{where}.thinking.thinking")
        a_text(required(block, "signature", f"{where}.thinking."), f"{where}.thinking.signature")


def _check_text(value: object, where: str, pattern: re.Pattern[str]) -> None:
    if not pattern.fullmatch(a_text(value, where)):
        raise Refused(f"{where}: String should match pattern '{pattern.pattern}'")


def _check_summary(block: Mapping[str, Any], where: str) -> None:
    for key, value in block.items():
        if value is None and key != "content":
            raise Refused(f"{where}.{key}: Input should be a valid string")
    a_text(required(block, "signature", f"{where}."), f"{where}.signature")


def _check_result(block: Mapping[str, Any], where: str) -> None:
    where = f"{where}.tool_result"
    _check_text(required(block, "tool_use_id", f"{where}."), f"{where}.tool_use_id", _CALL_ID)
    content = block.get("content")
    if content is None or isinstance(content, str):
        return
    for place, part in enumerate(a_list(content, f"{where}.content")):
        inner = f"{where}.content.{place}"
        kind = one_of(an_object(part, inner).get("type"), f"{inner}.type", _BLOCKS["user"])
        if kind == "text" and not a_text(part.get("text"), f"{inner}.text"):
            raise Refused("messages: text content blocks must be non-empty")


def _check_pairs(messages: tuple[Message, ...]) -> None:
    """Every call is answered in the message right after it, and only calls are answered."""
    open_calls: list[str] = []
    called: set[str] = set()
    calls_at = 0
    for role, places in turns(messages):
        blocks = [(message, place, message.blocks[place]) for message, place in places]
        if role == "assistant":
            open_calls = [block["id"] for _, _, block in blocks if block["type"] == "tool_use"]
            calls_at = blocks[0][0].index if blocks else 0
            if len(called.union(open_calls)) < len(called) + len(open_calls):
                raise Refused("messages: `tool_use` ids must be unique")
            called.update(open_calls)
            continue
        answered = set()
        at_start = True
        for message, place, block in blocks:
            if block["type"] != "tool_result":
                at_start = False
                continue
            call = block["tool_use_id"]
            if call not in open_calls:
                raise Refused(
                    f"messages.{message.index}.content.{place}: unexpected `tool_use_id` found in"
                    f" `tool_result` blocks: {call}. Each `tool_result` block must have a"
                    " corresponding `tool_use` block in the previous message."
                )
            if call in answered:
                raise Refused(
                    f"messages.{message.index}.content.{place}: each tool_use must have a single"
                    f" result. Found multiple `tool_result` blocks with id: {call}"
                )
            if at_start:
                answered.add(call)
        _all_answered([call for call in open_calls if call not in answered], calls_at)
        open_calls = []
    _all_answered(open_calls, calls_at)


def _all_answered(missing: list[str], calls_at: int) -> None:
    if missing:
        raise Refused(
            f"messages.{calls_at}: `tool_use` ids were found without `tool_result` blocks"
            f" immediately after: {', '.join(missing)}. Each `tool_use` block must have a"
            " corresponding `tool_result` block in the next message."
        )

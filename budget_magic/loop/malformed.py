"""Repair malformed replies, so that no bad block makes every later request fail.

A server, or a model that writes its calls token by token, may answer anything. What the API would
refuse in the next request is replaced before the reply is recorded. Signed blocks are never edited:
if one cannot be sent back, its signature is left out, which keeps the reply out of the history.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from budget_magic.characters import without_lone_surrogates
from budget_magic.loop.conversation import THINKING
from budget_magic.wire import Reply

MAX_DEPTH: Final = 100
"""Levels of nesting that a block may have."""
UNNAMED: Final = "invalid_tool_name"
BAD_INPUT: Final = "the call's input was not a valid JSON object"
BAD_ID: Final = "the call's id was not valid"
BAD_NAME: Final = "the tool's name was not valid"
SAME_ID: Final = "the reply had another call with the same id"

_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,256}")
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_CODE_EXECUTION: Final = re.compile(r"code_execution_\d{8}")
_SERVER_ID: Final = re.compile(r"srvtoolu_[a-zA-Z0-9_]{1,256}")
_RESENT: Final = frozenset({"tool_use", "thinking", "redacted_thinking", "compaction", "fallback"})
_SERVER_CALLS: Final = frozenset({"server_tool_use", "mcp_tool_use"})
_SERVER_RESULT: Final = "_tool_result"


def repair_reply(reply: Reply, taken: Collection[str]) -> tuple[Reply, dict[str, str]]:
    """Return the reply without malformed blocks, and why calls of it cannot run, by call id.

    `taken` holds the ids of the calls in the history. A call that repeats one gets a new id and
    runs, since some servers restart the numbering with each reply.
    """
    faults: dict[str, str] = {}
    ids, seen = set(taken), set[str]()
    content = []
    for block in reply.content:
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            continue
        if block["type"] == "tool_use":
            content.append(_call(block, faults, ids, seen))
        elif block["type"] in THINKING:
            content.append(block if _is_intact(block) else _unsigned(block))
        else:
            content.append(_cleaned(block))
    return replace(reply, content=tuple(content)), faults


def _call(
    block: dict[str, Any], faults: dict[str, str], ids: set[str], seen: set[str]
) -> dict[str, Any]:
    """Return a call that the API accepts; the first thing wrong with it goes to `faults`."""
    fault = None
    given, name, arguments = block.get("id"), block.get("name"), block.get("input")
    if not isinstance(given, str) or not _ID.fullmatch(given):
        fault = BAD_ID
    elif given in seen:
        fault = SAME_ID
    else:
        seen.add(given)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        name, fault = UNNAMED, fault or BAD_NAME
    if not isinstance(arguments, dict) or not _is_sendable(arguments):
        arguments, fault = {}, fault or BAD_INPUT
    call_id = given if isinstance(given, str) and fault not in {BAD_ID, SAME_ID} else None
    if call_id is None or call_id in ids:
        call_id = next(new for n in range(1, len(ids) + 2) if (new := f"call_{n}") not in ids)
    ids.add(call_id)
    if fault is not None:
        faults[call_id] = fault
    made = {"type": "tool_use", "id": call_id, "name": name, "input": arguments}
    caller = block.get("caller")
    return {**made, "caller": caller} if _is_caller(caller) else made


def _is_caller(value: object) -> bool:
    """Return whether this is a caller as the API names it: the model, or code on the server."""
    if not isinstance(value, dict) or not isinstance(kind := value.get("type"), str):
        return False
    if kind == "direct":
        return value.keys() == {"type"}
    made_by = value.get("tool_id")
    is_known = _CODE_EXECUTION.fullmatch(kind) is not None and value.keys() == {"type", "tool_id"}
    return is_known and isinstance(made_by, str) and _SERVER_ID.fullmatch(made_by) is not None


def _is_intact(block: dict[str, Any]) -> bool:
    needed = ("thinking", "signature") if block["type"] == "thinking" else ("data",)
    return _is_sendable(block) and all(isinstance(block.get(key), str) for key in needed)


def _unsigned(block: dict[str, Any]) -> dict[str, Any]:
    text = block.get("thinking")
    kept = without_lone_surrogates(text) if isinstance(text, str) else ""
    return {"type": "thinking", "thinking": kept}


def _cleaned(block: dict[str, Any]) -> dict[str, Any]:
    """Return the block without what the API may refuse or JSON cannot carry."""
    kept = {}
    for key, value in block.items():
        if key == "cache_control":  # belongs to requests, which set their own
            continue
        if isinstance(value, str):
            kept[key] = without_lone_surrogates(value)
        elif _is_sendable(value):
            kept[key] = value
    return _text(kept) if kept["type"] == "text" else kept


def _text(block: dict[str, Any]) -> dict[str, Any]:
    """Return a text block with its permitted fields only."""
    text, citations = block.get("text"), block.get("citations", ())
    made = {"type": "text", "text": text if isinstance(text, str) else ""}
    is_cited = citations is None or (
        isinstance(citations, list)
        and all(isinstance(one, dict) and isinstance(one.get("type"), str) for one in citations)
    )
    return {**made, "citations": citations} if is_cited else made


def _is_sendable(value: object) -> bool:
    """Return whether a value is JSON: finite numbers, whole characters, no deeper than allowed."""
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
        return _depth(value) <= MAX_DEPTH
    except (TypeError, ValueError, RecursionError):
        return False


def _depth(value: object) -> int:
    if not isinstance(value, dict | list | tuple):
        return 0
    return 1 + max(map(_depth, value.values() if isinstance(value, dict) else value), default=0)


def left_out(content: Sequence[Mapping[str, Any]], *, paused: bool) -> tuple[int, ...]:
    """Return the indices of a repaired reply's blocks that the API would not accept back.

    Left out are empty text, unknown kinds of blocks, and a call of a server's tool without its
    result or a result without its call, except the call that a paused turn resumes with. If no text
    or call remains, or thinking is unsigned, every block is left out.
    """
    kept = {
        index: block
        for index, block in enumerate(content)
        if _is_accepted(block, content, paused=paused)
    }
    says_something = any(block["type"] not in THINKING for block in kept.values())
    unsigned = any(
        block["type"] == "thinking" and not block.get("signature") for block in kept.values()
    )
    if unsigned or not says_something:
        return tuple(range(len(content)))
    return tuple(index for index in range(len(content)) if index not in kept)


def _is_accepted(
    block: Mapping[str, Any], content: Sequence[Mapping[str, Any]], *, paused: bool
) -> bool:
    kind = block["type"]
    if kind == "text":
        return bool(block["text"].strip())
    if kind in _SERVER_CALLS:
        is_answered = any(other.get("tool_use_id") == block.get("id") for other in content)
        return isinstance(block.get("id"), str) and (paused or is_answered)
    if kind.endswith(_SERVER_RESULT):
        called = [one.get("id") for one in content if one["type"] in _SERVER_CALLS]
        return isinstance(block.get("tool_use_id"), str) and block["tool_use_id"] in called
    return kind in _RESENT

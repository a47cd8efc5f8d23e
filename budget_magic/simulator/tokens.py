"""The simulator's tokenizer rule: how many tokens a text, a block or a tool counts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

JsonObject = dict[str, Any]
"""A JSON object as it came over the wire."""

BLOCK_TOKENS: Final = 4
"""Every content block costs this much beside its text."""
USER_MESSAGE_TOKENS: Final = 3
"""Role marks of a user or system message; those of a reply are inside its `output_tokens`."""
TOOLS_TOKENS: Final = 250
"""Standing instructions that the API adds as soon as one tool is offered."""
TOOL_TOKENS: Final = 12
"""Every tool costs this much beside its JSON."""
IMAGE_TOKENS: Final = 1_600
DOCUMENT_TOKENS: Final = 3_000

_PIECE = re.compile(r" ?[A-Za-z]{1,7}|[0-9]{1,3}|\s+|[^\x00-\x7f]|[^\w\s]{1,2}|\w")
_LONG_ENOUGH_TO_REMEMBER = 200
_MOST_LEFT_OUT = 64


def count_text(text: str) -> int:
    """The tokens of a text.

    A token is: up to seven letters with the space before them, up to three digits, a run of white
    space, one character outside ASCII, or up to two signs. That gives about 4 characters a token
    for English prose, 3 for code and JSON, 1 for Chinese, and never more than one token a byte.

    >>> count_text("The answer is 42.")
    6
    """
    if len(text) < _LONG_ENOUGH_TO_REMEMBER:
        return len(_PIECE.findall(text))
    return _count_long(text)


@lru_cache(maxsize=2048)
def _count_long(text: str) -> int:
    return len(_PIECE.findall(text))


def cut_text(text: str, tokens: int) -> str:
    """The longest start of a text that counts at most this many tokens."""
    if tokens <= 0:
        return ""
    for number, piece in enumerate(_PIECE.finditer(text), 1):
        if number == tokens:
            return text[: piece.end()]
    return text


def compact_json(value: object) -> str:
    """JSON without needless spaces, keys in order: the form that is counted and hashed."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def count_tool(tool: Mapping[str, Any]) -> int:
    """The tokens of one offered tool: name, description and schema."""
    shown = {key: value for key, value in tool.items() if key != "cache_control"}
    return TOOL_TOKENS + count_text(compact_json(shown))


def result_text(block: Mapping[str, Any]) -> str:
    """All text of a `tool_result` block, its parts joined by line ends."""
    content = block.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(part.get("text", "") for part in parts if part.get("type") == "text")


def count_block(block: Mapping[str, Any]) -> int:  # noqa: PLR0911 - one return a kind
    """The tokens of one content block, as it stands in a message."""
    kind = block.get("type")
    if kind == "text":
        return BLOCK_TOKENS + count_text(block["text"])
    if kind == "tool_use":
        return BLOCK_TOKENS + count_text(block["name"]) + count_text(compact_json(block["input"]))
    if kind == "tool_result":
        content = block.get("content")
        parts = content if isinstance(content, list) else []
        inner = sum(count_block(part) for part in parts if part.get("type") != "text")
        return BLOCK_TOKENS + count_text(result_text(block)) + inner
    if kind == "compaction":
        return BLOCK_TOKENS + count_text(block.get("content") or "")
    if kind == "image":
        return IMAGE_TOKENS
    if kind == "document":
        return DOCUMENT_TOKENS
    shown = {key: value for key, value in block.items() if key != "cache_control"}
    return BLOCK_TOKENS + count_text(compact_json(shown))


def streamed_json(value: object) -> str:
    """JSON as the model writes it: keys in the order of the plan, a space after each sign."""
    return json.dumps(value, ensure_ascii=False)


def lenient_json(text: str) -> JsonObject:
    """The object that a call's JSON describes; what was cut off is closed or left out.

    >>> lenient_json('{"a": 1, "b": "tw')
    {'a': 1, 'b': 'tw'}
    >>> lenient_json('{"a": 1, "b')
    {'a': 1}
    """
    for end in range(len(text), max(0, len(text) - _MOST_LEFT_OUT), -1):
        for closing in ("", '"', '"}', "}", "]}", '"]}', "}}", '"}}'):
            try:
                value = json.loads(text[:end] + closing)
            except ValueError:
                continue
            if isinstance(value, dict):
                return value
    return {}

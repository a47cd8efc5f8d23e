"""The simulated tokenizer: counts the tokens of texts, content blocks and tools."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from pydantic_core import from_json

JsonObject = dict[str, Any]
JsonMapping = Mapping[str, Any]

BLOCK_TOKENS: Final = 4
"""Overhead of each content block."""
USER_MESSAGE_TOKENS: Final = 3
"""Overhead of a user or system message; that of a reply is part of its `output_tokens`."""
TOOLS_TOKENS: Final = 250
"""System prompt that the API adds to a request with tools."""
TOOL_TOKENS: Final = 12
"""Overhead of each tool."""
_MEDIA_TOKENS: Final = {"image": 1_600, "document": 3_000}

_TOKEN: Final = re.compile(r" ?[A-Za-z]{1,7}|[0-9]{1,3}|\s+|[^\x00-\x7f]|[^\w\s]{1,2}|\w")


@lru_cache(maxsize=4096)
def count_text(text: str) -> int:
    """Return the tokens of a text.

    A token is up to seven letters with the space before them, up to three digits, a run of white
    space, one character outside ASCII, or up to two punctuation characters. That makes about 4
    characters a token for English prose, 3 for code and JSON, 1 for Chinese, and never more than
    one token a byte.

    >>> count_text("The answer is 42.")
    6
    """
    return len(_TOKEN.findall(text))


def cut_text(text: str, tokens: int) -> str:
    """Return the longest prefix of a text that has at most this many tokens."""
    if tokens <= 0:
        return ""
    for number, token in enumerate(_TOKEN.finditer(text), 1):
        if number == tokens:
            return text[: token.end()]
    return text


def canonical_json(value: object) -> str:
    """Return compact JSON with sorted keys, the form that is counted and hashed."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def without_cache_control(block: JsonMapping) -> JsonObject:
    """Return a block or tool without its cache breakpoint."""
    return {key: value for key, value in block.items() if key != "cache_control"}


def result_text(block: JsonMapping) -> str:
    """Return the text of a `tool_result` block, its parts joined by newlines."""
    content = block.get("content")
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content or () if part["type"] == "text")


def count_block(block: JsonMapping) -> int:
    """Return the tokens of a content block."""
    kind, content = block["type"], block.get("content")
    if kind in _MEDIA_TOKENS:
        return _MEDIA_TOKENS[kind]
    extra = 0
    match kind:
        case "text":
            text = block["text"]
        case "tool_use":
            text, extra = canonical_json(block["input"]), count_text(block["name"])
        case "tool_result":
            text, parts = result_text(block), content if isinstance(content, list) else []
            extra = sum(count_block(part) for part in parts if part["type"] != "text")
        case "compaction":
            text = content or ""
        case _:
            text = canonical_json(without_cache_control(block))
    return BLOCK_TOKENS + count_text(text) + extra


def parse_partial_json(text: str) -> JsonObject:
    """Return the object that a truncated tool input describes.

    >>> parse_partial_json('{"a": 1, "b": "tw')
    {'a': 1, 'b': 'tw'}
    >>> parse_partial_json('{"a": 1, "b')
    {'a': 1}
    """
    try:
        value = from_json(text, allow_partial="trailing-strings")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}

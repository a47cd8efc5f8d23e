"""How large the next prompt can be: a bound in tokens that needs no call of the API."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from budget_magic.loop.conversation import THINKING, Conversation
from budget_magic.tools.result import without_media

FIRST_REQUEST_TOKENS: Final = 2_000
"""Added to the bound of a request of unknown size: what the API puts around it."""
BLOCK_TOKENS: Final = 64
"""Added to the bound for each new block."""
MOST_IMAGE_TOKENS: Final = 5_000
"""More than the 4,784 to which the API scales the largest image (platform.claude.com, "Vision")."""
MOST_DOCUMENT_TOKENS: Final = 600 * 8_000
"""A PDF of 600 pages, each as text and as image: more than fits, so that it is always counted."""


def prompt_bound(
    conversation: Conversation, extra: list[dict[str, Any]], *, preamble: object
) -> int:
    """Return an upper bound of the next prompt in tokens.

    `extra` are blocks to be sent after the conversation. `preamble`, the tools and system prompt,
    counts only if nothing is known of an earlier prompt.
    """
    baseline = conversation.baseline
    new = conversation.blocks_since(0 if baseline is None else baseline.messages)
    bound = sum(map(_bound_tokens, new + extra))
    if baseline is None:
        unseen = FIRST_REQUEST_TOKENS + conversation.hidden_tokens
        return unseen + len(_json(preamble)) + bound
    return baseline.prompt_tokens + baseline.reply_tokens + bound


def text_bytes(messages: Sequence[Mapping[str, Any]]) -> int:
    """Return the size of the text of messages, as UTF-8; thinking may be left out of a prompt."""
    said = [
        without_media(block)[0]
        for message in messages
        for block in message["content"]
        if block["type"] not in THINKING
    ]
    return len(_json(said))


def _bound_tokens(block: dict[str, Any]) -> int:
    """Return an upper bound of a new block: one token per UTF-8 byte, and its media."""
    text, images, documents = without_media(block)
    media = images * MOST_IMAGE_TOKENS + documents * MOST_DOCUMENT_TOKENS
    return len(_json(text)) + BLOCK_TOKENS + media


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")

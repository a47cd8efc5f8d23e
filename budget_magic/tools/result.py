"""Results of tools: content blocks, checked, redacted and shortened before they are sent."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from budget_magic.characters import without_lone_surrogates
from budget_magic.errors import ToolRefusal
from budget_magic.tools.redactor import Redactor
from budget_magic.tools.text import capped

Block = dict[str, Any]

RESULT_CAP_BYTES: Final = 20_000
"""Text of one result, as UTF-8."""
MAX_MEDIA_CHARACTERS: Final = {"image": 5 * 2**20, "document": 20 * 2**20}
"""Base64 of one block (the limits of the SDK's agent toolset, anthropic 2.12)."""
MEDIA_SIGNATURES: Final = {
    ("image", "image/png"): b"\x89PNG\r\n\x1a\n",
    ("image", "image/jpeg"): b"\xff\xd8\xff",
    ("image", "image/gif"): b"GIF8",
    ("image", "image/webp"): b"RIFF",
    ("document", "application/pdf"): b"%PDF-",
}
"""What the API takes in base64, and how each begins."""
EMPTY: Final = "done, returned an empty text"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a tool returns, such as `ToolResult(content=[image_block(png)], summary="a plot")`."""

    content: str | Sequence[Block]
    """Blocks of `text_block`, `image_block` and `document_block`."""
    summary: str = ""
    """What views show in place of the content; empty shows its text, and what media it holds."""
    is_error: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolAnswer:
    """The answer to one call, as it is sent and kept."""

    content: str | tuple[Block, ...]
    """A string if the result is a single text."""
    summary: str = ""
    """What views show; empty if they show the content itself, which is a text."""
    is_error: bool = False
    cut_bytes: int = 0
    """UTF-8 bytes left out of texts to keep the cap."""


def text_block(text: str) -> Block:
    """Return a text as a content block."""
    return {"type": "text", "text": without_lone_surrogates(text)}


def image_block(data: bytes, media_type: str = "image/png") -> Block:
    """Return a PNG, JPEG, GIF or WebP image as a content block."""
    return _base64_block("image", media_type, base64.b64encode(data).decode())


def document_block(document: bytes | str, title: str = "") -> Block:
    """Return a PDF, or a plain text given as `str`, as a content block."""
    if isinstance(document, str):
        text = without_lone_surrogates(document)
        source = {"type": "text", "media_type": "text/plain", "data": text}
        return _titled({"type": "document", "source": source}, title)
    encoded = base64.b64encode(document).decode()
    return _titled(_base64_block("document", "application/pdf", encoded), title)


def to_answer(
    output: str | ToolResult, redactor: Redactor, cap_bytes: int = RESULT_CAP_BYTES
) -> ToolAnswer:
    """Return a result as it is sent: redacted first, so that no cut splits a secret.

    Raise `ToolRefusal` if a block is malformed, too large, or of a kind that the API refuses.
    """
    result = output if isinstance(output, ToolResult) else ToolResult(content=output)
    redactor.refresh()
    given = result.content
    blocks = [text_block(given)] if isinstance(given, str) else map(_checked, given)
    sent, cut_bytes = _shortened([_redacted(block, redactor) for block in blocks], cap_bytes)
    is_text = len(sent) == 1 and sent[0]["type"] == "text"
    summary = redactor.redact(without_lone_surrogates(result.summary))
    if not summary and not is_text:
        summary = "\n".join(map(_shown, sent))
    return ToolAnswer(
        content=sent[0]["text"] if is_text else sent,
        summary=capped(summary, cap_bytes)[0],
        is_error=result.is_error,
        cut_bytes=cut_bytes,
    )


def without_media(block: Mapping[str, Any]) -> tuple[Block, int, int]:
    """Return a block without base64 data, and how many images and PDFs it held.

    >>> without_media(image_block(b""))
    ({'type': 'image'}, 1, 0)
    """
    content = block.get("content")
    if isinstance(content, list | tuple):
        parts = [without_media(part) for part in content]
        kept = {**block, "content": [part for part, _, _ in parts]}
        return kept, sum(part[1] for part in parts), sum(part[2] for part in parts)
    kind = _media_kind(block)
    if kind is None:
        return dict(block), 0, 0
    left = {key: value for key, value in block.items() if key != "source"}
    return left, int(kind == "image"), int(kind == "document")


def _base64_block(kind: str, media_type: str, data: str) -> Block:
    return {"type": kind, "source": {"type": "base64", "media_type": media_type, "data": data}}


def _titled(block: Block, title: object) -> Block:
    is_given = isinstance(title, str) and title
    return {**block, "title": without_lone_surrogates(str(title))} if is_given else block


def _media_kind(block: Mapping[str, Any]) -> str | None:
    """Return `image` or `document` if a block holds base64 data, otherwise None."""
    source = block.get("source")
    is_media = isinstance(source, dict) and source.get("type") == "base64"
    return str(block["type"]) if is_media else None


def _checked(block: Any) -> Block:
    """Return a block, reduced to the fields that the API knows."""
    match block:
        case {"type": "text", "text": str(text)}:
            return text_block(text)
        case {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": str(text)},
        }:
            return document_block(text, block.get("title", ""))
        case {
            "type": ("image" | "document") as kind,
            "source": {"type": "base64", "media_type": str(media_type), "data": str(data)},
        } if (kind, media_type) in MEDIA_SIGNATURES:
            _check_media(kind, media_type, data)
            return _titled(_base64_block(kind, media_type, data), block.get("title"))
        case _:
            raise ToolRefusal(
                "the tool returned a content block of an unsupported kind; use text, images"
                " (PNG, JPEG, GIF, WebP) and documents (PDF, plain text) in base64"
            )


def _check_media(kind: str, media_type: str, data: str) -> None:
    limit, told = MAX_MEDIA_CHARACTERS[kind], f"the tool returned media ({media_type})"
    if len(data) > limit:
        size = f"{len(data):,} characters in base64"
        raise ToolRefusal(f"{told} of {size}; at most {limit:,} can be sent")
    try:
        start = binascii.a2b_base64(data, strict_mode=True)[:16]
    except ValueError:
        start = b""
    if not start.startswith(MEDIA_SIGNATURES[kind, media_type]):
        raise ToolRefusal(f"{told} whose data is of another kind, or not base64")


def _redacted(block: Block, redactor: Redactor) -> Block:
    """Return a block without secrets; an image or PDF that holds one is replaced by a note."""
    if _media_kind(block) is None:
        return redactor.redact(block)
    held = " and ".join(f"[secret {name}]" for name in redactor.names_in(block))
    return text_block(f"[{block['type']} left out: it holds {held}]") if held else block


def _shortened(blocks: Iterable[Block], cap_bytes: int) -> tuple[tuple[Block, ...], int]:
    """Return the blocks with their texts within the cap, and how many bytes were left out."""
    kept, cut_bytes, left = list[Block](), 0, cap_bytes
    for block in blocks:
        if _media_kind(block) is not None:
            kept.append(block)
            continue
        holder, key = (block, "text") if block["type"] == "text" else (block["source"], "data")
        holder[key], cut = capped(holder[key], left)
        cut_bytes += cut
        left -= len(holder[key].encode())
        if holder[key]:
            kept.append(block)
    return tuple(kept) or (text_block(EMPTY),), cut_bytes


def _shown(block: Block) -> str:
    """Return what views show of a block."""
    if block["type"] == "text":
        return str(block["text"])
    source, title = block["source"], block.get("title")
    size = len(source["data"])
    if source["type"] == "base64":
        size = size * 3 // 4 - source["data"].count("=", -2)
    named = f" {title!r}" if title else ""
    return f"[{block['type']}{named}: {source['media_type']}, {size:,} bytes]"

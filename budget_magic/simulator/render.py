"""From the plan of a reply to its blocks: counted, cut by `max_tokens`, stop sequences, context."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from budget_magic.simulator import tokens
from budget_magic.simulator.prompt import block_digest
from budget_magic.simulator.reply import Reply
from budget_magic.simulator.request import Request
from budget_magic.simulator.signatures import sign
from budget_magic.simulator.tokens import JsonObject

_MOST_RAW_PER_SUMMARY: Final = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One generated block."""

    kind: str
    """`thinking`, `text`, `tool_use` or `compaction`."""
    shown: str
    """Its text, or the JSON of a call's input, possibly cut."""
    tokens: int
    name: str = ""
    id: str = ""
    signature: str = ""
    result_tokens: int | None = None
    is_cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A reply as it is streamed and billed."""

    id: str
    parts: tuple[Part, ...]
    output_tokens: int
    stop_reason: str
    stop_sequence: str | None
    stop_details: JsonObject | None

    @property
    def thinking_tokens(self) -> int:
        """Raw tokens of all thinking."""
        return sum(part.tokens for part in self.parts if part.kind == "thinking")


def draw(  # noqa: PLR0913 - what a reply depends on
    reply: Reply, request: Request, *, digest: bytes, prompt_tokens: int, seed: int, used: int
) -> Drawn:
    """The blocks of a reply.

    Parameters
    ----------
    reply
        The plan.
    request
        What it answers.
    digest
        Of the conversation before the reply.
    prompt_tokens
        Size of the prompt, for the context window.
    seed
        Decides how long the raw thinking behind a summary is, and the ids.
    used
        What is used of the task budget, for a summary to carry on.
    """
    if request.sent.compaction is not None:
        reply = Reply(text=reply.text, stop_reason="compaction", output_tokens=reply.output_tokens)
    parts = _pinned(_parts(reply, request, digest, seed), reply.output_tokens)
    parts, stop_sequence = _stopped(parts, request.sent.stop_sequences)
    calls = any(part.kind == "tool_use" for part in parts)
    reason = reply.stop_reason or ("tool_use" if calls else "end_turn")
    if stop_sequence is not None:
        reason = "stop_sequence"
    room = request.model.context_tokens - prompt_tokens
    limit = min(request.sent.max_tokens, room)
    wanted = max(1, sum(part.tokens for part in parts))
    if wanted > limit:
        parts, wanted, stop_sequence = _cut(parts, limit), limit, None
        reason = (
            "max_tokens" if request.sent.max_tokens <= room else "model_context_window_exceeded"
        )
    details = None
    if reason == "refusal":
        details = {"type": "refusal", "category": reply.refusal_category, "explanation": None}
    return Drawn(
        id=f"msg_sim_{_id(digest, seed, 0)}",
        parts=tuple(
            _signed(parts, request, digest)
            if request.sent.compaction is None
            else _as_summary(parts, request, digest, used)
        ),
        output_tokens=wanted,
        stop_reason=reason,
        stop_sequence=stop_sequence,
        stop_details=details,
    )


def block_json(part: Part) -> JsonObject:
    """The content block as it stands in a message."""
    if part.kind == "thinking":
        return {"type": "thinking", "thinking": part.shown, "signature": part.signature}
    if part.kind == "text":
        return {"type": "text", "text": part.shown}
    if part.kind == "compaction":
        return {
            "type": "compaction",
            "content": part.shown,
            "encrypted_content": part.id,
            "signature": part.signature,
        }
    return {
        "type": "tool_use",
        "id": part.id,
        "name": part.name,
        "input": tokens.lenient_json(part.shown),
    }


def _id(digest: bytes, seed: int, place: int) -> str:
    return hashlib.blake2b(digest + f"{seed}/{place}".encode(), digest_size=11).hexdigest()


def _parts(reply: Reply, request: Request, digest: bytes, seed: int) -> list[Part]:
    parts = []
    if request.thinks and (reply.thinking or reply.thinking_tokens):
        ratio = random.Random(f"{seed}/{digest.hex()}").uniform(1, _MOST_RAW_PER_SUMMARY)  # noqa: S311 - reproducible
        raw = reply.thinking_tokens
        if raw is None:
            raw = tokens.BLOCK_TOKENS + round(tokens.count_text(reply.thinking) * ratio)
        hidden = request.thinking.display == "omitted"
        shown = "" if hidden else reply.thinking or "(thinking)"
        parts.append(Part(kind="thinking", shown=shown, tokens=raw))
    if reply.text:
        count = tokens.count_block({"type": "text", "text": reply.text})
        parts.append(Part(kind="text", shown=reply.text, tokens=count))
    share, rest = divmod(reply.result_tokens or 0, max(1, len(reply.calls)))
    for place, call in enumerate(reply.calls):
        count = tokens.count_block({"type": "tool_use", "name": call.name, "input": call.input})
        pinned = call.result_tokens
        if pinned is None and reply.result_tokens is not None:
            pinned = share + (rest if place == 0 else 0)
        parts.append(
            Part(
                kind="tool_use",
                shown=tokens.streamed_json(call.input),
                tokens=count,
                name=call.name,
                id=f"toolu_sim_{_id(digest, seed, place + 1)}",
                result_tokens=pinned,
            )
        )
    return parts


def _pinned(parts: list[Part], wanted: int | None) -> list[Part]:
    """The parts with counts that add up to a pinned sum: thinking or text takes the rest."""
    total = sum(part.tokens for part in parts)
    if wanted is None or not parts or wanted == total:
        return parts
    kinds = [part.kind for part in parts]
    taker = next(kinds.index(kind) for kind in ("thinking", "text", "tool_use") if kind in kinds)
    counts = [part.tokens for part in parts]
    counts[taker] += wanted - total
    if counts[taker] < 1:
        counts = [wanted * part.tokens // total for part in parts]
        counts[taker] += wanted - sum(counts)
    return [replace(part, tokens=count) for part, count in zip(parts, counts, strict=True)]


def _stopped(parts: list[Part], sequences: Sequence[str]) -> tuple[list[Part], str | None]:
    for place, part in enumerate(parts):
        if part.kind != "text":
            continue
        found = [(part.shown.find(stop), stop) for stop in sequences if stop in part.shown]
        if found:
            at, stop = min(found)
            kept = round(part.tokens * (at + len(stop)) / len(part.shown))
            cut = replace(part, shown=part.shown[:at], tokens=max(1, kept))
            return [*parts[:place], *([cut] if cut.shown.strip() else [])], stop
    return parts, None


def _cut(parts: list[Part], limit: int) -> list[Part]:
    """The parts that fit, the last one cut in the middle; its count makes up the whole limit."""
    kept: list[Part] = []
    left = limit
    for part in parts:
        if part.tokens <= left:
            kept.append(part)
            left -= part.tokens
            continue
        if left > 0:
            cut = replace(part, shown=_start_of(part, left), tokens=left, is_cut=True)
            if cut.kind != "text" or cut.shown.strip():
                kept.append(cut)
        break
    return kept


def _start_of(part: Part, left: int) -> str:
    honest = part.tokens == tokens.count_block({"type": "text", "text": part.shown})
    if part.kind == "text" and honest:
        return tokens.cut_text(part.shown, left - tokens.BLOCK_TOKENS)
    return part.shown[: len(part.shown) * left // part.tokens]


def _signed(parts: list[Part], request: Request, digest: bytes) -> list[Part]:
    """The parts with signatures on the thinking, except on thinking that was cut off."""
    signed = []
    for part in parts:
        made = part
        if part.kind == "thinking" and not part.is_cut:
            made = replace(part, signature=sign(request.model.id, digest, part.tokens))
        signed.append(made)
        digest = block_digest(digest, "assistant", block_json(made))
    return signed


def _as_summary(parts: list[Part], request: Request, digest: bytes, used: int) -> list[Part]:
    """The text as a signed block that a later request sends in place of the conversation."""
    signature = sign(request.model.id, digest, max(0, used))
    opaque = f"sim_{_id(digest, used, 0)}"
    return [replace(part, kind="compaction", id=opaque, signature=signature) for part in parts]

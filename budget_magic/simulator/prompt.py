"""A request as the model reads it: blocks in order, each with its tokens and a running digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from budget_magic.simulator import tokens
from budget_magic.simulator.memory import Memory
from budget_magic.simulator.refusal import Refused
from budget_magic.simulator.request import JsonMapping, Message, Request, cache_ttl
from budget_magic.simulator.signatures import follows, made_by, read_signature
from budget_magic.simulator.tokens import JsonObject

START: Final = hashlib.blake2b(b"start", digest_size=20).digest()
MAX_BREAKPOINTS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One block of the prompt."""

    digest: bytes
    """Of everything up to and with this block, cache marks left out."""
    tokens: int
    ttl: str | None
    """Time to live of a cache breakpoint here; None where there is none."""
    kind: str
    message: int | None
    """Place of its message; None for tools and system."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """All blocks of a request, in cache order: tools, system, messages."""

    segments: tuple[Segment, ...]
    transformations: tuple[JsonObject, ...]
    """What `input_transformations` reports."""

    @property
    def tokens(self) -> int:
        """Size of the whole prompt."""
        return sum(segment.tokens for segment in self.segments)

    @property
    def digest(self) -> bytes:
        """Of the whole conversation."""
        return self.segments[-1].digest


def extend(digest: bytes, *parts: str) -> bytes:
    """The digest of a conversation with one more block."""
    hasher = hashlib.blake2b(digest, digest_size=20)
    for part in parts:
        raw = part.encode()
        hasher.update(len(raw).to_bytes(8, "big"))
        hasher.update(raw)
    return hasher.digest()


def block_digest(digest: bytes, role: str, block: JsonMapping) -> bytes:
    """The digest of a conversation with this block at its end.

    Only what the model reads takes part, so that a client may add null fields; of a thinking block
    only the signature does, as its shown text may be empty.
    """
    kind = block["type"]
    if kind == "text":
        return extend(digest, role, kind, block["text"])
    if kind == "thinking":
        return extend(digest, role, kind, block["signature"])
    if kind == "tool_use":
        shown: Any = [block["id"], block["name"], block["input"]]
    elif kind == "tool_result":
        content = block.get("content")
        if isinstance(content, list):
            content = [_bare(part) for part in content]
            if len(content) == 1 and content[0].get("type") == "text":
                content = content[0]["text"]
        shown = [block["tool_use_id"], content or "", bool(block.get("is_error"))]
    elif kind == "compaction":
        shown = [block.get("content"), block["signature"]]
    else:
        shown = _bare(block)
    return extend(digest, role, kind, tokens.compact_json(shown))


def build_prompt(request: Request, memory: Memory, pinned: int | None = None) -> Prompt:
    """The prompt of a request.

    Parameters
    ----------
    request
        A checked request.
    memory
        Counts of earlier replies and of their results.
    pinned
        What everything before the first reply counts, whatever it says; None counts it honestly.

    Raises
    ------
    Refused
        A thinking block is not signed, or signed for another conversation, or there are too many
        cache breakpoints.
    """
    builder = _Builder(request, memory)
    builder.tools_and_system()
    for message in request.messages:
        builder.message(message)
    segments = builder.segments
    if pinned is not None:
        segments = _pin_start(segments, request, pinned)
    segments = _top_level_breakpoint(segments, request)
    _check_breakpoints(segments)
    return Prompt(segments=tuple(segments), transformations=tuple(builder.transformations))


class _Builder:
    def __init__(self, request: Request, memory: Memory) -> None:
        self.request = request
        self.memory = memory
        self.segments: list[Segment] = []
        self.transformations: list[JsonObject] = []
        self.digest = START
        self._dropping = False

    def tools_and_system(self) -> None:
        for place, tool in enumerate(self.request.sent.tools):
            self.digest = extend(self.digest, "tool", tokens.compact_json(_bare(tool)))
            standing = 0 if place else tokens.TOOLS_TOKENS
            self._add(
                tokens.count_tool(tool) + standing,
                "tool",
                cache_ttl(tool.get("cache_control")),
                None,
            )
        for block in self.request.sent.system:
            self.digest = block_digest(self.digest, "system prompt", block)
            self._add(
                tokens.count_block(block), "system", cache_ttl(block.get("cache_control")), None
            )

    def message(self, message: Message) -> None:
        marks = 0 if message.role == "assistant" else tokens.USER_MESSAGE_TOKENS
        if message.effort is not None and not message.blocks:
            self.digest = extend(self.digest, "system", "effort", message.effort)
            self._add(marks, "effort", None, message.index)
        for place, block in enumerate(message.blocks):
            count = self._count(message, place, block)
            if block.get("tool_use_id") not in self.memory.result_tokens:
                count, marks = count + marks, 0
            self._add(count, block["type"], cache_ttl(block.get("cache_control")), message.index)

    def _count(self, message: Message, place: int, block: JsonMapping) -> int:
        before = self.digest
        self.digest = block_digest(self.digest, message.role, block)
        kind = block["type"]
        if kind == "thinking":
            return self._thinking(block, before, f"messages.{message.index}.content.{place}")
        self._dropping = False
        if kind == "compaction" and read_signature(block["signature"]) is None:
            where = f"messages.{message.index}.content.{place}"
            raise Refused(f"{where}: Invalid `signature` in `compaction` block")
        if kind == "tool_result":
            pinned = self.memory.result_tokens.get(block["tool_use_id"])
            return tokens.count_block(block) if pinned is None else pinned
        if message.role == "assistant":
            known = self.memory.block_tokens.get(self.digest)
            return tokens.count_block(block) if known is None else known
        return tokens.count_block(block)

    def _thinking(self, block: JsonMapping, before: bytes, where: str) -> int:
        signed = read_signature(block["signature"])
        if signed is None:
            raise Refused(f"{where}: Invalid `signature` in `thinking` block")
        if not made_by(signed, self.request.model.id):
            return self._drop(where, "model_binding_mismatch")
        matches = follows(signed, before) and not self._dropping
        if self.request.model.binds_thinking and not matches:
            if not self.request.thinking.drops_mismatches:
                raise Refused(
                    f"{where}: Invalid `signature` in `thinking` block. The block is bound to a"
                    " different conversation. Remove the block, or set"
                    ' `thinking.block_binding.prefix_mismatch_behavior` to "drop_block".'
                )
            self._dropping = True
            return self._drop(where, "prefix_binding_mismatch")
        return signed.tokens

    def _drop(self, where: str, reason: str) -> int:
        dropped = {"type": "thinking_dropped", "path": where, "reason": reason}
        self.transformations.append(dropped)
        return 0

    def _add(self, count: int, kind: str, ttl: str | None, message: int | None) -> None:
        segment = Segment(digest=self.digest, tokens=count, ttl=ttl, kind=kind, message=message)
        self.segments.append(segment)


def _bare(block: JsonMapping) -> JsonObject:
    return {key: value for key, value in block.items() if key != "cache_control"}


def _replace(segment: Segment, *, count: int | None = None, ttl: str | None = None) -> Segment:
    return Segment(
        digest=segment.digest,
        tokens=segment.tokens if count is None else count,
        ttl=ttl or segment.ttl,
        kind=segment.kind,
        message=segment.message,
    )


def _pin_start(segments: list[Segment], request: Request, pinned: int) -> list[Segment]:
    replies = [message.index for message in request.messages if message.role == "assistant"]
    first_reply = replies[0] if replies else len(request.messages)
    start = [
        segment for segment in segments if segment.message is None or segment.message < first_reply
    ]
    emptied = [_replace(segment, count=0) for segment in start[:-1]]
    return [*emptied, _replace(start[-1], count=pinned), *segments[len(start) :]]


def _top_level_breakpoint(segments: list[Segment], request: Request) -> list[Segment]:
    """The breakpoints with the top-level one on the last block that can carry it."""
    ttl = cache_ttl(request.sent.cache_control)
    if ttl is None:
        return segments
    for place in range(len(segments) - 1, -1, -1):
        if segments[place].kind in ("thinking", "redacted_thinking", "effort"):
            continue
        given = segments[place].ttl
        if given is not None and given != ttl:
            raise Refused("cache_control: the last block has a breakpoint with another ttl")
        marked = _replace(segments[place], ttl=ttl)
        return [*segments[:place], marked, *segments[place + 1 :]]
    return segments


def _check_breakpoints(segments: list[Segment]) -> None:
    ttls = [segment.ttl for segment in segments if segment.ttl is not None]
    if len(ttls) > MAX_BREAKPOINTS:
        raise Refused(
            f"A maximum of {MAX_BREAKPOINTS} blocks with cache_control may be provided."
            f" Found {len(ttls)}."
        )
    if "5m" in ttls and "1h" in ttls[ttls.index("5m") :]:
        raise Refused(
            "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block"
        )

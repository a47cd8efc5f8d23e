"""A request as the model reads it: blocks in order, each with its tokens and a running digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

from budget_magic.simulator import tokens
from budget_magic.simulator.errors import ApiError
from budget_magic.simulator.message_schema import Message, cache_ttl
from budget_magic.simulator.request import Request
from budget_magic.simulator.signatures import read_signature
from budget_magic.simulator.tokens import JsonMapping, JsonObject, without_cache_control

_START: Final = hashlib.blake2b(b"start", digest_size=20).digest()
_MAX_BREAKPOINTS: Final = 4
_WITHOUT_BREAKPOINT: Final = ("thinking", "redacted_thinking", "effort")


@dataclass(slots=True)
class ReplyMemory:
    """Token counts of earlier replies, so that they count the same when sent back."""

    block_tokens: dict[bytes, int] = field(default_factory=dict)
    """Tokens of generated blocks, by digest of the conversation up to and including the block."""
    result_tokens: dict[str, int] = field(default_factory=dict)
    """Fixed token counts of tool results, by id of their call."""
    paused: set[bytes] = field(default_factory=set)
    """Digests of conversations that end with a `pause_turn` reply, which may be sent back as is."""


@dataclass(slots=True, kw_only=True)
class Segment:
    """One block of the prompt."""

    digest: bytes
    """Digest of everything up to and including this block, cache breakpoints left out."""
    tokens: int
    ttl: str | None
    """Time to live of a cache breakpoint here; None without one."""
    kind: str
    message: int | None
    """Index of its message; None for tools and the system prompt."""


class Prompt:
    """All blocks of a request, in cache order: tools, system prompt, messages.

    `start_tokens` fixes the count before the first reply.

    Raises
    ------
    ApiError
        A thinking block is unsigned or signed for another conversation, or there are too many
        cache breakpoints.
    """

    def __init__(
        self, request: Request, memory: ReplyMemory, start_tokens: int | None = None
    ) -> None:
        self.request = request
        self.digest = _START
        """Digest of the whole conversation."""
        self.segments: list[Segment] = []
        self.transformations: list[JsonObject] = []
        """`input_transformations` of the reply."""
        self._memory = memory
        self._drops_thinking = False
        self._add_tools_and_system()
        for index, message in enumerate(request.body.messages):
            self._add_message(index, message)
        if start_tokens is not None:
            roles = [message.role for message in request.body.messages]
            first_reply = [*roles, "assistant"].index("assistant")
            before = [one.message is None or one.message < first_reply for one in self.segments]
            start = self.segments[: before.count(True)]
            for segment in start:
                segment.tokens = 0
            if start:
                start[-1].tokens = start_tokens
        self._finish_breakpoints(cache_ttl(request.body.cache_control))

    @property
    def tokens(self) -> int:
        """Size of the whole prompt."""
        return sum(segment.tokens for segment in self.segments)

    def check(self) -> None:
        """Raise `ApiError` if it is too long or ends with an assistant message."""
        most = self.request.model.context_tokens
        if self.tokens > most:
            raise ApiError(f"prompt is too long: {self.tokens} tokens > {most} maximum")
        body = self.request.body
        last_role = [one.role for one in body.messages if one.role != "system"][-1]
        is_prefill = last_role == "assistant" and self.digest not in self._memory.paused
        if is_prefill and body.compaction is None:
            raise ApiError(
                "This model does not support assistant message prefill. The conversation must end"
                " with a user message."
            )

    def _add_tools_and_system(self) -> None:
        overhead = tokens.TOOLS_TOKENS
        for tool in self.request.body.tools:
            definition = tokens.canonical_json(without_cache_control(tool))
            self.digest = extend_digest(self.digest, "tool", definition)
            count = overhead + tokens.TOOL_TOKENS + tokens.count_text(definition)
            self._add("tool", count, tool.get("cache_control"))
            overhead = 0
        for block in self.request.body.system:
            self.digest = block_digest(self.digest, "system prompt", block)
            self._add("system", tokens.count_block(block), block.get("cache_control"))

    def _add_message(self, index: int, message: Message) -> None:
        overhead = 0 if message.role == "assistant" else tokens.USER_MESSAGE_TOKENS
        if message.effort is not None and not message.content:
            self.digest = extend_digest(self.digest, "system", "effort", message.effort)
            self._add("effort", overhead, None, index)
        for position, block in enumerate(message.content):
            count = self._count(message.role, block, f"messages.{index}.content.{position}")
            if block.get("tool_use_id") not in self._memory.result_tokens:
                count, overhead = count + overhead, 0
            self._add(block["type"], count, block.get("cache_control"), index)

    def _add(
        self, kind: str, count: int, cache_control: JsonMapping | None, message: int | None = None
    ) -> None:
        ttl = cache_ttl(cache_control)
        segment = Segment(digest=self.digest, tokens=count, ttl=ttl, kind=kind, message=message)
        self.segments.append(segment)

    def _count(self, role: str, block: JsonMapping, where: str) -> int:
        before = self.digest
        self.digest = block_digest(before, role, block)
        kind = block["type"]
        if kind == "thinking":
            return self._count_thinking(block, before, where)
        self._drops_thinking = False
        if kind == "compaction" and read_signature(block["signature"]) is None:
            raise ApiError(f"{where}: Invalid `signature` in `compaction` block")
        known = None
        if kind == "tool_result":
            known = self._memory.result_tokens.get(block["tool_use_id"])
        elif role == "assistant":
            known = self._memory.block_tokens.get(self.digest)
        return tokens.count_block(block) if known is None else known

    def _count_thinking(self, block: JsonMapping, before: bytes, where: str) -> int:
        model, signature = self.request.model, read_signature(block["signature"])
        if signature is None:
            raise ApiError(f"{where}: Invalid `signature` in `thinking` block")
        if not signature.is_by(model.id):
            reason = "model_binding_mismatch"
        elif not model.binds_thinking or (signature.follows(before) and not self._drops_thinking):
            return signature.tokens
        elif self.request.thinking.drops_mismatches:
            self._drops_thinking = True
            reason = "prefix_binding_mismatch"
        else:
            raise ApiError(
                f"{where}: Invalid `signature` in `thinking` block. The block is bound to a"
                " different conversation. Remove the block, or set"
                ' `thinking.block_binding.prefix_mismatch_behavior` to "drop_block".'
            )
        dropped = {"type": "thinking_dropped", "path": where, "reason": reason}
        self.transformations.append(dropped)
        return 0

    def _finish_breakpoints(self, top_level_ttl: str | None) -> None:
        """Add the top-level breakpoint to the last segment that can have one; check them all."""
        able = [one for one in self.segments if one.kind not in _WITHOUT_BREAKPOINT]
        if top_level_ttl is not None and able:
            if able[-1].ttl not in (None, top_level_ttl):
                raise ApiError("cache_control: the last block has a breakpoint with another ttl")
            able[-1].ttl = top_level_ttl
        ttls = [segment.ttl for segment in self.segments if segment.ttl is not None]
        if len(ttls) > _MAX_BREAKPOINTS:
            raise ApiError(
                f"A maximum of {_MAX_BREAKPOINTS} blocks with cache_control may be provided."
                f" Found {len(ttls)}."
            )
        if "5m" in ttls and "1h" in ttls[ttls.index("5m") :]:
            raise ApiError(
                "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block"
            )


def extend_digest(digest: bytes, *parts: str) -> bytes:
    """Return the digest of a conversation with one more block."""
    hasher = hashlib.blake2b(digest, digest_size=20)
    for part in parts:
        raw = part.encode()
        hasher.update(len(raw).to_bytes(8, "big") + raw)
    return hasher.digest()


def block_digest(digest: bytes, role: str, block: JsonMapping) -> bytes:
    """Return the digest of a conversation with this block at its end.

    Only what the model reads is hashed, so that a client may add null fields. For a thinking block
    this is the signature, as its shown text may be empty.
    """
    kind = block["type"]
    content: Any
    match kind:
        case "text":
            return extend_digest(digest, role, kind, block["text"])
        case "thinking":
            return extend_digest(digest, role, kind, block["signature"])
        case "tool_use":
            content = [block["id"], block["name"], block["input"]]
        case "tool_result":
            result: Any = [without_cache_control(part) for part in block.get("content") or ()]
            if len(result) == 1 and result[0]["type"] == "text":
                result = result[0]["text"]
            content = [block["tool_use_id"], result or "", bool(block.get("is_error"))]
        case "compaction":
            content = [block.get("content"), block["signature"]]
        case _:
            content = without_cache_control(block)
    return extend_digest(digest, role, kind, tokens.canonical_json(content))

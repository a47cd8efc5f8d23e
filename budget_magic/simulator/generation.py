"""Turn the reply of a scene into content blocks: counted, signed, and cut at the limits."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from budget_magic.simulator import tokens
from budget_magic.simulator.prompt import Prompt, ReplyMemory, block_digest
from budget_magic.simulator.scenes.scene import Reply
from budget_magic.simulator.signatures import sign
from budget_magic.simulator.tokens import JsonObject

_MAX_RAW_PER_SUMMARY: Final = 8.0
"""Most tokens of raw thinking for each token of its summary."""


@dataclass(slots=True, kw_only=True)
class Block:
    """One generated content block."""

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

    def to_json(self) -> JsonObject:
        """Return the content block of a message."""
        match self.kind:
            case "thinking":
                return {"type": "thinking", "thinking": self.shown, "signature": self.signature}
            case "text":
                return {"type": "text", "text": self.shown}
            case "compaction":
                signed = {"encrypted_content": self.id, "signature": self.signature}
                return {"type": "compaction", "content": self.shown, **signed}
            case _:
                arguments = tokens.parse_partial_json(self.shown)
                return {"type": "tool_use", "id": self.id, "name": self.name, "input": arguments}


class GeneratedReply:
    """The reply that a scene planned, as it is streamed and billed.

    `seed` decides the ids and the length of the raw thinking; a compaction block records
    `used_tokens`, the part of the task budget that is used up.
    """

    def __init__(self, plan: Reply, prompt: Prompt, *, seed: int, used_tokens: int) -> None:
        self.plan, self.prompt = plan, prompt
        body, model = prompt.request.body, prompt.request.model
        if body.compaction is not None:
            plan = Reply(text=plan.text, stop_reason="compaction", output_tokens=plan.output_tokens)
        self.id = f"msg_sim_{_hash_id(prompt, seed, 0)}"
        self.blocks = _plan_blocks(plan, prompt, seed)
        if plan.output_tokens is not None:
            self._adjust_counts(plan.output_tokens)
        stop_sequence = self._apply_stop_sequences(body.stop_sequences)
        calls = any(block.kind == "tool_use" for block in self.blocks)
        reason = plan.stop_reason or ("tool_use" if calls else "end_turn")
        if stop_sequence is not None:
            reason = "stop_sequence"
        self.output_tokens = max(1, sum(block.tokens for block in self.blocks))
        room = model.context_tokens - prompt.tokens
        if self.output_tokens > min(body.max_tokens, room):
            self.output_tokens, stop_sequence = min(body.max_tokens, room), None
            self._cut(self.output_tokens)
            is_full = body.max_tokens > room
            reason = "model_context_window_exceeded" if is_full else "max_tokens"
        details = None
        if reason == "refusal":
            category, explanation = plan.refusal_category, plan.refusal_explanation
            details = {"type": "refusal", "category": category, "explanation": explanation}
        ending = {"stop_reason": reason, "stop_sequence": stop_sequence, "stop_details": details}
        self.ending: JsonObject = ending
        if body.compaction is None:
            self._sign_thinking()
        else:
            self._turn_into_summary(used_tokens)
        self.thinking_tokens = sum(one.tokens for one in self.blocks if one.kind == "thinking")
        """Tokens of all raw thinking."""

    def remember(self, memory: ReplyMemory) -> None:
        """Store the token counts, so that the reply counts the same when it is sent back."""
        digest = self.prompt.digest
        for block in self.blocks:
            digest = block_digest(digest, "assistant", block.to_json())
            memory.block_tokens[digest] = block.tokens
            if block.result_tokens is not None:
                memory.result_tokens[block.id] = block.result_tokens
        if self.ending["stop_reason"] == "pause_turn":
            memory.paused.add(digest)

    def _adjust_counts(self, total: int) -> None:
        """Make the counts of the blocks add up to `total`.

        Thinking takes the difference, else text, else the first call. If that is not enough, all
        blocks are scaled.
        """
        counted = sum(block.tokens for block in self.blocks)
        if not self.blocks or total == counted:
            return
        taker = self.blocks[0]  # they are planned in this order
        if taker.tokens + total - counted < 1:
            for block in self.blocks:
                block.tokens = total * block.tokens // counted
        taker.tokens += total - sum(block.tokens for block in self.blocks)

    def _apply_stop_sequences(self, sequences: Sequence[str]) -> str | None:
        """Cut the blocks at the first stop sequence in a text; return it."""
        for place, block in enumerate(self.blocks):
            found = [(block.shown.find(stop), stop) for stop in sequences if stop in block.shown]
            if block.kind != "text" or not found:
                continue
            end, stop = min(found)
            block.tokens = max(1, round(block.tokens * (end + len(stop)) / len(block.shown)))
            block.shown = block.shown[:end]
            del self.blocks[place + bool(block.shown.strip()) :]
            return stop
        return None

    def _cut(self, limit: int) -> None:
        """Keep the blocks that fit into `limit` tokens, the last one cut to fill it."""
        left = limit
        for place, block in enumerate(self.blocks):
            if block.tokens > left:
                if left > 0:
                    block.shown, block.tokens, block.is_cut = _prefix(block, left), left, True
                is_kept = left > 0 and (block.kind != "text" or bool(block.shown.strip()))
                del self.blocks[place + is_kept :]
                return
            left -= block.tokens

    def _sign_thinking(self) -> None:
        digest = self.prompt.digest
        for block in self.blocks:
            if block.kind == "thinking" and not block.is_cut:
                block.signature = sign(self.prompt.request.model.id, digest, block.tokens)
            digest = block_digest(digest, "assistant", block.to_json())

    def _turn_into_summary(self, used_tokens: int) -> None:
        """Sign the text as a compaction block that can replace the conversation."""
        model_id, digest = self.prompt.request.model.id, self.prompt.digest
        for block in self.blocks:
            block.kind, block.id = "compaction", f"sim_{_hash_id(self.prompt, used_tokens, 0)}"
            block.signature = sign(model_id, digest, max(0, used_tokens))


def _hash_id(prompt: Prompt, seed: int, place: int) -> str:
    return hashlib.blake2b(prompt.digest + f"{seed}/{place}".encode(), digest_size=11).hexdigest()


def _plan_blocks(reply: Reply, prompt: Prompt, seed: int) -> list[Block]:
    blocks = []
    request = prompt.request
    if request.thinks and (reply.thinking or reply.thinking_tokens):
        raw = reply.thinking_tokens
        if raw is None:
            rng = random.Random(f"{seed}/{prompt.digest.hex()}")  # noqa: S311 - reproducible
            ratio = rng.uniform(1, _MAX_RAW_PER_SUMMARY)
            raw = tokens.BLOCK_TOKENS + round(tokens.count_text(reply.thinking) * ratio)
        hidden = request.thinking.display == "omitted"
        shown = "" if hidden else reply.thinking or "(thinking)"
        blocks.append(Block(kind="thinking", shown=shown, tokens=raw))
    if reply.text:
        count = tokens.count_block({"type": "text", "text": reply.text})
        blocks.append(Block(kind="text", shown=reply.text, tokens=count))
    share, rest = divmod(reply.result_tokens or 0, max(1, len(reply.calls)))
    for place, call in enumerate(reply.calls):
        result_tokens = call.result_tokens
        if result_tokens is None and reply.result_tokens is not None:
            result_tokens = share + (rest if place == 0 else 0)
        block = {"type": "tool_use", "name": call.name, "input": call.input}
        blocks.append(
            Block(
                kind="tool_use",
                shown=json.dumps(call.input, ensure_ascii=False),
                tokens=tokens.count_block(block),
                name=call.name,
                id=f"toolu_sim_{_hash_id(prompt, seed, place + 1)}",
                result_tokens=result_tokens,
            )
        )
    return blocks


def _prefix(block: Block, count: int) -> str:
    if block.kind == "text" and block.tokens == tokens.count_block(block.to_json()):
        return tokens.cut_text(block.shown, count - tokens.BLOCK_TOKENS)
    return block.shown[: len(block.shown) * count // block.tokens]

"""A reply in progress: send it piece by piece, bill its tokens, inject its faults."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import httpx2

from budget_magic.simulator.betas import THINKING_BINDING
from budget_magic.simulator.bill import Bill, BilledRequest
from budget_magic.simulator.faults import Fault
from budget_magic.simulator.generation import GeneratedReply
from budget_magic.simulator.record import RequestRecord
from budget_magic.simulator.scenes.scene import Scene
from budget_magic.simulator.stream import Chunk, Pacing, stream_reply
from budget_magic.simulator.tokens import JsonObject

JSON_HEADERS: Final = {"content-type": "application/json"}
_EVENTS: Final = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
_EVENTS_BEFORE_A_FAULT: Final = 4
"""Events before a fault that does not say where it happens: the last is the first delta."""
_COUNTS: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)
_ONLY_AT_START: Final = ("cache_creation", "service_tier", "inference_geo", "speed")


@dataclass(eq=False, kw_only=True)
class ReplyStream(httpx2.AsyncByteStream):
    """A reply of the model, generated and billed while the client reads."""

    record: RequestRecord
    """Updated as the client reads or disconnects."""
    headers: Mapping[str, str]
    """Headers besides those of the content type."""
    reply: GeneratedReply
    billed: BilledRequest
    bill: Bill
    """The bill that `billed` is on; a fault may remove it."""
    pacing: Pacing
    faults: Sequence[Fault]
    scene: Scene
    """Told when a fault cuts the reply."""

    def __post_init__(self) -> None:
        """Bill what does not wait for the client to read."""
        self._request = self.reply.prompt.request
        self._is_stream = self._request.body.stream
        for fault in self.faults:
            if fault.before_headers and fault.breaks_reply:
                self._cut(fault)
        if not self._is_stream:
            self._book(self.reply.output_tokens)

    async def start(self) -> httpx2.Response:
        """Send the headers, unless a fault comes first."""
        try:
            for fault in self.faults:
                if fault.before_headers:
                    await self._interrupt(fault)
        except asyncio.CancelledError:
            self.record.close()  # there is no response yet that the client could close
            raise
        headers = {**(_EVENTS if self._is_stream else JSON_HEADERS), **self.headers}
        return httpx2.Response(self.record.status, headers=headers, stream=self)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        fault = next((one for one in self.faults if one.is_in_body), None)
        sent_bytes = 0
        for sent_events, chunk in enumerate(self._chunks()):
            if chunk.delay_s:
                self._book(chunk.output_tokens)
                await asyncio.sleep(chunk.delay_s)
            if fault is not None and self._is_due(fault, chunk, sent_bytes, sent_events):
                if fault.after_bytes is not None and fault.after_bytes > sent_bytes:
                    sent = min(fault.after_bytes - sent_bytes, len(chunk.data) - 1)
                    yield chunk.data[:sent]  # never all of it
                if fault.kind == "error_event":
                    error = encode_json(fault.error.body(self.headers["request-id"]))
                    yield b"event: error\ndata: " + error + b"\n\n"
                if fault.breaks_reply:
                    self._cut(fault)
                await self._interrupt(fault)
                if fault.breaks_reply:
                    break
                fault = None
            self._book(chunk.output_tokens)
            sent_bytes += len(chunk.data)
            if chunk.is_last:  # a client may stop reading at `message_stop`
                self.billed.completed = True
                self.record.finished = True
            yield chunk.data
        self.record.finished = True

    async def aclose(self) -> None:
        """Note that the client disconnected."""
        self.record.close()

    def _is_due(self, fault: Fault, chunk: Chunk, sent_bytes: int, sent_events: int) -> bool:
        if chunk.is_last:
            return True
        if fault.after_bytes is not None:
            return sent_bytes + len(chunk.data) > fault.after_bytes
        wanted = _EVENTS_BEFORE_A_FAULT if fault.after_events is None else fault.after_events
        return sent_events >= wanted

    async def _interrupt(self, fault: Fault) -> None:
        """Hold the response, silence it for good, or break the connection."""
        if fault.kind == "hold" and fault.until is not None:
            await self.record.stay_silent(fault.until)
        elif fault.kind == "silence":
            await self.record.stay_silent(asyncio.Event().wait())
        elif fault.kind == "drop":
            self.record.finished = True
            raise httpx2.RemoteProtocolError(
                "peer closed connection without sending complete message body"
                " (incomplete chunked read)"
            )

    def _cut(self, fault: Fault) -> None:
        self.scene.on_cut(self.reply.plan)
        if fault.billed == "all":
            self._book(self.reply.output_tokens)
        elif fault.billed == "nothing":
            self.bill.remove(self.billed)
            self.record.billed = None

    def _book(self, output_tokens: int) -> None:
        billed = self.billed
        billed.output_tokens = max(billed.output_tokens, output_tokens)
        billed.thinking_tokens = min(self.reply.thinking_tokens, billed.output_tokens)

    def _chunks(self) -> Iterator[Chunk]:
        reply = self.reply
        usage = self._usage(reply.output_tokens, reply.thinking_tokens)
        if not self._is_stream:
            content = [block.to_json() for block in reply.blocks]
            data = encode_json(self._message(content, usage) | reply.ending)
            return iter([Chunk(data=data, output_tokens=reply.output_tokens, is_last=True)])
        start_usage = self._usage(1, 0)
        del start_usage["iterations"]
        end_usage = {key: value for key, value in usage.items() if key not in _ONLY_AT_START}
        start = self._message([], start_usage)
        paces = (fault.tokens_per_s for fault in self.faults if fault.tokens_per_s is not None)
        pacing = replace(self.pacing, tokens_per_s=next(paces, self.pacing.tokens_per_s))
        return stream_reply(start, reply, end_usage, pacing)

    def _usage(self, output_tokens: int, thinking_tokens: int) -> JsonObject:
        """Return the reported usage; a compaction reports its own in `iterations` only."""
        split = self.billed.split
        usage: JsonObject = {
            "input_tokens": split.input_tokens,
            "cache_creation_input_tokens": split.write_5m + split.write_1h,
            "cache_read_input_tokens": split.read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": split.write_5m,
                "ephemeral_1h_input_tokens": split.write_1h,
            },
            "output_tokens": output_tokens,
            "output_tokens_details": {"thinking_tokens": thinking_tokens},
            "service_tier": "standard",
            "inference_geo": self.billed.inference_geo,
            "speed": self.billed.speed,
        }
        iteration = {key: usage[key] for key in (*_COUNTS, "cache_creation")}
        if self._request.body.compaction is None:
            model = self._request.body.model
            return usage | {"iterations": [{"type": "message", "model": model, **iteration}]}
        return {
            **usage,
            **dict.fromkeys(_COUNTS, 0),
            "cache_creation": dict.fromkeys(usage["cache_creation"], 0),
            "iterations": [{"type": "compaction", **iteration}],
        }

    def _message(self, content: list[JsonObject], usage: JsonObject) -> JsonObject:
        binding = {"input_transformations": self.reply.prompt.transformations}
        return {
            "id": self.reply.id,
            "type": "message",
            "role": "assistant",
            "model": self._request.body.model,
            "content": content,
            **dict.fromkeys(("stop_reason", "stop_sequence", "stop_details")),
            "usage": usage,
            **(binding if THINKING_BINDING in self._request.betas else {}),
        }


def encode_json(body: JsonObject) -> bytes:
    """Return the bytes of a JSON response."""
    return json.dumps(body, ensure_ascii=False).encode()

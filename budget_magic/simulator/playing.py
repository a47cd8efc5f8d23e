"""Plays a drawn reply: as a stream or whole, books what it costs, and lets faults break it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from budget_magic.simulator import facts
from budget_magic.simulator.bill import Bill, BilledRequest
from budget_magic.simulator.exchange import Break, Exchange, Hold, RequestRecord, Silence, Step
from budget_magic.simulator.faults import Fault
from budget_magic.simulator.prompt import Prompt
from budget_magic.simulator.refusal import error_body
from budget_magic.simulator.render import Drawn, block_json
from budget_magic.simulator.request import Request
from budget_magic.simulator.stream import Send, Streaming, Wait, stream_reply
from budget_magic.simulator.tokens import JsonObject

EVENTS_BEFORE_A_FAULT: Final = 4
"""Where a fault happens that does not say where: after the first delta."""
_COUNTS: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)
_JSON: Final = {"content-type": "application/json"}
_EVENTS: Final = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}


def no_connection(record: RequestRecord) -> Exchange:
    """A request that never arrives."""
    return Exchange(record=record, status=0, headers={}, opening=(), steps=iter(()), refuses=True)


def whole(
    record: RequestRecord,
    body: JsonObject,
    request_id: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Exchange:
    """An answer in one piece."""
    raw = json.dumps(body, ensure_ascii=False).encode()
    return Exchange(
        record=record,
        status=status,
        headers={**_JSON, "request-id": request_id, **(headers or {})},
        opening=(),
        steps=iter((Send(data=raw, tokens=0, ends=True),)),
    )


@dataclass(slots=True, kw_only=True)
class Playing:
    """A reply on its way to the client."""

    record: RequestRecord
    request: Request
    prompt: Prompt
    drawn: Drawn
    billed: BilledRequest
    request_id: str
    faults: Sequence[Fault]
    streaming: Streaming
    bill: Bill
    unplayed: Callable[[], None]
    """Told when a fault cuts the reply, so that a script can play it again."""

    def exchange(self) -> Exchange:
        """The answer, ready to be played."""
        opening: list[Step] = []
        for fault in self.faults:
            if fault.before_headers:
                opening.extend(self._fault_steps(fault))
                if fault.breaks:
                    self._broken(fault)
        if not self.request.sent.stream:
            self._book(self.drawn.output_tokens)
        kind = _EVENTS if self.request.sent.stream else _JSON
        return Exchange(
            record=self.record,
            status=200,
            headers={**kind, "request-id": self.request_id},
            opening=tuple(opening),
            steps=self._steps(),
        )

    def _steps(self) -> Iterator[Step]:
        """The body, booked and broken as the faults say."""
        fault = next((one for one in self.faults if _is_in_body(one)), None)
        plain = self._stream() if self.request.sent.stream else self._in_one_piece()
        sent_bytes, sent_events = 0, 0
        for step in plain:
            if fault is not None and self._is_due(fault, step, sent_bytes, sent_events):
                yield from self._start_of(fault, step, sent_bytes)
                yield from self._fault_steps(fault)
                if fault.breaks:
                    self._broken(fault)
                    if fault.kind == "silence":
                        yield Silence()
                    elif fault.kind == "drop":
                        yield Break()
                    return
                fault = None
            self._book(step.tokens)
            if isinstance(step, Send):
                sent_bytes += len(step.data)
                sent_events += 1
                self.billed.streamed_tokens = step.tokens
                self.billed.completed = step.ends
            yield step

    def _is_due(self, fault: Fault, step: Send | Wait, sent_bytes: int, sent_events: int) -> bool:
        if not isinstance(step, Send):
            return False
        if fault.after_bytes is not None:
            return step.ends or sent_bytes + len(step.data) > fault.after_bytes
        if not self.request.sent.stream:
            return True
        wanted = EVENTS_BEFORE_A_FAULT if fault.after_events is None else fault.after_events
        return step.ends or sent_events >= wanted

    def _start_of(self, fault: Fault, step: Send | Wait, sent_bytes: int) -> Iterator[Step]:
        """The bytes of this step that still go out before the fault."""
        if fault.after_bytes is not None and isinstance(step, Send):
            data = step.data[: max(0, fault.after_bytes - sent_bytes)][: len(step.data) - 1]
            if data:
                yield Send(data=data, tokens=step.tokens)

    def _fault_steps(self, fault: Fault) -> Iterator[Step]:
        if fault.kind == "hold" and fault.until is not None:
            yield Hold(until=fault.until)
        elif fault.kind == "error_event":
            error = error_body(fault.error_type or "api_error", fault.message, self.request_id)
            data = json.dumps(error, ensure_ascii=False)
            yield Send(data=f"event: error\ndata: {data}\n\n".encode(), tokens=0)
        elif fault.before_headers and fault.kind == "silence":
            yield Silence()
        elif fault.before_headers and fault.kind == "drop":
            yield Break()

    def _broken(self, fault: Fault) -> None:
        self.unplayed()
        if fault.billed == "all":
            self._book(self.drawn.output_tokens)
        elif fault.billed == "nothing":
            self.bill.remove(self.billed)
            self.record.billed = None

    def _book(self, output_tokens: int) -> None:
        self.billed.output_tokens = max(self.billed.output_tokens, output_tokens)
        self.billed.thinking_tokens = min(self.drawn.thinking_tokens, self.billed.output_tokens)

    def _stream(self) -> Iterator[Send | Wait]:
        pace = next((fault.tokens_per_s for fault in self.faults if fault.kind == "slow"), None)
        how = Streaming(
            tokens_per_s=pace or self.streaming.tokens_per_s,
            delta_characters=self.streaming.delta_characters,
        )
        beginning = self._usage(1, 0)
        del beginning["iterations"]
        start = self._message([], None, beginning)
        final = self._usage(self.drawn.output_tokens, self.drawn.thinking_tokens)
        only_at_start = ("cache_creation", "service_tier", "inference_geo", "speed")
        delta_usage = {key: value for key, value in final.items() if key not in only_at_start}
        return stream_reply(start, self.drawn, delta_usage, self.request, how)

    def _in_one_piece(self) -> Iterator[Send | Wait]:
        content = [block_json(part) for part in self.drawn.parts]
        usage = self._usage(self.drawn.output_tokens, self.drawn.thinking_tokens)
        body = self._message(content, self.drawn.stop_reason, usage)
        raw = json.dumps(body, ensure_ascii=False).encode()
        yield Send(data=raw, tokens=self.drawn.output_tokens, ends=True)

    def _usage(self, output_tokens: int, thinking_tokens: int) -> JsonObject:
        """What the client is told; a summary's tokens stand in `iterations` alone."""
        usage = self.billed.usage
        usage["output_tokens"] = output_tokens
        usage["output_tokens_details"] = {"thinking_tokens": thinking_tokens}
        iteration = {key: usage[key] for key in (*_COUNTS, "cache_creation")}
        if self.request.sent.compaction is None:
            return usage | {
                "iterations": [{"type": "message", "model": self.request.sent.model, **iteration}]
            }
        nothing = dict.fromkeys(_COUNTS, 0)
        split = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}
        iterations = [{"type": "compaction", **iteration}]
        return usage | nothing | {"cache_creation": split, "iterations": iterations}

    def _message(
        self, content: list[JsonObject], stop_reason: str | None, usage: JsonObject
    ) -> JsonObject:
        ended = stop_reason is not None
        message: JsonObject = {
            "id": self.drawn.id,
            "type": "message",
            "role": "assistant",
            "model": self.request.sent.model,
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": self.drawn.stop_sequence if ended else None,
            "stop_details": self.drawn.stop_details if ended else None,
            "usage": usage,
        }
        if facts.THINKING_BINDING in self.request.betas:
            message["input_transformations"] = list(self.prompt.transformations)
        return message


def _is_in_body(fault: Fault) -> bool:
    return not fault.before_headers and (fault.breaks or fault.kind == "hold")

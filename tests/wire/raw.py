"""A transport whose first replies are given event by event; the simulator answers the others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
from anthropic import AsyncAnthropic

from budget_magic.simulator import Simulator
from budget_magic.wire.sdk import simulated_client

Event = dict[str, Any]

USAGE: Event = {"input_tokens": 400, "output_tokens": 1}


def start(**changes: Any) -> Event:
    """The `message_start` of a reply, with some fields of its message changed."""
    message: Event = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5-5",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": USAGE,
    }
    return {"type": "message_start", "message": {**message, **changes}}


def block(content: Any, *deltas: Event, index: Any = 0) -> list[Event]:
    """The events of one content block."""
    return [
        {"type": "content_block_start", "index": index, "content_block": content},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def call(*pieces: str, **changes: Any) -> list[Any]:
    """A call of `lookup`: its block, then the deltas of its input."""
    plain = {"type": "tool_use", "id": "toolu_1", "name": "lookup", "input": {}}
    streamed = ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)
    return [{**plain, **changes}, *streamed]


def end(stop_reason: Any = "tool_use") -> list[Event]:
    """The events that end a reply."""
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    return [
        {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 50}},
        {"type": "message_stop"},
    ]


def reply(*blocks: Sequence[Any], stop_reason: Any = "tool_use") -> list[Event]:
    """All events of a reply; each block is its start and its deltas."""
    middle = [
        event
        for index, (content, *deltas) in enumerate(blocks)
        for event in block(content, *deltas, index=index)
    ]
    return [start(), *middle, *end(stop_reason)]


class RawFirst(httpx2.AsyncBaseTransport):
    """Answers the first POSTs to /v1/messages with what it is given, the others by the simulator.

    Parameters
    ----------
    replies
        Each a list of events, or a response.
    simulator
        It checks every later request as the API would.
    """

    def __init__(
        self, replies: Sequence[list[Event] | httpx2.Response], simulator: Simulator
    ) -> None:
        self._replies = list(replies)
        self._rest = simulator.transport()
        self.bodies: list[bytes] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request."""
        if request.url.path != "/v1/messages":
            return await self._rest.handle_async_request(request)
        self.bodies.append(await request.aread())
        if not self._replies:
            return await self._rest.handle_async_request(request)
        answer = self._replies.pop(0)
        return answer if isinstance(answer, httpx2.Response) else streamed(answer)

    def client(self) -> AsyncAnthropic:
        """The real SDK client over this transport."""
        return simulated_client(self)


def streamed(events: Sequence[Event]) -> httpx2.Response:
    """A reply as server-sent events; numbers and characters that JSON lacks go through too."""
    body = "".join(
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events
    ).encode()
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)


def refusal(status: int, headers: Mapping[str, str]) -> httpx2.Response:
    """An error status with these headers, in Latin-1 as on the line."""
    error = {"type": "rate_limit_error", "message": "Slow down."}
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    return httpx2.Response(status, headers=pairs, json={"type": "error", "error": error})

"""A server that lies: the simulator's replies with their events rewritten on the way."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2

from budget_magic.simulator import Simulator

Edit = Callable[[dict[str, Any]], None]
"""Changes one event of a stream in place."""


class Rewriting(httpx2.AsyncBaseTransport):
    """Passes requests to a simulator and rewrites each event of its streams.

    Parameters
    ----------
    simulator
        What answers, and bills what it truly costs.
    edit
        Changes an event, such as its `usage`.
    """

    def __init__(self, simulator: Simulator, edit: Edit) -> None:
        self._inner, self._edit = simulator.transport(), edit

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a request."""
        response = await self._inner.handle_async_request(request)
        if "event-stream" in response.headers.get("content-type", ""):
            assert isinstance(response.stream, httpx2.AsyncByteStream)
            response.stream = _Rewritten(response.stream, self._edit)
        return response


class _Rewritten(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, edit: Edit) -> None:
        self._inner, self._edit = inner, edit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        rest = b""
        async for chunk in self._inner:
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield self._line(line) + b"\n"
        yield rest

    def _line(self, line: bytes) -> bytes:
        if not line.startswith(b"data: "):
            return line
        event = json.loads(line.removeprefix(b"data: "))
        self._edit(event)
        return b"data: " + json.dumps(event).encode()

    async def aclose(self) -> None:
        """Close the simulator's stream."""
        await self._inner.aclose()

"""The simulator as an `httpx2` transport, so that the real SDK client talks to it in process."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator

import httpx2

from budget_magic.simulator.core import Core
from budget_magic.simulator.exchange import Break, Exchange, Hold, Silence, Step
from budget_magic.simulator.stream import Send, Wait

_NO_CONNECTION = "All connection attempts failed"
_DROPPED = "peer closed connection without sending complete message body (incomplete chunked read)"


def _receive(core: Core, request: httpx2.Request, raw: bytes) -> Exchange:
    headers = dict(request.headers.items())
    exchange = core.receive(request.method, request.url.path, headers, raw)
    if exchange.refuses:
        raise httpx2.ConnectError(_NO_CONNECTION, request=request)
    return exchange


def _dropped() -> httpx2.RemoteProtocolError:
    return httpx2.RemoteProtocolError(_DROPPED)


class AsyncSimulatorTransport(httpx2.AsyncBaseTransport):
    """Hands requests of an async client to the simulator."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request; its body is generated while the client reads."""
        exchange = _receive(self._core, request, await request.aread())
        stream = _AsyncStream(exchange)
        try:
            for step in exchange.opening:
                await stream.pause(step)
        except asyncio.CancelledError:
            exchange.close()
            raise
        return httpx2.Response(exchange.status, headers=exchange.headers, stream=stream)


class _AsyncStream(httpx2.AsyncByteStream):
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for step in self._exchange.steps:
            if isinstance(step, Send):
                if step.ends:
                    self._exchange.finish()
                yield step.data
            else:
                await self.pause(step)
        self._exchange.finish()

    async def pause(self, step: Step) -> None:
        """Play a step that sends nothing."""
        if isinstance(step, Wait):
            await asyncio.sleep(step.seconds)
        elif isinstance(step, Hold):
            self._exchange.going_quiet()
            await step.until
            self._exchange.going_on()
        elif isinstance(step, Silence):
            self._exchange.going_quiet()
            await asyncio.Event().wait()
        elif isinstance(step, Break):
            self._exchange.finish()
            raise _dropped()

    async def aclose(self) -> None:
        self._exchange.close()


class SimulatorTransport(httpx2.BaseTransport):
    """Hands requests of a blocking client to the simulator."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request; its body is generated while the client reads."""
        exchange = _receive(self._core, request, request.read())
        stream = _Stream(exchange)
        for step in exchange.opening:
            stream.pause(step)
        return httpx2.Response(exchange.status, headers=exchange.headers, stream=stream)


class _Stream(httpx2.SyncByteStream):
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        for step in self._exchange.steps:
            if isinstance(step, Send):
                if step.ends:
                    self._exchange.finish()
                yield step.data
            else:
                self.pause(step)
        self._exchange.finish()

    def pause(self, step: Step) -> None:
        """Play a step that sends nothing; a silent one never ends."""
        if isinstance(step, Wait):
            time.sleep(step.seconds)
        elif isinstance(step, Hold):
            self._exchange.going_quiet()
            step.until.wait(None)
            self._exchange.going_on()
        elif isinstance(step, Silence):
            self._exchange.going_quiet()
            threading.Event().wait()
        elif isinstance(step, Break):
            self._exchange.finish()
            raise _dropped()

    def close(self) -> None:
        self._exchange.close()

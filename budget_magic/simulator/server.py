"""The simulator as a server of its own on loopback, for any client that speaks the Messages API."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Final, Self

from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPServerRequest, ResponseStartLine
from tornado.iostream import StreamClosedError

from budget_magic.errors import ConfigurationError
from budget_magic.simulator.core import Core
from budget_magic.simulator.exchange import Break, Hold, Silence, Step
from budget_magic.simulator.simulator import Simulator
from budget_magic.simulator.stream import Send, Wait

_HOST: Final = "127.0.0.1"
_LARGEST_BODY: Final = 256 * 1024 * 1024


class _Player:
    """Plays the exchange of one request onto its socket."""

    def __init__(self, core: Core, request: HTTPServerRequest) -> None:
        if not isinstance(request.connection, HTTP1Connection):
            raise TypeError("the simulator speaks HTTP/1.1 only")
        self._connection = request.connection
        self._gone = asyncio.Event()
        self._connection.set_close_callback(self._closed)
        headers = dict(request.headers.get_all())
        method = request.method or "GET"
        self._exchange = core.receive(method, request.path, headers, request.body)

    def _closed(self) -> None:
        self._gone.set()
        self._exchange.close()

    async def play(self) -> None:
        """Send everything, unless the client goes away before."""
        with contextlib.suppress(StreamClosedError):
            await self._play()

    async def _play(self) -> None:
        exchange = self._exchange
        if exchange.refuses:
            self._break_off()
            return
        for step in exchange.opening:
            if not await self._pause(step):
                return
        reason = http.client.responses.get(exchange.status, "Simulated")
        start = ResponseStartLine("HTTP/1.1", exchange.status, reason)
        await self._connection.write_headers(start, HTTPHeaders(exchange.headers))
        for step in exchange.steps:
            if isinstance(step, Send):
                if step.ends:
                    exchange.finish()
                await self._connection.write(step.data)
            elif not await self._pause(step):
                return
        exchange.finish()
        self._connection.finish()

    async def _pause(self, step: Step) -> bool:
        """Play a step that sends nothing; False where nothing may follow."""
        if isinstance(step, Wait):
            await self._unless_gone(asyncio.sleep(step.seconds))
        elif isinstance(step, Hold):
            self._exchange.going_quiet()
            await self._unless_gone(step.until.seen())
            self._exchange.going_on()
        elif isinstance(step, Silence):
            self._exchange.going_quiet()
            await self._gone.wait()
        elif isinstance(step, Break):
            self._exchange.finish()
            self._break_off()
            return False
        return not self._gone.is_set()

    async def _unless_gone(self, waiting: Coroutine[Any, Any, None]) -> None:
        """Wait for something, but no longer than the client does."""
        tasks = [asyncio.ensure_future(waiting), asyncio.ensure_future(self._gone.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    def _break_off(self) -> None:
        """Close the socket without ending the response."""
        self._connection.detach().close()


class SimulatorServer:
    """A simulator that listens on loopback, in a thread of its own.

    Use it as a context manager, or call `start` and `stop`.

    Parameters
    ----------
    simulator
        What answers.
    port
        0 takes a free one.
    """

    def __init__(self, simulator: Simulator, port: int = 0) -> None:
        self.simulator = simulator
        try:
            self._socket = socket.create_server((_HOST, port))
        except OSError as error:
            raise ConfigurationError(f"port {port} cannot be used: {error.strerror}") from error
        self._socket.settimeout(0)
        self.port: int = self._socket.getsockname()[1]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """What goes into ANTHROPIC_BASE_URL."""
        return f"http://{_HOST}:{self.port}"

    def start(self) -> Self:
        """Listen in a thread; returns once it does."""
        listening = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listening)), name="simulator", daemon=True
        )
        self._thread.start()
        listening.wait()
        return self

    def stop(self) -> None:
        """Stop listening and wait for the thread."""
        loop, stop, thread = self._loop, self._stop, self._thread
        if loop is not None and stop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)
        if thread is not None:
            thread.join(timeout=10)
        self._socket.close()

    def run(self) -> None:
        """Listen in this thread until Ctrl-C."""
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(self._serve(threading.Event()))

    async def _serve(self, listening: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        playing: set[asyncio.Task[None]] = set()

        def answer(request: HTTPServerRequest) -> None:
            task = asyncio.ensure_future(_Player(self.simulator.core, request).play())
            playing.add(task)
            task.add_done_callback(playing.discard)

        server = HTTPServer(answer, max_buffer_size=_LARGEST_BODY)
        server.add_socket(self._socket)
        listening.set()
        try:
            await self._stop.wait()
        finally:
            server.stop()
            for task in playing:
                task.cancel()
            await server.close_all_connections()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

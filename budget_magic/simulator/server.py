"""The simulator as a server on loopback, for any client that speaks the Messages API."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import Any, Final, Self, cast

import httpx2
from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPServerRequest, ResponseStartLine
from tornado.iostream import StreamClosedError

from budget_magic.errors import ConfigurationError
from budget_magic.simulator.scenes import SceneLike
from budget_magic.simulator.signals import Signal
from budget_magic.simulator.simulator import Simulator

_HOST: Final = "127.0.0.1"
_MAX_BODY_BYTES: Final = 256 * 1024 * 1024


class SimulatorServer:
    """A simulator that listens on loopback, in its own thread; port 0 takes a free one.

    Use it as a context manager, or call `start` and `stop`.
    """

    def __init__(self, simulator: Simulator, port: int = 0) -> None:
        self.simulator = simulator
        try:
            self._socket = socket.create_server((_HOST, port))
        except OSError as error:
            raise ConfigurationError(f"cannot use port {port}: {error.strerror}") from error
        self._socket.settimeout(0)
        self.port: int = self._socket.getsockname()[1]
        self._stopping = Signal()
        self._thread = threading.Thread(target=self.run, name="simulator", daemon=True)

    @property
    def url(self) -> str:
        """The value for ANTHROPIC_BASE_URL."""
        return f"http://{_HOST}:{self.port}"

    def start(self) -> Self:
        """Serve in a thread; the socket listens already."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening and wait for the thread."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self._socket.close()

    def run(self) -> None:
        """Serve in this thread until Ctrl-C."""
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(self._serve())

    async def _serve(self) -> None:
        server = HTTPServer(self._accept, max_buffer_size=_MAX_BODY_BYTES)
        server.add_socket(self._socket)
        try:
            await self._stopping
        finally:
            server.stop()
            await server.close_all_connections()

    def _accept(self, request: HTTPServerRequest) -> None:
        """Respond in a task that ends when the client disconnects."""
        connection = cast("HTTP1Connection", request.connection)  # tornado speaks nothing newer
        task = asyncio.ensure_future(self._respond(request, connection))
        # The connection keeps the only reference to the task.
        connection.set_close_callback(task.cancel)  # type: ignore[arg-type] # its result is ignored

    async def _respond(self, request: HTTPServerRequest, connection: HTTP1Connection) -> None:
        forwarded = httpx2.Request(
            request.method or "GET",
            self.url + request.path,
            headers=[
                (name.encode("latin-1"), value.encode("latin-1"))
                for name, value in request.headers.get_all()
            ],
            content=request.body,
        )
        try:
            response = await self.simulator.respond(forwarded)
            start = ResponseStartLine("HTTP/1.1", response.status_code, response.reason_phrase)
            async with contextlib.aclosing(response):
                await connection.write_headers(start, HTTPHeaders(response.headers))
                async for data in response.aiter_raw():
                    await connection.write(data)
                connection.finish()
        except httpx2.TransportError:  # a fault: close the socket without ending the response
            connection.detach().close()
        except StreamClosedError:
            pass

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def serve(scene: SceneLike = "audit", *, port: int = 0, **options: Any) -> SimulatorServer:
    """Return a server that is not yet started; `options` are those of `Simulator`."""
    return SimulatorServer(Simulator(scene, **options), port)


def run_server(port: int = 0, scene: str = "audit", seed: int = 0) -> None:
    """Print how to use the server, and serve until Ctrl-C at the pace of a fast model."""
    server = serve(scene, port=port, seed=seed, pace_tokens_per_s=400, keeps_bodies=False)
    print(  # noqa: T201 - the output of a command
        f"simulated Messages API at {server.url} (scene {scene}, seed {seed}); use it with"
        f" ANTHROPIC_BASE_URL={server.url} ANTHROPIC_API_KEY=anything; Ctrl-C stops it",
        flush=True,
    )
    server.run()

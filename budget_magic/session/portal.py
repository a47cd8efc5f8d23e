"""The one thread on which all loops of this process run."""

from __future__ import annotations

import asyncio
import atexit
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final, TypeVar

T = TypeVar("T")
AsyncFunction = Callable[[], Coroutine[Any, Any, T]]

EXIT_S: Final = 2.0
"""How long an exit of the process waits for running turns to be stopped and booked."""


class Portal:
    """An event loop in a daemon thread of its own, so that it never holds up an exit."""

    def __init__(self) -> None:
        self._open: dict[int, AsyncFunction[None]] = {}
        self._closing = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="budget_magic loop", daemon=True)
        self._thread.start()
        atexit.register(self._close)

    @property
    def is_here(self) -> bool:
        """Whether the calling thread is the loop's own."""
        return threading.current_thread() is self._thread

    def call(self, function: Callable[[], T]) -> T:
        """Return what a function returns on the loop's thread; called there, it runs at once.

        As one step of the loop, it is done whole or not at all, whatever interrupts the caller.
        """
        if self.is_here:
            return function()
        answered: Future[T] = Future()

        def work() -> None:
            try:
                answered.set_result(function())
            except BaseException as error:  # noqa: BLE001 - raised again in the caller
                answered.set_exception(error)

        self._loop.call_soon_threadsafe(work)
        return answered.result()

    def start(self, function: AsyncFunction[T]) -> Future[T]:
        """Run a coroutine function on the loop, without waiting for it; from any thread."""
        return asyncio.run_coroutine_threadsafe(function(), self._loop)

    def close_with(self, owner: object, aclose: AsyncFunction[None]) -> None:
        """Await `aclose` on the loop once nobody refers to `owner`, or at exit."""
        key = id(aclose)
        self._open[key] = aclose
        # At exit the portal closes what is open itself, while its loop still runs.
        weakref.finalize(owner, self._let_go, key).atexit = False

    def _let_go(self, key: int) -> None:
        aclose = self._open.pop(key, None)
        if aclose is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(lambda: self._loop.create_task(_quietly(aclose)))

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        main = self._loop.create_task(self._serve())
        while not main.done():
            # asyncio lets a KeyboardInterrupt or SystemExit of any task end the whole loop.
            with suppress(KeyboardInterrupt, SystemExit):
                self._loop.run_until_complete(main)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _serve(self) -> None:
        await self._closing.wait()
        running = asyncio.all_tasks() - {asyncio.current_task()}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for aclose in list(self._open.values()):
            await _quietly(aclose)

    def _close(self) -> None:
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(EXIT_S)


async def _quietly(aclose: AsyncFunction[None]) -> None:
    """Close something that nobody uses any more; how that fails is of no interest."""
    with suppress(Exception):
        await aclose()


_LOCK: Final = threading.Lock()
_PORTALS: Final[list[Portal]] = []


def portal() -> Portal:
    """Return the portal of this process, started on first use; from any thread."""
    with _LOCK:
        if not _PORTALS:
            _PORTALS.append(Portal())
        return _PORTALS[0]


def cancel(task: asyncio.Task[object]) -> None:
    """Cancel a task of the loop; from any thread."""
    task.get_loop().call_soon_threadsafe(task.cancel)

"""The thread on which all turns of a session run."""

from __future__ import annotations

import asyncio
import atexit
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final, TypeVar

from budget_magic.errors import CLOSED, ConfigurationError
from budget_magic.tools.loop_thread import LoopThread, call_on_loop

T = TypeVar("T")
AsyncFunction = Callable[[], Coroutine[Any, Any, T]]

CLOSE_S: Final = 2.0
"""How long closing waits for running turns to be stopped and booked."""


class Portal:
    """An event loop in a daemon thread, which never delays the exit of the process."""

    def __init__(self) -> None:
        self._open: dict[int, AsyncFunction[None]] = {}
        self._thread = LoopThread("budget_magic loop")
        self._loop = self._thread.loop
        self._ending: asyncio.Task[None] | None = None
        atexit.register(self.close)

    def call(self, function: Callable[[], T]) -> T:
        """Run a function on the loop's thread and return its result; on that thread, run it now.

        It runs in full or not at all, even if the caller is interrupted.

        Raises
        ------
        ConfigurationError
            The portal is closed.
        """
        if self._loop.is_closed():
            raise ConfigurationError(CLOSED)
        return call_on_loop(self._loop, function)

    def start(self, function: AsyncFunction[T]) -> Future[T]:
        """Run a coroutine function on the loop, without waiting for it; from any thread."""
        return asyncio.run_coroutine_threadsafe(function(), self._loop)

    def close_with(self, owner: object, aclose: AsyncFunction[None]) -> None:
        """Await `aclose` on the loop when `owner` is garbage-collected, or at exit."""
        key = id(aclose)
        self._open[key] = aclose
        # At exit the portal closes what is open itself, while its loop still runs.
        weakref.finalize(owner, self._on_collected, key).atexit = False

    def close(self) -> None:
        """Cancel all turns, wait until they are booked, and end the thread; from another thread."""
        atexit.unregister(self.close)
        with suppress(RuntimeError):  # closed already
            self._loop.call_soon_threadsafe(self._schedule_end)
        self._thread.join(CLOSE_S)

    def _on_collected(self, key: int) -> None:
        aclose = self._open.pop(key, None)
        if aclose is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(lambda: self._loop.create_task(_quietly(aclose)))

    async def _end(self) -> None:
        try:
            running = asyncio.all_tasks() - {asyncio.current_task()}
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            for aclose in list(self._open.values()):
                await _quietly(aclose)
        finally:
            self._thread.end()

    def _schedule_end(self) -> None:
        if self._ending is None:
            self._ending = self._loop.create_task(self._end())


async def _quietly(aclose: AsyncFunction[None]) -> None:
    """Close something that is no longer used, ignoring errors."""
    with suppress(Exception):
        await aclose()


def cancel(task: asyncio.Task[object]) -> None:
    """Cancel a task of the loop; from any thread."""
    task.get_loop().call_soon_threadsafe(task.cancel)

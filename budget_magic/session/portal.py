"""The one thread on which all loops of this process run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


class Portal:
    """An event loop in a daemon thread of its own, so that it never holds up an exit."""

    def __init__(self) -> None:
        ready: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(_serve(ready)), name="budget_magic loop", daemon=True
        )
        self._thread.start()
        self._loop = ready.result()

    def start(self, function: Callable[[], Coroutine[Any, Any, T]]) -> Future[T]:
        """Run a coroutine function on the loop; from any thread.

        It does not wait for the start: Ctrl-C in such a wait would leave a turn nobody holds.
        """
        return asyncio.run_coroutine_threadsafe(function(), self._loop)

    def call(self, function: Callable[[], T]) -> T:
        """Return what a function returns on the loop's thread; from any thread."""
        if self.is_here():
            return function()

        async def called() -> T:
            return function()

        return self.start(called).result()

    def is_here(self) -> bool:
        """Return whether the calling thread is the loop's, which must never be held up."""
        return threading.current_thread() is self._thread


async def _serve(ready: Future[asyncio.AbstractEventLoop]) -> None:
    ready.set_result(asyncio.get_running_loop())
    await asyncio.Event().wait()


@cache
def portal() -> Portal:
    """The portal of this process, started on first use."""
    return Portal()


def cancel(task: asyncio.Task[object]) -> None:
    """Cancel a task of the loop; from any thread."""
    task.get_loop().call_soon_threadsafe(task.cancel)

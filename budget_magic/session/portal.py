"""The one thread on which all loops of this process run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from functools import cache
from typing import TypeVar

import anyio
from anyio.from_thread import BlockingPortal

T = TypeVar("T")


class Portal:
    """An event loop in a daemon thread of its own, so that it never holds up an exit."""

    def __init__(self) -> None:
        ready: Future[BlockingPortal] = Future()
        threading.Thread(
            target=anyio.run, args=(_serve, ready), name="budget_magic loop", daemon=True
        ).start()
        self._portal = ready.result()

    def start(self, function: Callable[[], Awaitable[T]]) -> Future[T]:
        """Run a coroutine function on the loop; from any thread."""
        return self._portal.start_task_soon(function)

    def call(self, function: Callable[[], T]) -> T:
        """What a plain function returns on the loop's thread; from any other thread."""
        return self._portal.call(function)


async def _serve(ready: Future[BlockingPortal]) -> None:
    async with BlockingPortal() as portal:
        ready.set_result(portal)
        await portal.sleep_until_stopped()


@cache
def portal() -> Portal:
    """The portal of this process, started on first use."""
    return Portal()


def cancel(task: asyncio.Task[object]) -> None:
    """Cancel a task of the loop; from any thread."""
    task.get_loop().call_soon_threadsafe(task.cancel)

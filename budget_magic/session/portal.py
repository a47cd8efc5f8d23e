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
        threading.Thread(
            target=lambda: asyncio.run(_serve(ready)), name="budget_magic loop", daemon=True
        ).start()
        self._loop = ready.result()

    def start(self, function: Callable[[], Coroutine[Any, Any, T]]) -> Future[T]:
        """Run a coroutine function on the loop; from any thread.

        It does not wait for the start: Ctrl-C in such a wait would leave a turn nobody holds.
        """
        return asyncio.run_coroutine_threadsafe(function(), self._loop)


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

"""Running a coroutine to its end on a thread that waits, whatever already runs there."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final, TypeVar

T = TypeVar("T")

BEAT_S: Final = 0.1
"""How often the waiting thread looks up, so that an interrupt is seen on every platform."""
CLEAN_UP_S: Final = 1.0
"""How long an interrupted coroutine may take to clean up before the interrupt goes on."""


def run_to_end(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns, run to its end while this thread waits.

    Without an event loop in this thread it runs here, in a loop of its own. A notebook's thread
    mostly has one already, which cannot be entered a second time: then the coroutine runs in a
    helper thread, with this thread's context variables, and an interrupt here cancels it there.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _run_here(coroutine)
    return _run_beside(coroutine)


def _run_here(coroutine: Coroutine[Any, Any, T]) -> T:
    # With a factory of its own the runner leaves the thread's current event loop alone.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(coroutine)


class _Helper:
    """One coroutine in a thread of its own."""

    def __init__(self) -> None:
        self.future: Future[Any] = Future()
        self.done = threading.Event()
        self.task: asyncio.Task[Any] | None = None
        self.cancelled = False

    def work(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        try:
            self.future.set_result(_run_here(self._main(coroutine)))
        except BaseException as error:  # noqa: BLE001 - handed to the waiting thread as it is
            self.future.set_exception(error)
        finally:
            self.done.set()

    async def _main(self, coroutine: Coroutine[Any, Any, T]) -> T:
        self.task = asyncio.current_task()
        if self.cancelled:
            coroutine.close()
            raise asyncio.CancelledError
        return await coroutine

    def cancel(self) -> None:
        self.cancelled = True
        if self.task is not None:
            with suppress(RuntimeError):  # its loop has closed: it has ended by itself
                self.task.get_loop().call_soon_threadsafe(self.task.cancel)
        self.done.wait(CLEAN_UP_S)


def _run_beside(coroutine: Coroutine[Any, Any, T]) -> T:
    helper = _Helper()
    context = contextvars.copy_context()
    thread = threading.Thread(
        target=context.run, args=(helper.work, coroutine), name="budget_magic function", daemon=True
    )
    try:
        # Inside, because an interrupt can come while the thread starts and already works.
        thread.start()
        while not helper.done.wait(BEAT_S):
            pass
    except BaseException:
        helper.cancel()
        raise
    result: T = helper.future.result()
    return result

"""Event loops in threads, and ways to run code on them."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import Any, Final, TypeVar

import anyio

from budget_magic.errors import ToolRefusal
from budget_magic.tools.text import explained

T = TypeVar("T")

CLEAN_UP_S: Final = 1.0
"""How long to wait for a cancelled coroutine."""
BEAT_S: Final = 0.1
"""How often a waiting thread wakes: some platforms see interrupts only then."""


class _SharedThread(threading.Thread):
    """A thread whose event loop is shared, so that it must not be blocked."""


def is_loop_thread() -> bool:
    """Return whether the calling thread runs a shared loop, which must not be blocked."""
    return isinstance(threading.current_thread(), _SharedThread)


class LoopThread:
    """An event loop in a daemon thread, which only `end` can end."""

    def __init__(self, name: str, *, is_shared: bool = True) -> None:
        kind = _SharedThread if is_shared else threading.Thread
        self.loop = asyncio.new_event_loop()
        self._is_over = False
        self._thread = kind(target=self._run, name=name, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Cancel what runs and close the loop; called on it."""
        self._is_over = True
        self.loop.stop()

    def join(self, timeout_s: float) -> None:
        """Wait until the thread has ended."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self._is_over:
            # Any task may stop the loop, and a KeyboardInterrupt or SystemExit of one ends it.
            with suppress(KeyboardInterrupt, SystemExit):
                self.loop.run_forever()
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        if left:
            with suppress(KeyboardInterrupt, SystemExit):
                self.loop.run_until_complete(asyncio.wait(left))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()


def run_coroutine(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine while this thread waits, and return its result.

    If this thread runs a loop already, as a notebook's mostly does, the coroutine runs in a helper
    thread with this thread's context variables, and an interrupt here cancels it there.
    """
    if _running_loop() is None:
        # With a loop factory, the runner leaves the thread's current event loop alone.
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            return runner.run(coroutine)
    thread = LoopThread("budget_magic function", is_shared=False)
    try:
        future = asyncio.run_coroutine_threadsafe(coroutine, thread.loop)
        while not wait([future], BEAT_S).done:
            pass
        return future.result()
    finally:
        thread.loop.call_soon_threadsafe(thread.end)
        thread.join(CLEAN_UP_S)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def call_on_loop(loop: asyncio.AbstractEventLoop, function: Callable[[], T]) -> T:
    """Run a function on a loop's thread and return its result; on that thread, run it now."""
    if _running_loop() is loop:
        return function()
    answered: Future[T] = Future()

    def work() -> None:
        try:
            answered.set_result(function())
        except BaseException as error:  # noqa: BLE001 - raised again in the calling thread
            answered.set_exception(error)

    loop.call_soon_threadsafe(work)
    return answered.result()


async def without_exit(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a function's coroutine; a SystemExit of it must not end the loop of others."""
    try:
        return await coroutine
    except SystemExit as error:
        raise ToolRefusal(explained(error)) from error


class FunctionLoop:
    """The event loop of a session's async functions, started on first use, or a given loop.

    Turns run on another loop, so a function that stops or blocks this one, or cancels its tasks,
    affects only other functions. All of them have one loop, since they share clients and locks.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._lock = threading.Lock()
        self._thread: LoopThread | None = None
        self._given = loop

    async def run(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine function on this loop and return its result.

        If the caller is cancelled, so is the function, which has `CLEAN_UP_S` to end. Raise
        `ToolRefusal` if only the function was cancelled.
        """
        here, there = asyncio.get_running_loop(), self._given or self._started().loop
        context, ended = contextvars.copy_context(), asyncio.Event()
        tasks: list[asyncio.Task[T]] = []

        def begin() -> None:
            tasks.append(there.create_task(without_exit(function()), context=context))
            tasks[0].add_done_callback(end)

        def end(task: asyncio.Task[T]) -> None:
            if not task.cancelled():
                task.exception()  # mark it as retrieved: the caller may be gone
            with suppress(RuntimeError):  # the caller's loop has closed
                here.call_soon_threadsafe(ended.set)

        there.call_soon_threadsafe(begin)
        try:
            await ended.wait()
        except asyncio.CancelledError:
            with suppress(RuntimeError):  # a given loop has closed
                there.call_soon_threadsafe(lambda: [task.cancel() for task in tasks])
            with anyio.move_on_after(CLEAN_UP_S, shield=True):
                await ended.wait()
            raise
        if tasks[0].cancelled():
            raise ToolRefusal("CancelledError: the function was cancelled while it ran")
        return tasks[0].result()

    def close(self) -> None:
        """Cancel what runs and end the loop."""
        if self._thread is not None:
            with suppress(RuntimeError):  # closed already
                self._thread.loop.call_soon_threadsafe(self._thread.end)
            self._thread.join(CLEAN_UP_S)

    def _started(self) -> LoopThread:
        with self._lock:
            self._thread = self._thread or LoopThread("budget_magic functions")
            return self._thread

"""Event loops in threads of their own, and the one on which async functions of notebooks run."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

import anyio

from budget_magic.errors import ToolRefusal

T = TypeVar("T")

CLEAN_UP_S: Final = 1.0
"""How long a cancelled function may take to end before nobody waits for it any more."""


class _Thread(threading.Thread):
    """A thread that runs an event loop which others need."""


def is_loop_thread() -> bool:
    """Return whether the calling thread runs a loop that others need: it must not be held up."""
    return isinstance(threading.current_thread(), _Thread)


class LoopThread:
    """An event loop in a daemon thread, which nothing that runs on it can end but `end`."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._is_over = False
        self._thread = _Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def is_here(self) -> bool:
        """Whether the calling thread is the loop's own."""
        return threading.current_thread() is self._thread

    def end(self) -> None:
        """Let the loop end and close; called on it."""
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
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()


_LOCK: Final = threading.Lock()
_LOOPS: Final[list[LoopThread]] = []


async def run_apart(function: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Return what a coroutine function returns on the loop of all async functions of notebooks.

    That loop is none of the turns': a function that stops its loop, blocks it, or cancels what
    runs there reaches other functions at most. It is one for all of them, because they share
    clients and locks, which belong to one loop.

    Where the caller is cancelled, so is the function; `CLEAN_UP_S` later nobody waits for it.

    Raises
    ------
    ToolRefusal
        The function, not the caller, was cancelled.
    """
    here, there = asyncio.get_running_loop(), _function_loop()
    context, ended = contextvars.copy_context(), asyncio.Event()
    tasks: list[asyncio.Task[T]] = []

    def begin() -> None:
        task = there.create_task(function(), context=context)
        task.add_done_callback(end)
        tasks.append(task)

    def end(task: asyncio.Task[T]) -> None:
        if not task.cancelled():
            task.exception()  # nobody may be left to ask for it
        with suppress(RuntimeError):  # the caller's loop has closed
            here.call_soon_threadsafe(ended.set)

    there.call_soon_threadsafe(begin)
    try:
        await ended.wait()
    except asyncio.CancelledError:
        there.call_soon_threadsafe(lambda: [task.cancel() for task in tasks])
        with anyio.move_on_after(CLEAN_UP_S, shield=True):
            await ended.wait()
        raise
    if tasks[0].cancelled():
        raise ToolRefusal("CancelledError: the function was cancelled while it ran")
    return tasks[0].result()


def _function_loop() -> asyncio.AbstractEventLoop:
    if not _LOOPS:
        with _LOCK:
            if not _LOOPS:
                _LOOPS.append(LoopThread("budget_magic functions"))
    return _LOOPS[0].loop

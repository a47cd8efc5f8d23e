"""Calls back into the thread that waits for a turn: the notebook's own functions run there."""

from __future__ import annotations

import asyncio
import contextvars
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol, TypeVar

from budget_magic.errors import TaskInterrupted, ToolRefusal
from budget_magic.events import Reason
from budget_magic.loop.calling import CALLING, Calling
from budget_magic.tools.text import explained

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    function: Callable[[], Any]
    answered: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    calling: Calling | None


class Interruptible(Protocol):
    """What an interrupt stops."""

    @property
    def has_begun(self) -> bool:
        """Whether there is something to stop."""
        ...

    def stop(self, reason: Reason) -> None:
        """Stop it."""
        ...


class WaitingThread:
    """Runs functions for the loop on the thread that waits, one at a time.

    Parameters
    ----------
    on_interrupt
        Called when a function was ended by KeyboardInterrupt; it must cancel the turn, because
        asyncio would end the whole loop if the interrupt itself went there.
    is_attended
        False where no cell waits for the turn, so that nobody can be asked by `input()`.
    """

    def __init__(self, on_interrupt: Callable[[], None], *, is_attended: bool = True) -> None:
        self.is_attended = is_attended
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._on_interrupt = on_interrupt
        self._wake: Callable[[], None] = lambda: None
        self._context = contextvars.copy_context()

    def wake_with(self, wake: Callable[[], None]) -> None:
        """Have `wake` called, from the loop's thread, whenever there is something to do."""
        self._wake = wake

    def wake(self) -> None:
        """Tell the waiting thread to look."""
        self._wake()

    async def run(self, function: Callable[[], T], /) -> T:
        """What `function` returns or raises on the waiting thread; called on the loop."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[T] = loop.create_future()
        job = _Job(function=function, answered=answered, loop=loop, calling=CALLING.get())
        self._jobs.put(job)
        self._wake()
        return await answered

    @property
    def is_asked(self) -> bool:
        """Whether something waits to be run."""
        return not self._jobs.empty()

    def work_off(self) -> None:
        """Run what has been asked for; called on the waiting thread."""
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            self._do(job)

    def _do(self, job: _Job) -> None:
        try:
            context = self._context.copy()
            context.run(CALLING.set, job.calling)
            with interrupts_raise():
                result = context.run(job.function)
        except TaskInterrupted as error:
            # A task that the function ran was stopped: by Ctrl-C, which means this turn too, or
            # by itself.
            if error.outcome.reason == "keyboard":
                self._on_interrupt()
            else:
                _refuse(job, error)
        except KeyboardInterrupt:
            self._on_interrupt()
        except Exception as error:  # noqa: BLE001 - raised again where the call was made
            job.loop.call_soon_threadsafe(_fail, job.answered, error)
        except BaseException as error:  # noqa: BLE001 - SystemExit would end the loop of all tasks
            _refuse(job, error)
        else:
            job.loop.call_soon_threadsafe(_succeed, job.answered, result)


@contextmanager
def interrupts_raise() -> Iterator[None]:
    """Let SIGINT raise KeyboardInterrupt inside; an async cell would swallow it (ipykernel 7)."""
    with _on_sigint(signal.default_int_handler):
        yield


@contextmanager
def interrupts_stop(run: Interruptible) -> Iterator[None]:
    """Let SIGINT stop a run inside, from the moment that it begins until its end was shown.

    An interrupt that raised between two lines of ours could cut any of them short.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        if not run.has_begun:
            signal.default_int_handler(number, frame)
        run.stop("keyboard")

    with _on_sigint(handle):
        yield


@contextmanager
def _on_sigint(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        # None: it was not installed from Python, and cannot be put back from there.
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)


def _refuse(job: _Job, error: BaseException) -> None:
    job.loop.call_soon_threadsafe(_fail, job.answered, ToolRefusal(explained(error)))


def _succeed(answered: asyncio.Future[Any], result: object) -> None:
    if not answered.done():
        answered.set_result(result)


def _fail(answered: asyncio.Future[Any], error: BaseException) -> None:
    if not answered.done():
        answered.set_exception(error)

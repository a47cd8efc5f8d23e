"""Run the notebook's own functions on the thread that waits for a turn."""

from __future__ import annotations

import asyncio
import contextvars
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol, TypeVar

from budget_magic.errors import TaskInterrupted, ToolRefusal
from budget_magic.events import Reason
from budget_magic.tools.context import (
    CALLERS_LOOP,
    CURRENT_CALL,
    CallersLoop,
    CancelToken,
    ToolContext,
)
from budget_magic.tools.text import explained

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    function: Callable[[], Any]
    answered: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    call: ToolContext | None
    """The tool call that requested it."""
    cancel: CancelToken
    """Set when the result is no longer awaited."""


class Interruptible(Protocol):
    """Something that an interrupt stops."""

    @property
    def has_begun(self) -> bool:
        """Whether there is something to stop."""
        ...

    def stop(self, reason: Reason) -> None:
        """Stop it."""
        ...


class _Handler:
    """A SIGINT handler that marks all jobs under way as interrupted, then calls `then`.

    Jobs nest on the main thread, each with its own handler, and an interrupt is meant for all of
    them. It is noted here because a job's function may swallow the KeyboardInterrupt.
    """

    def __init__(self, then: Callable[[int, FrameType | None], object]) -> None:
        self._then = then
        self.before: object = signal.getsignal(signal.SIGINT)
        self.interrupted = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        handler: object = self
        while isinstance(handler, _Handler):
            handler.interrupted, handler = True, handler.before
        self._then(number, frame)


class CallerExecutor:
    """Runs functions for the loop on the waiting thread, one at a time.

    If no cell waits for the turn, it is not attended: `input()` could not ask anyone.

    Parameters
    ----------
    loop
        The event loop that awaits the turn, where async functions belong; None if a thread waits.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.is_attended = True
        self.loop = loop
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._questions: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._wakers: list[Callable[[], object]] = []
        self._context = contextvars.copy_context()

    @contextmanager
    def waking(self, wake: Callable[[], object]) -> Iterator[None]:
        """Call `wake` from the loop's thread whenever a job waits."""
        self._wakers.append(wake)
        try:
            yield
        finally:
            self._wakers.remove(wake)

    def wake(self) -> None:
        """Wake the waiting threads."""
        for wake in list(self._wakers):
            wake()

    async def run(self, function: Callable[[], T], /) -> T:
        """Run a function on the waiting thread and return its result; called on the loop."""
        return await self._run(function, self._jobs)

    async def ask(self, function: Callable[[], T], /) -> T:
        """Run a function that asks a person, as `run` does."""
        return await self._run(function, self._questions)

    async def _run(self, function: Callable[[], T], jobs: queue.SimpleQueue[_Job]) -> T:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[T] = loop.create_future()
        job = _Job(
            function=function,
            answered=answered,
            loop=loop,
            call=CURRENT_CALL.get(),
            cancel=CancelToken(),
        )
        jobs.put(job)
        self.wake()
        try:
            return await answered
        except asyncio.CancelledError:
            job.cancel.cancel()
            raise

    @property
    def has_jobs(self) -> bool:
        """Whether a job waits to be run."""
        return not (self._jobs.empty() and self._questions.empty())

    def run_jobs(self, on_interrupt: Callable[[], None]) -> None:
        """Run the waiting jobs; called on the waiting thread.

        `on_interrupt` is called if an interrupt comes while a function runs, even if the function
        swallows it. If that does not stop the turn, the call is answered with an error.
        """
        self.run_questions(on_interrupt)
        self.run_functions(on_interrupt)

    def run_questions(self, on_interrupt: Callable[[], None]) -> None:
        """Run the waiting jobs that ask a person, as `run_jobs` does."""
        self._run_all(self._questions, on_interrupt)

    def run_functions(self, on_interrupt: Callable[[], None]) -> None:
        """Run the other jobs, as `run_jobs` does."""
        self._run_all(self._jobs, on_interrupt)

    def _run_all(self, jobs: queue.SimpleQueue[_Job], on_interrupt: Callable[[], None]) -> None:
        with suppress(queue.Empty):
            while True:
                self._do(jobs.get_nowait(), on_interrupt)

    def _do(self, job: _Job, on_interrupt: Callable[[], None]) -> None:
        handler, result = _Handler(_raise_in_job), None
        failed: BaseException | None = None
        try:
            context = self._context.copy()
            context.run(CURRENT_CALL.set, job.call)
            callers = None if self.loop is None else CallersLoop(self.loop, job.cancel)
            context.run(CALLERS_LOOP.set, callers)
            result = _call(lambda: context.run(job.function), handler)
        except BaseException as error:  # noqa: BLE001 - SystemExit would end the loop of all tasks
            failed = error
        if handler.interrupted or _is_interrupt(failed):
            # Cancel the turn first, so that it no longer waits for the answer.
            on_interrupt()
            _refuse(job, KeyboardInterrupt())
        elif isinstance(failed, Exception) and not isinstance(failed, StopIteration):
            _answer(job, _fail, failed)
        elif failed is not None:  # including StopIteration, which a future refuses
            _refuse(job, failed)
        else:
            _answer(job, _succeed, result)


def _is_interrupt(error: BaseException | None) -> bool:
    """Return whether an error means that a person interrupted.

    If a task that the function ran was stopped by other means, that is an ordinary error.
    """
    if isinstance(error, TaskInterrupted):
        return error.outcome.reason == "keyboard"
    return isinstance(error, KeyboardInterrupt)


def _call(function: Callable[[], T], handler: _Handler) -> T:
    """Call a function; SIGINT raises KeyboardInterrupt in it, and nowhere else."""
    if threading.current_thread() is not threading.main_thread():
        return function()
    before = signal.signal(signal.SIGINT, handler)
    try:
        return function()
    finally:
        # Here, not in a function: the frame tells the handler that the job is over.
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)


def _raise_in_job(number: int, frame: FrameType | None) -> None:
    if frame is None or frame.f_code is not _call.__code__:
        signal.default_int_handler(number, frame)


@contextmanager
def interrupts_raise() -> Iterator[None]:
    """Let SIGINT raise KeyboardInterrupt inside; an async cell would swallow it (ipykernel 7)."""
    with _on_sigint(signal.default_int_handler):
        yield


@contextmanager
def interrupts_stop(run: Interruptible) -> Iterator[None]:
    """Let SIGINT stop a run inside, once it has begun, instead of raising.

    A KeyboardInterrupt could be raised between any two lines of our own code.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        if not run.has_begun:
            signal.default_int_handler(number, frame)
        run.stop("keyboard")

    with _on_sigint(handle):
        yield


@contextmanager
def interrupts_call(function: Callable[[], None]) -> Iterator[None]:
    """Let SIGINT call a function inside; it must take no lock, since signals may nest."""
    with _on_sigint(lambda _number, _frame: function()):
        yield


@contextmanager
def _on_sigint(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, _Handler(handler))
    try:
        yield
    finally:
        # None: the handler was not installed from Python and cannot be restored from it.
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)


def _refuse(job: _Job, error: BaseException) -> None:
    _answer(job, _fail, ToolRefusal(explained(error)))


def _answer(job: _Job, how: Callable[[asyncio.Future[Any], Any], None], what: object) -> None:
    with suppress(RuntimeError):  # the session was closed meanwhile, so nobody waits for it
        job.loop.call_soon_threadsafe(how, job.answered, what)


def _succeed(answered: asyncio.Future[Any], result: object) -> None:
    if not answered.done():
        answered.set_result(result)


def _fail(answered: asyncio.Future[Any], error: BaseException) -> None:
    if not answered.done():
        answered.set_exception(error)

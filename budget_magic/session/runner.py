"""Run a turn: start it on the loop's thread, wait for it on the caller's, stop it from any."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Final, Self, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from budget_magic.events import Reason, TurnFinished
from budget_magic.loop import TurnContext, run_turn
from budget_magic.loop.endings import Stopped
from budget_magic.session.caller_executor import CallerExecutor, interrupts_call
from budget_magic.session.portal import Portal, cancel
from budget_magic.session.turns import Turn
from budget_magic.tools.loop_thread import is_loop_thread
from budget_magic.tools.text import explained

BEAT_S: Final = 0.05
"""How often a waiting thread wakes: some platforms see interrupts only then."""
BOOKED_WITHIN_S: Final = 5.0
"""How long a failing caller waits for its turn to be stopped and booked."""
STOPPED_WAITING: Final = "stopped waiting; the turn itself runs on: `task.stop()` stops it"

T = TypeVar("T")
Keep = Callable[[TurnFinished], None]


def nothing() -> None:
    """Do nothing when the waiting thread wakes."""


class Run:
    """A turn that is about to run, runs, or has ended; created on the thread that waits for it.

    As a context manager it leaves no running turn behind: an exception raised inside stops the
    turn and waits until it is booked. A KeyboardInterrupt is then swallowed, so that the caller
    can report how the turn ended, unless no turn was recorded.

    Parameters
    ----------
    portal
        The loop that the turn runs on.
    loop
        The caller's event loop, which must not be blocked: functions run in a thread beside it, or
        on it if they are async. None if a thread waits, or a cell that runs them itself.
    asks_on_loop
        Whether a person is asked on that loop all the same: a notebook's `input()` belongs to the
        main thread.
    """

    def __init__(
        self,
        portal: Portal,
        *,
        loop: asyncio.AbstractEventLoop | None = None,
        asks_on_loop: bool = False,
    ) -> None:
        self._portal = portal
        self.caller = CallerExecutor(loop)
        self._asks_on_loop = asks_on_loop
        self._helper: threading.Thread | None = None
        """Runs functions beside the caller's loop."""
        self.done = threading.Event()
        self.finished: TurnFinished | None = None
        self.turn: Turn | None = None
        """The turn, once it is recorded."""
        self.has_begun = False
        """Whether the turn may exist: from here on an interrupt stops it."""
        self._is_owned = False
        """Whether the thread that started the turn waits for it and runs its jobs."""
        self._stopped: Stopped | None = None
        self._task: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        # A signal handler may stop the run while this very thread holds the lock.
        self._lock = threading.RLock()
        self._turn: TurnContext | None = None

    def start(self, enter: Callable[[], TurnContext], keep: Keep) -> None:
        """Begin the turn that `enter` records; `keep` stores its end before waiting threads wake.

        Both are called on the loop's thread, where no interrupt can cut them short.
        """
        self.has_begun = True
        self._portal.call(lambda: self._enter(enter, keep))

    def on_loop(self, function: Callable[[TurnContext], None]) -> None:
        """Call a function with the turn on the loop's thread, if the turn still runs."""

        async def call() -> None:
            if self._turn is not None and not self.done.is_set():
                function(self._turn)

        self._portal.start(call)

    def stop(self, reason: Reason, why: str = "") -> None:
        """Stop the turn; the first reason counts. From any thread, any number of times."""
        with self._lock:
            if self._stopped is None:
                self._stopped = Stopped(reason=reason, why=why)
            task = self._task
        if task is not None and not self.done.is_set():
            cancel(task)

    def end(self, reason: Reason, why: str = "") -> None:
        """Stop the turn and wait until it is booked; one that has not begun never begins."""
        with self._lock:
            if self._task is None:
                self.done.set()
        if not self.done.is_set():
            self.stop(reason, why)
            if not is_loop_thread():
                self.done.wait(BOOKED_WITHIN_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if isinstance(error, KeyboardInterrupt):
            self.end("keyboard")
            return self.finished is not None
        if error is not None:
            failed = isinstance(error, Exception)
            self.end("stop_button", f"the display failed with {explained(error)}" if failed else "")
        return False

    def wait(self, on_beat: Callable[[], None] = nothing) -> TurnFinished:
        """Wait in this thread, which also runs the turn's jobs."""
        self._is_owned = True
        woken = threading.Event()
        with self.caller.waking(woken.set):
            while not self.done.is_set():
                self.caller.run_jobs(self._interrupt)
                on_beat()
                woken.wait(BEAT_S)
                woken.clear()
        return self.result()

    async def wait_async(
        self, on_cancel: Callable[[], None], on_beat: Callable[[], None] = nothing
    ) -> TurnFinished:
        """Wait in a coroutine; a cancellation of it calls `on_cancel` instead."""
        self._is_owned = True
        while True:
            try:
                return await self._until_done(self._interrupt, on_beat, is_owner=True)
            except asyncio.CancelledError:
                _uncancel()
                on_cancel()

    def watch(self) -> TurnFinished:
        """Wait in this thread for a turn that was started earlier.

        Raises
        ------
        KeyboardInterrupt
            The waiting was interrupted; the turn runs on.
        """
        woken, leaving = threading.Event(), _Leaving()
        with self.caller.waking(woken.set), interrupts_call(leaving.leave):
            while not self.done.is_set() and not leaving.is_asked:
                if not self._is_owned:
                    self.caller.run_jobs(leaving.leave)
                woken.wait(BEAT_S)
                woken.clear()
        if leaving.is_asked:
            raise KeyboardInterrupt(STOPPED_WAITING)
        return self.result()

    async def watch_async(self) -> TurnFinished:
        """Wait as `watch` does, in a coroutine; cancelling it ends only the waiting."""
        leaving = _Leaving()

        def beat() -> None:
            if leaving.is_asked:
                raise KeyboardInterrupt(STOPPED_WAITING)

        try:
            return await self._until_done(leaving.leave, beat, is_owner=False)
        except asyncio.CancelledError:
            raise asyncio.CancelledError(STOPPED_WAITING) from None

    def _interrupt(self) -> None:
        self.stop("keyboard")

    async def _until_done(
        self, on_interrupt: Callable[[], None], on_beat: Callable[[], None], *, is_owner: bool
    ) -> TurnFinished:
        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop has closed, so nobody waits on it
                loop.call_soon_threadsafe(woken.set)

        with self.caller.waking(wake):
            # On the loop itself the result must be there before it is asked for, or it blocks.
            while not self.done.is_set():
                if is_owner or not self._is_owned:
                    await self._run_jobs(on_interrupt)
                on_beat()
                # Not `wait_for`: before Python 3.12 it loses a cancellation that comes with the
                # event.
                with suppress(TimeoutError):
                    async with asyncio.timeout(BEAT_S):
                        await woken.wait()
                woken.clear()
        return self.result()

    async def _run_jobs(self, on_interrupt: Callable[[], None]) -> None:
        if self.caller.loop is not None:
            if self._asks_on_loop:
                self.caller.run_questions(on_interrupt)
            if self.caller.has_jobs and self._helper is None:
                self._helper = threading.Thread(
                    target=self._help, name="budget_magic caller", daemon=True
                )
                self._helper.start()
        elif not is_loop_thread():
            self.caller.run_jobs(on_interrupt)
        elif self.caller.has_jobs:
            # A tool of another task waits on the loop itself, which must not be held up.
            run_jobs = partial(self.caller.run_jobs, on_interrupt)
            await run_sync(run_jobs, limiter=CapacityLimiter(1))

    def _help(self) -> None:
        """Run the turn's jobs in a thread beside the caller's loop; a stop does not wait for it."""
        run = self.caller.run_functions if self._asks_on_loop else self.caller.run_jobs
        woken = threading.Event()
        with self.caller.waking(woken.set):
            while not self.done.is_set():
                run(self._interrupt)
                woken.wait(BEAT_S)
                woken.clear()

    def result(self) -> TurnFinished:
        """Return how the turn ended; raise the error if the bookkeeping itself failed."""
        if self._error is not None:
            raise self._error
        if self.finished is None:
            raise RuntimeError("the turn ended without a result")
        return self.finished

    def _enter(self, enter: Callable[[], TurnContext], keep: Keep) -> None:
        with self._lock:
            if self.done.is_set():  # given up before it began
                return
            try:
                self._turn = enter()
            except BaseException:
                self.done.set()
                raise
            main = self._main(self._turn, keep)
            self._task = asyncio.get_running_loop().create_task(main)

    async def _main(self, turn: TurnContext, keep: Keep) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine of the portal runs in a task
        try:
            if self._stopped is not None:
                task.cancel()
            finished = await run_turn(turn, lambda: self._stopped)
            keep(finished)
            self.finished = finished
        except BaseException as error:  # noqa: BLE001 - raised again where the turn is waited for
            self._error = error
        finally:
            self.done.set()
            self.caller.wake()


class _Leaving:
    """Whether a watching thread was interrupted; set by a signal handler, so without a lock."""

    is_asked = False

    def leave(self) -> None:
        self.is_asked = True


async def through(doing: asyncio.Future[T], on_cancel: Callable[[], None]) -> T:
    """Await something to its end; a cancellation calls `on_cancel` instead."""
    while not doing.done():
        try:
            await asyncio.shield(doing)
        except asyncio.CancelledError:
            if doing.cancelled():
                raise
            _uncancel()
            on_cancel()
    return doing.result()


def _uncancel() -> None:
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()

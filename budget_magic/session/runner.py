"""One run of a turn: started on the loop's thread, waited for on the caller's, stopped by all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from budget_magic.events import Reason, TurnFinished
from budget_magic.loop import TurnContext, run_turn
from budget_magic.loop.stop import Stopped
from budget_magic.session.caller import WaitingThread
from budget_magic.session.portal import cancel, portal
from budget_magic.session.turns import Turn
from budget_magic.tools.text import explained

BEAT_S: Final = 0.05
"""How often a waiting thread looks up by itself, so that interrupts are seen on every platform."""
BOOKED_WITHIN_S: Final = 5.0
"""How long a failing caller waits for its turn to be stopped and booked."""


Keep = Callable[[Turn, TurnFinished], None]


def nothing() -> None:
    """Do nothing between two looks."""


class Run:
    """A turn that is about to run, runs, or has ended; made on the thread that waits for it.

    As a context manager it never leaves a turn behind that nobody watches: whatever is raised
    inside stops the turn and waits until it is booked. A KeyboardInterrupt is then swallowed, so
    that the caller can tell how the turn ended; it goes on where no turn was recorded.
    """

    def __init__(self) -> None:
        self.caller = WaitingThread(lambda: self.stop("keyboard"))
        self.done = threading.Event()
        self.finished: TurnFinished | None = None
        self.turn: Turn | None = None
        """The turn, once it is recorded."""
        self.has_begun = False
        """Whether the turn may exist: from here on an interrupt stops it."""
        self._stopped: Stopped | None = None
        self._task: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        # A signal handler may stop the run while this very thread holds the lock.
        self._lock = threading.RLock()
        self._turn: TurnContext | None = None

    def start(self, enter: Callable[[], TurnContext], keep: Keep) -> None:
        """Begin the turn.

        Parameters
        ----------
        enter
            Records the turn; called on the loop's thread, where no interrupt can cut it short.
        keep
            Keeps how the turn ended; called there before anyone is woken.
        """
        self.has_begun = True
        portal().call(lambda: self._enter(enter, keep))

    def on_loop(self, function: Callable[[TurnContext], None]) -> None:
        """Have a function called on the loop's thread with the turn, while it runs."""
        turn = self._turn
        if turn is None or self.done.is_set():
            return

        async def call() -> None:
            function(turn)

        portal().start(call)

    def stop(self, reason: Reason, why: str = "") -> None:
        """Stop the turn; the first reason counts. From any thread, any number of times."""
        with self._lock:
            if self._stopped is None:
                self._stopped = Stopped(reason=reason, why=why)
            task = self._task
        if task is not None and not self.done.is_set():
            cancel(task)

    def end(self, reason: Reason, why: str = "") -> None:
        """Stop the turn and wait until it is booked; one that has not begun never will."""
        with self._lock:
            if self._task is None:
                self.done.set()
        if not self.done.is_set():
            self.stop(reason, why)
            if not portal().is_here:
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
        """Wait in this thread, doing the work that must be done here."""
        woken = threading.Event()
        self.caller.wake_with(woken.set)
        while not self.done.is_set():
            self.caller.work_off()
            on_beat()
            woken.wait(BEAT_S)
            woken.clear()
        return self.result()

    async def wait_async(
        self, on_cancel: Callable[[], None], on_beat: Callable[[], None] = nothing
    ) -> TurnFinished:
        """Wait in a coroutine; `on_cancel` decides what a cancellation of it does."""
        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(woken.set)

        self.caller.wake_with(wake)
        # On the loop itself the result must be there before it is asked for: asking would block.
        while not self.done.is_set():
            on_beat()
            try:
                await self._work_off()
                await asyncio.wait_for(woken.wait(), BEAT_S)
            except TimeoutError:
                continue
            except asyncio.CancelledError:
                _uncancel()
                on_cancel()
            woken.clear()
        return self.result()

    async def _work_off(self) -> None:
        if not portal().is_here:
            self.caller.work_off()
        elif self.caller.is_asked:
            # A tool of another task waits on the loop itself, which must not be held up.
            await run_sync(self.caller.work_off, limiter=CapacityLimiter(1))

    def result(self) -> TurnFinished:
        """Return how the turn ended; raises what broke the bookkeeping itself."""
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
            if self.turn is not None:
                keep(self.turn, finished)
            self.finished = finished
        except BaseException as error:  # noqa: BLE001 - raised again where the turn is waited for
            self._error = error
        finally:
            self.done.set()
            self.caller.wake()


def _uncancel() -> None:
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()

"""One run of a turn: started on the loop's thread, waited for on the caller's, stopped by all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from budget_magic.events import Reason, TurnFinished
from budget_magic.loop import TurnContext, run_turn
from budget_magic.session.caller import WaitingThread
from budget_magic.session.portal import cancel, portal

BEAT_S = 0.05
"""How often a waiting thread looks up by itself, so that interrupts are seen on every platform."""


def nothing() -> None:
    """Do nothing between two looks."""


class Run:
    """A turn that is running, or has ended.

    Parameters
    ----------
    caller
        Where functions of the notebook run.
    """

    def __init__(self, caller: WaitingThread) -> None:
        self.caller = caller
        self.done = threading.Event()
        self.finished: TurnFinished | None = None
        self.stopped_by: Reason | None = None
        self._task: asyncio.Task[object] | None = None
        self._future: Future[None] | None = None
        self._lock = threading.Lock()
        self._turn: TurnContext | None = None

    def start(
        self, make_turn: Callable[[], TurnContext], keep: Callable[[TurnFinished], None]
    ) -> None:
        """Begin; both functions are called on the loop's thread, `keep` before anyone is woken."""
        self._future = portal().start(lambda: self._main(make_turn, keep))

    def on_loop(self, function: Callable[[TurnContext], None]) -> None:
        """Have a function called on the loop's thread with the turn, while it runs."""
        turn = self._turn
        if turn is None or self.done.is_set():
            return

        async def call() -> None:
            function(turn)

        portal().start(call)

    def stop(self, reason: Reason) -> None:
        """Stop the turn; the first reason counts. From any thread, any number of times."""
        with self._lock:
            if self.stopped_by is None:
                self.stopped_by = reason
            task = self._task
        if task is not None and not self.done.is_set():
            cancel(task)

    def wait(self, on_beat: Callable[[], None] = nothing) -> TurnFinished:
        """Wait in this thread, doing the work that must be done here; Ctrl-C stops the turn."""
        woken = threading.Event()
        self.caller.wake_with(woken.set)
        while not self.done.is_set():
            try:
                self.caller.work_off()
                on_beat()
                woken.wait(BEAT_S)
                woken.clear()
            except KeyboardInterrupt:
                self.stop("keyboard")
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
        while not self.done.is_set() or (self._future is not None and not self._future.done()):
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
        if not portal().is_here():
            self.caller.work_off()
        elif self.caller.is_asked:
            # A tool of another task waits on the loop itself, which must not be held up.
            await run_sync(self.caller.work_off, limiter=CapacityLimiter(1))

    def result(self) -> TurnFinished:
        """How the turn ended; raises what broke the loop itself."""
        if self._future is not None:
            self._future.result()
        if self.finished is None:
            raise RuntimeError("the turn ended without a result")
        return self.finished

    async def _main(
        self, make_turn: Callable[[], TurnContext], keep: Callable[[TurnFinished], None]
    ) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine of the portal runs in a task
        try:
            with self._lock:
                self._task = task
                stopped_early = self.stopped_by is not None
            turn = self._turn = make_turn()
            if stopped_early:
                task.cancel()
            self.finished = await run_turn(turn, lambda: self.stopped_by)
            keep(self.finished)
            while task.cancelling():
                task.uncancel()
        finally:
            self.done.set()
            self.caller.wake()


def _uncancel() -> None:
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()

"""The context of a tool call: notices, reservations, cancellation and time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, InvalidStateError, wait
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Protocol, Self, TypeVar

from budget_magic.errors import ToolRefusal
from budget_magic.events import NoticePosted
from budget_magic.meter.account import Account, Amount
from budget_magic.tools.loop_thread import BEAT_S, FunctionLoop, run_coroutine, without_exit

T = TypeVar("T")


class RunInCaller(Protocol):
    """Runs a function on the thread that waits for the turn (the notebook's), one at a time.

    An `Exception` of the function is raised here, any other BaseException as a `ToolRefusal`. An
    interrupt of the waiting thread reaches the loop as a cancellation of the turn.
    """

    async def __call__(self, function: Callable[[], T], /) -> T:
        """Return what the function returns."""
        ...


class CancelToken:
    """Tells a call, on any thread, that its result is no longer awaited."""

    def __init__(self) -> None:
        self._cancelled: Future[None] = Future()

    @property
    def is_cancelled(self) -> bool:
        """Whether the call should end now."""
        return self._cancelled.done()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Block until cancelled, at most this long; return whether it was cancelled."""
        return bool(wait([self._cancelled], timeout_s).done)

    def on_cancel(self, callback: Callable[[], object]) -> None:
        """Call a function when the call is cancelled, or now if it already is."""

        def call(_: Future[None]) -> None:
            with suppress(Exception):  # a failing callback must not keep the turn from stopping
                callback()

        self._cancelled.add_done_callback(call)

    def cancel(self) -> None:
        """Cancel the call; later cancellations do nothing."""
        with suppress(InvalidStateError):
            self._cancelled.set_result(None)


class Reservation:
    """An amount held in the task's accounts while a tool spends; a context manager.

    `settle` replaces it by what was spent. Without that, the whole amount counts as unconfirmed
    when the context is left.
    """

    def __init__(self, book: Callable[[Amount, Amount], None], held: Amount) -> None:
        self._book, self._held = book, held
        self._is_open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._settle(Amount(), self._held)

    def settle(self, *, usd: Decimal = Decimal(0), tokens: int = 0) -> None:
        """Book what was spent and release the rest; only the first call counts."""
        self._settle(amount(usd, tokens), Amount())

    def _settle(self, spent: Amount, unconfirmed: Amount) -> None:
        if self._is_open:
            self._is_open = False
            self._book(spent, unconfirmed)


class Reserve(Protocol):
    """Holds an amount under every ceiling of the task."""

    def __call__(self, *, usd: Decimal = Decimal(0), tokens: int = 0) -> Reservation:
        """Return a reservation; raise `ToolRefusal` if a ceiling has no room for it now."""
        ...


def amount(usd: Decimal, tokens: int) -> Amount:
    """Check an amount that a tool reserves or has spent; a negative one would lift a ceiling."""
    is_money = isinstance(usd, Decimal | int) and Decimal(usd).is_finite() and usd >= 0
    if not (is_money and isinstance(tokens, int) and tokens >= 0):
        raise ToolRefusal(
            "a tool must reserve and spend US dollars as a Decimal and whole tokens, at least 0"
        )
    return Amount(usd=Decimal(usd), tokens=tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """What a tool may use during one call; usable from any thread.

    After the call was answered, `emit` and `reserve` raise `ToolRefusal`.
    """

    turn: int
    step: int
    call_id: str
    emit: Callable[[NoticePosted | str], None]
    """Record a notice to the reader; other facts come from the loop."""
    reserve: Reserve
    run_in_caller: RunInCaller
    function_loop: FunctionLoop = field(default_factory=FunctionLoop)
    """Runs async functions of the notebook."""
    cancel: CancelToken = field(default_factory=CancelToken)
    """Set when the turn stops, is interrupted, or runs out of time during the call."""
    session: object = None
    parent: str | None = None
    """Id of the record of this call: the parent of the turns that the tool runs."""
    accounts: tuple[Account, ...] = ()
    """The accounts that also count tasks run by the tool: the task's and those above it."""


CURRENT_CALL: Final[ContextVar[ToolContext | None]] = ContextVar("budget_magic_call", default=None)
"""The innermost tool call that runs this code; None outside of tools."""


@dataclass(frozen=True, slots=True)
class CallersLoop:
    """The event loop that awaits a turn, where async functions of its caller belong."""

    loop: asyncio.AbstractEventLoop
    cancel: CancelToken
    """Set when the result is no longer awaited."""


CALLERS_LOOP: Final[ContextVar[CallersLoop | None]] = ContextVar(
    "budget_magic_callers_loop", default=None
)
"""The loop that awaits the turn for which this code runs; None if a thread waits for it."""


def run_for_caller(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine of the caller's code while this thread waits: on its loop if it has one."""
    callers = CALLERS_LOOP.get()
    if callers is None:
        return run_coroutine(coroutine)
    future = asyncio.run_coroutine_threadsafe(without_exit(coroutine), callers.loop)
    callers.cancel.on_cancel(future.cancel)
    while not wait([future], BEAT_S).done:
        pass
    return future.result()


class TimeLimit:
    """The time limit of one call, which the work polls: a thread cannot be ended from outside.

    `cancel` ends it sooner; None takes the token of the current call.
    """

    def __init__(self, limit_s: float, cancel: CancelToken | None = None) -> None:
        call = CURRENT_CALL.get()
        self.limit_s = limit_s
        self.cancel = cancel or (call.cancel if call else CancelToken())
        self._until_s = time.monotonic() + limit_s

    @property
    def is_over(self) -> bool:
        """Whether the work must end now."""
        return self.cancel.is_cancelled or self.left_s <= 0

    @property
    def left_s(self) -> float:
        """Seconds left, not below 0."""
        return max(self._until_s - time.monotonic(), 0.0)

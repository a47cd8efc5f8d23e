"""The call of a tool under way: what holds for the tasks that the tool runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from budget_magic.meter.reserve import Account


@dataclass(slots=True, kw_only=True)
class Calling:
    """One call of a tool, as the tasks that it runs see it."""

    session: object
    """What those tasks belong to."""
    record: str | None
    """Id of the record of the call: the parent of what those tasks record."""
    accounts: tuple[Account, ...]
    """Those of the task that made the call, its own first, and of all tasks around it."""
    _stops: list[Callable[[], None]] = field(default_factory=list)
    _is_over: bool = False

    def on_stop(self, stop: Callable[[], None]) -> None:
        """Have a task stopped when the call is stopped; at once if it was already."""
        self._stops.append(stop)
        if self._is_over:
            stop()

    def stop(self) -> None:
        """Stop the tasks: nobody waits for the call any more."""
        self._is_over = True
        for stop in list(self._stops):
            stop()


CALLING: Final[ContextVar[Calling | None]] = ContextVar("budget_magic_calling", default=None)
"""The innermost call in whose function this code runs; None outside of any."""


@contextmanager
def calling(session: object, record: str | None, accounts: tuple[Account, ...]) -> Iterator[None]:
    """Let the tasks that are run inside count against these accounts, and end with the call."""
    call = Calling(session=session, record=record, accounts=accounts)
    token = CALLING.set(call)
    try:
        yield
    except BaseException:
        call.stop()
        raise
    finally:
        CALLING.reset(token)

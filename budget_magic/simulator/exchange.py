"""One request and its answer: what a transport plays, and what tests look at afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from budget_magic.simulator.bill import BilledRequest
from budget_magic.simulator.signals import Signal
from budget_magic.simulator.stream import Send, Wait
from budget_magic.simulator.tokens import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Nothing more is sent until the client goes away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Nothing is sent until the signal is set."""

    until: Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """The connection breaks here."""


Step = Send | Wait | Silence | Hold | Break


@dataclass(slots=True, kw_only=True)
class RequestRecord:
    """A request that was received, and what became of it."""

    number: int
    """Place among the requests of its list, from 0."""
    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: JsonObject
    received_at: float
    """By the simulator's clock."""
    status: int = 200
    error: str | None = None
    """The message of an error status; None where there is none."""
    remaining_before: int | None = None
    """The countdown that the model saw; None without a budget."""
    remaining_after: int | None = None
    """The countdown after the whole reply."""
    prompt_tokens: int | None = None
    billed: BilledRequest | None = None
    """None where the request costs nothing."""
    finished: bool = False
    """Whether the answer was sent to its end, broken ends included."""
    closed_early: bool = False
    """Whether the client went away before that."""
    closed_while_silent: bool = False
    """Whether it went away while nothing was being sent on purpose."""
    silent: Signal = field(default_factory=Signal)
    """Set when the simulator goes silent or holds."""
    disconnected: Signal = field(default_factory=Signal)
    """Set when the client has gone away early."""
    ended: Signal = field(default_factory=Signal)
    """Set when the answer is over, whichever way."""


@dataclass(slots=True, kw_only=True)
class Exchange:
    """An answer that a transport plays step by step."""

    record: RequestRecord
    status: int
    headers: dict[str, str]
    opening: tuple[Step, ...]
    """Steps before the headers."""
    steps: Iterator[Step]
    """The body; costs are booked as it is played."""
    refuses: bool = False
    """Whether there is not even a connection."""
    _quiet: bool = False

    def going_quiet(self) -> None:
        """Tell that nothing is being sent now."""
        self._quiet = True
        self.record.silent.set()

    def going_on(self) -> None:
        """Tell that sending goes on."""
        self._quiet = False

    def finish(self) -> None:
        """Tell that the answer was sent to its end."""
        self.record.finished = True
        self.record.ended.set()

    def close(self) -> None:
        """Tell that the client is gone; does nothing after the end."""
        if self.record.finished or self.record.closed_early:
            return
        self.record.closed_early = True
        self.record.closed_while_silent = self._quiet
        self.record.disconnected.set()
        self.record.ended.set()

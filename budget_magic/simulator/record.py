"""The record of a request: what was received, and how it was answered."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field

from budget_magic.simulator.bill import BilledRequest
from budget_magic.simulator.signals import Signal
from budget_magic.simulator.tokens import JsonObject


@dataclass(slots=True, kw_only=True)
class RequestRecord:
    """A request that was received, and how it was answered."""

    number: int
    """Position among the requests of its list, from 0."""
    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    size: int
    """Bytes of the body."""
    body: JsonObject = field(default_factory=dict)
    status: int = 200
    error: str | None = None
    remaining_before: int | None = None
    """The countdown that the model saw; None without a budget."""
    remaining_after: int | None = None
    """The countdown after the whole reply."""
    prompt_tokens: int | None = None
    billed: BilledRequest | None = None
    """None if the request costs nothing."""
    finished: bool = False
    """Whether the response was sent to its end, even a broken one."""
    closed_early: bool = False
    """Whether the client disconnected before that."""
    closed_while_silent: bool = False
    """Whether the response was silent or held at that time."""
    silent: Signal = field(default_factory=Signal)
    disconnected: Signal = field(default_factory=Signal)
    _is_silent: bool = False

    async def stay_silent(self, until: Awaitable[object]) -> None:
        """Send nothing until then; a client that disconnects meanwhile cancels this."""
        self._is_silent = True
        self.silent.set()
        await until
        self._is_silent = False

    def close(self) -> None:
        """Note that the client disconnected, unless the response had ended."""
        if not self.finished and not self.closed_early:
            self.closed_early = True
            self.closed_while_silent = self._is_silent
            self.disconnected.set()

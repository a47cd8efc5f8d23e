"""Room under shared ceilings: a request reserves in one go, or waits holding nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

import anyio

from budget_magic.meter.reserve import (
    Account,
    Amount,
    Demand,
    Granted,
    MustWait,
    Refused,
    reserve,
)


class Room:
    """All reservations of one process; used on the loop's thread only."""

    def __init__(self) -> None:
        self._changed = anyio.Event()
        self._open: dict[int, Granted] = {}
        """Grants that are not settled yet, by identity."""

    async def reserve(
        self,
        demand: Demand,
        accounts: Iterable[Account],
        on_wait: Callable[[Account], None],
    ) -> Granted | Refused:
        """Hold the worst case of a request, waiting while others hold what it needs.

        Parameters
        ----------
        demand
            What is to be sent.
        accounts
            The chain of ceilings it must fit under.
        on_wait
            Called once, with the account that is full, before the first wait.
        """
        waited = False
        while isinstance(decision := reserve(demand, accounts), MustWait):
            if not waited:
                on_wait(decision.account)
                waited = True
            await self._changed.wait()
        if isinstance(decision, Granted):
            self._open[id(decision)] = decision
        return decision

    def settle(
        self,
        granted: Granted,
        accounts: Iterable[Account],
        *,
        spent: Amount | None = None,
        unconfirmed: Amount | None = None,
    ) -> bool:
        """Replace what was held and wake the requests that wait; False where it was done before."""
        if self._open.pop(id(granted), None) is None:
            return False
        for account in accounts:
            account.settle(
                granted.hold,
                spent=spent or Amount(usd=Decimal(0), tokens=0),
                unconfirmed=unconfirmed,
            )
        self._changed.set()
        self._changed = anyio.Event()
        return True

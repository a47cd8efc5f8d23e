"""Reserve room under shared ceilings at once, or wait without holding anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import anyio

from budget_magic.events import AttemptFailed, StepFinished
from budget_magic.meter.account import Account, Amount, book, release
from budget_magic.meter.reserve import Demand, Granted, MustWait, Refused, reserve


class ReservationGate:
    """All reservations of one process; used on the loop's thread only."""

    def __init__(self) -> None:
        self._changed = anyio.Event()
        self._open: dict[int, Granted] = {}
        """Grants that are not settled yet, by identity."""

    async def reserve(
        self, demand: Demand, accounts: Iterable[Account], on_wait: Callable[[Account], None]
    ) -> Granted | Refused:
        """Hold the worst case of a request, waiting while others hold what it needs.

        `on_wait` is called once, with the account that is full, before the first wait.
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
        fact: AttemptFailed | StepFinished | None = None,
    ) -> bool:
        """Replace the hold by what `fact` books, or by nothing, and wake waiting requests.

        Returns False if it was settled before.
        """
        if id(granted) not in self._open:
            return False
        chain = tuple(accounts)
        if fact is not None:
            book(fact, chain)
        # Not before: whatever breaks in between leaves the request held.
        del self._open[id(granted)]
        for account in chain:
            account.settle(granted.hold)
        self._wake()
        return True

    def hold_for_tool(self, amount: Amount, accounts: Iterable[Account]) -> Account | None:
        """Hold an amount for a tool in every account, or in none and return one without room.

        Requests do not wait for it: the waiting one may belong to a task that the same tool runs.
        """
        chain = tuple(accounts)
        full = next((account for account in chain if not account.has_room(amount)), None)
        if full is None:
            for account in chain:
                account.held += amount
        return full

    def settle_tool(
        self, held: Amount, accounts: Iterable[Account], *, spent: Amount, unconfirmed: Amount
    ) -> None:
        """Replace what was held for a tool by what it spent, or may have spent."""
        for account in accounts:
            account.held -= held
            account.count(spent, unconfirmed, is_below=True)
        self._wake()

    def release(self, account: Account) -> None:
        """Release what requests of a task hold, in every account of their chains."""
        release(account)
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

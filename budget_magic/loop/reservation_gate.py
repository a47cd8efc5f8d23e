"""Room under shared ceilings: a request reserves in one go, or waits holding nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import anyio

from budget_magic.meter.reserve import (
    Account,
    Amount,
    CutOff,
    Demand,
    Granted,
    MustWait,
    Refused,
    reserve,
)


class ReservationGate:
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

    def settle(  # noqa: PLR0913 - what is booked of a request
        self,
        granted: Granted,
        accounts: Iterable[Account],
        *,
        spent: Amount | None = None,
        unconfirmed: Amount | None = None,
        at_least: Amount | None = None,
        is_cut_off: bool = True,
        is_reply: bool = False,
    ) -> bool:
        """Replace what was held and wake the requests that wait; False where it was done before.

        Parameters
        ----------
        granted, accounts
            What was held, and the chain it was held in.
        spent
            What was used, by usage figures.
        unconfirmed, at_least
            What may have been used besides at most, and at least; held at the most until that is
            let go (`release`).
        is_cut_off
            Whether `unconfirmed` stands for a whole request, which can be let go, rather than for
            a part of its price.
        is_reply
            Whether the request was answered, with invalid usage.
        """
        if self._open.pop(id(granted), None) is None:
            return False
        chain, spent, cut_off = tuple(accounts), spent or Amount(), None
        if is_cut_off and unconfirmed is not None and unconfirmed != Amount():
            least = at_least or Amount()
            cut_off = CutOff(
                task=chain[0].name,
                most=unconfirmed,
                least=least,
                accounts=chain,
                is_reply=is_reply,
            )
        part = None if cut_off else unconfirmed
        for account in chain:
            account.settle(granted.hold, spent=spent, unconfirmed=part, cut_off=cut_off)
            if account is not chain[0]:
                account.spent_below += spent
                account.unconfirmed_below += unconfirmed or Amount()
        self._wake()
        return True

    def hold_for_tool(self, amount: Amount, accounts: Iterable[Account]) -> Account | None:
        """Hold an amount for a tool in every account, or in none and return one without room.

        Requests do not wait for it: one that waits may be made by a task that the same tool runs.
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
            account.spent += spent
            account.spent_below += spent
            account.unconfirmed += unconfirmed
            account.unconfirmed_below += unconfirmed
        self._wake()

    def release(self, account: Account) -> None:
        """Release what requests of a task hold, in every account of their chains."""
        for cut_off in [one for one in account.cut_off if one.accounts[0] is account]:
            for each in cut_off.accounts:
                each.release(cut_off)
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

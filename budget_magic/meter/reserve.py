"""Reserve: what a request may take under every ceiling above it, as pure arithmetic."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Final, Literal

from budget_magic.meter.account import Account, Amount
from budget_magic.meter.cost import expected_usd, worst_case_usd
from budget_magic.models import PriceTable

MOST_STEP_REPLY_TOKENS: Final = 4_096
"""Largest reply for which an ordinary step must have room."""
LAST_REPLY_TOKENS: Final = 1_024
"""Smallest reply for which anything is sent, even a last answer."""
REPLY_ALLOWANCE: Final = Decimal("1.25")
"""Reply for which an ordinary step must have room, as a multiple of the mean reply so far."""
LAST_ANSWER_RESULT_TOKENS: Final = 500
"""Tool results that the prompt of a last answer may carry beside the step before it."""

CeilingReason = Literal["cost_ceiling", "token_ceiling", "session_ceiling"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a request needs, before its `max_tokens` is known."""

    prompt_tokens: int
    """Upper bound of the prompt."""
    known_tokens: int
    """The part of it that the last request left in the cache."""
    wanted_tokens: int
    """Largest `max_tokens` that settings, model and context window allow."""
    prices: PriceTable | None
    """None only if the cost ceilings are open."""
    factor: Decimal
    """Multiplies prices, such as 1.1 until a reply names its inference region."""
    first: bool
    """Whether it is the first request of a turn."""
    wrap_up: bool
    """Whether room is kept for a last answer."""
    must_be_last: bool = False
    """Whether the step or time ceiling, or a cut reply, makes this the last step."""
    reply_tokens: int = MOST_STEP_REPLY_TOKENS
    """Smallest reply for which an ordinary step is worth sending."""

    def worst(self, output_tokens: int) -> Amount:
        """Return what the request takes at most with this many reply tokens."""
        return self._worst(self.prompt_tokens, output_tokens)

    def with_last_answer(self, output_tokens: int, account: Account) -> Amount:
        """Return what the request takes if its prefix is cached, and a last answer after it.

        The last answer counts at worst case: its prompt is that of this request, the whole reply
        and 500 tokens of results, all written to the cache once more.
        """
        new = self.prompt_tokens - self.known_tokens
        usd = Decimal(0)
        if self.prices is not None:
            usd = expected_usd(
                self.prices,
                known_tokens=self.known_tokens,
                new_tokens=new,
                output_tokens=output_tokens,
                factor=self.factor,
            )
        last_prompt = self.prompt_tokens + output_tokens + LAST_ANSWER_RESULT_TOKENS
        last = self._worst(last_prompt, account.last_answer_tokens)
        return Amount(usd=usd, tokens=new + output_tokens) + last

    def _worst(self, prompt_tokens: int, output_tokens: int) -> Amount:
        usd = Decimal(0)
        if self.prices is not None:
            usd = worst_case_usd(
                self.prices,
                prompt_tokens=prompt_tokens,
                output_tokens=output_tokens,
                factor=self.factor,
            )
        return Amount(usd=usd, tokens=prompt_tokens + output_tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """The request may be sent."""

    max_tokens: int
    last_answer: bool
    hold: Amount
    shrunk_by: CeilingReason | None
    """The ceiling that made `max_tokens` smaller than wanted, or this the last answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The request does not fit."""

    account: Account
    reason: CeilingReason
    needs: Amount
    """The least it would have to hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MustWait:
    """The request does not fit only because others hold reservations."""

    account: Account


def reserve(demand: Demand, accounts: Iterable[Account]) -> Granted | Refused | MustWait:
    """Decide on a request and hold its worst case in every account, or hold nothing.

    Parameters
    ----------
    demand
        What is to be sent.
    accounts
        The chain from the task's own account up; each must have room. Accounts above the first are
        shared with other tasks: no room for a last answer is kept there.

    Notes
    -----
    An ordinary step is granted if the reply it needs (`needed_reply`) fits at worst case and, at
    expected prices, beside a last answer at worst case; otherwise a last answer if 1,024 tokens of
    reply fit at worst case; otherwise nothing. `max_tokens` is the largest that passes. If what the
    task's own ceilings allow does not fit only because others hold reservations, the request waits
    before it shrinks.
    """
    chain = tuple(accounts)
    alone = _decide(demand, chain[:1])
    if isinstance(alone, Refused):
        return alone
    for account in chain[1:]:
        if account.requests_held and not account.has_room(alone.hold):
            return MustWait(account=account)
    decision = _decide(demand, chain)
    if isinstance(decision, Granted):
        for account in chain:
            account.hold(decision.hold)
    return decision


def needed_reply(mean_reply_tokens: float, max_tokens: int) -> int:
    """Return the smallest reply for which an ordinary step is worth sending.

    `mean_reply_tokens` is that of this turn so far, 0 before the first reply.

    >>> needed_reply(1_600, 32_000), needed_reply(0, 32_000), needed_reply(9_000, 32_000)
    (2000, 1024, 4096)
    """
    wanted = int(REPLY_ALLOWANCE * int(mean_reply_tokens))
    return min(max(wanted, LAST_REPLY_TOKENS), MOST_STEP_REPLY_TOKENS, max_tokens)


def _decide(demand: Demand, chain: tuple[Account, ...]) -> Granted | Refused:
    own = chain[0]
    rooms = [(_most(demand, account, demand.worst), account) for account in chain]
    room, tightest = min(rooms, key=lambda pair: pair[0])
    least = min(LAST_REPLY_TOKENS, demand.wanted_tokens)
    if room < least:
        reason = _reason(demand, own, tightest, least)
        return Refused(account=tightest, reason=reason, needs=demand.worst(least))
    last_answer, nearest = demand.must_be_last and demand.wrap_up, tightest
    if demand.wrap_up and not demand.must_be_last and not demand.first:
        beside = _most(demand, own, partial(demand.with_last_answer, account=own))
        needed = min(demand.reply_tokens, demand.wanted_tokens)
        last_answer = min(room, beside) < needed
        if last_answer:
            nearest = tightest if room < needed else own
        elif beside < room:
            room, nearest = beside, own
    max_tokens = min(room, demand.wanted_tokens)
    is_limited = max_tokens < demand.wanted_tokens or (last_answer and not demand.must_be_last)
    return Granted(
        max_tokens=max_tokens,
        last_answer=last_answer,
        hold=demand.worst(max_tokens),
        shrunk_by=_reason(demand, own, nearest, max_tokens + 1) if is_limited else None,
    )


def _most(demand: Demand, account: Account, needs: Callable[[int], Amount]) -> int:
    """Return the largest reply for which `needs` stays within the account; -1 if none fits."""
    if account.has_room(needs(demand.wanted_tokens)):
        return demand.wanted_tokens
    sizes = range(demand.wanted_tokens + 1)
    return bisect_left(sizes, 1, key=lambda size: 0 if account.has_room(needs(size)) else 1) - 1


def _reason(demand: Demand, own: Account, account: Account, output_tokens: int) -> CeilingReason:
    if account is not own:
        return "session_ceiling"
    usd, _ = account.headroom()
    beside = demand.with_last_answer(output_tokens, account)
    needs = max(demand.worst(output_tokens).usd, beside.usd)
    return "cost_ceiling" if usd is not None and needs > usd else "token_ceiling"

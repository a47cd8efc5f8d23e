"""Reserve and settle: what a request may take under every ceiling above it, as pure arithmetic."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal

from budget_magic.meter.cost import expected_usd, worst_case_usd
from budget_magic.models import PriceTable

MOST_STEP_REPLY_TOKENS: Final = 4_096
"""The most room for a reply that an ordinary step asks for; with less it may still be sent."""
LAST_REPLY_TOKENS: Final = 1_024
"""Room for a reply below which nothing is sent, not even a last answer."""
REPLY_ALLOWANCE: Final = Decimal("1.25")
"""Room for a reply, as a multiple of the mean reply so far."""
LAST_ANSWER_RESULT_TOKENS: Final = 500
"""Tool results that the prompt of a last answer may carry beside the step before it."""
LAST_ANSWER_TOKENS: Final = 1_500
"""Reply for which room is kept."""
LARGE_CEILING_USD: Final = Decimal("0.80")
LAST_ANSWER_TOKENS_UNDER_LARGE_CEILINGS: Final = 2_000

CeilingReason = Literal["cost_ceiling", "token_ceiling", "session_ceiling"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """Dollars and the tokens that count against token ceilings."""

    usd: Decimal = Decimal(0)
    tokens: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(usd=self.usd + other.usd, tokens=self.tokens + other.tokens)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(usd=self.usd - other.usd, tokens=self.tokens - other.tokens)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CutOff:
    """A request of unknown cost, held at its worst case until that is released."""

    task: str
    """Name of the task that sent it."""
    most: Amount
    """Its worst case."""
    least: Amount
    """The part that had streamed, an estimate."""
    accounts: tuple[Account, ...] = field(repr=False)
    """Where it is held, the task's own first."""
    is_reply: bool = False
    """Whether it was answered, with invalid usage."""


@dataclass(slots=True, kw_only=True, eq=False)
class Account:
    """One ceiling and what stands against it; changed only on the loop's thread."""

    name: str
    """How a sentence calls it: `audit`, or "this kernel session"."""
    cost_usd: Decimal | None
    total_tokens: int | None
    of_task: bool = False
    """Whether it is a task's own; above another task's, a tool of its task runs that one."""
    simulated: bool = False
    """Whether its task is simulated: simulated spend counts against such accounts only."""
    cost_setting: str = ""
    """What sets the cost ceiling of a group or session: a setting, a variable, or a cap."""
    tokens_setting: str = ""
    """Likewise the token ceiling."""
    spent: Amount = field(default_factory=Amount)
    """Confirmed by usage figures."""
    spent_below: Amount = field(default_factory=Amount)
    """The part of `spent` that accounts below it in a chain were charged too."""
    unconfirmed: Amount = field(default_factory=Amount)
    """Worst case of requests that broke, or what had streamed of it; counts like spent."""
    unconfirmed_below: Amount = field(default_factory=Amount)
    """The part of `unconfirmed` that accounts below it in a chain hold too."""
    cut_off: list[CutOff] = field(default_factory=list)
    """Requests whose worst case is in `unconfirmed`."""
    held: Amount = field(default_factory=Amount)
    """Worst case of requests under way."""
    requests_held: int = 0

    @property
    def held_unconfirmed(self) -> Amount:
        """The part of `unconfirmed` that can be released."""
        return sum((one.most for one in self.cut_off), Amount())

    @property
    def last_answer_tokens(self) -> int:
        """Reply tokens of the last answer for which room is kept."""
        if self.cost_usd is None or self.cost_usd >= LARGE_CEILING_USD:
            return LAST_ANSWER_TOKENS_UNDER_LARGE_CEILINGS
        return LAST_ANSWER_TOKENS

    def headroom(self) -> tuple[Decimal | None, int | None]:
        """Return what is left in dollars and in tokens; None where the account is open."""
        taken = self.spent + self.unconfirmed + self.held
        usd = None if self.cost_usd is None else self.cost_usd - taken.usd
        tokens = None if self.total_tokens is None else self.total_tokens - taken.tokens
        return usd, tokens

    def has_room(self, amount: Amount) -> bool:
        """Return whether this much more stays within the ceilings."""
        usd, tokens = self.headroom()
        return (usd is None or amount.usd <= usd) and (tokens is None or amount.tokens <= tokens)

    def hold(self, amount: Amount) -> None:
        """Take the worst case of a request before it is sent."""
        self.held += amount
        self.requests_held += 1

    def settle(
        self,
        held: Amount,
        *,
        spent: Amount,
        unconfirmed: Amount | None = None,
        cut_off: CutOff | None = None,
    ) -> None:
        """Replace what was held by what was used, or by what may have been.

        Parameters
        ----------
        held
            What `hold` took.
        spent
            Confirmed by usage figures.
        unconfirmed
            A part of the price that may have been charged beside that; None for nothing.
        cut_off
            The request, where it counts at its worst case, which can be let go.
        """
        self.held -= held
        self.requests_held -= 1
        self.spent += spent
        if unconfirmed is not None:
            self.unconfirmed += unconfirmed
        if cut_off is not None:
            self.unconfirmed += cut_off.most
            self.cut_off.append(cut_off)

    def release(self, cut_off: CutOff) -> None:
        """Replace the worst case of a request that broke by what had streamed, if it is held."""
        if cut_off in self.cut_off:
            self.cut_off.remove(cut_off)
            released = cut_off.most - cut_off.least
            self.unconfirmed -= released
            if cut_off.accounts[0] is not self:
                self.unconfirmed_below -= released


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
    """None only where the cost ceilings are open."""
    factor: Decimal
    """What prices are multiplied by, such as 1.1 until a reply names its inference region."""
    first: bool
    """Whether it is the first request of a turn."""
    wrap_up: bool
    """Whether room is kept for a last answer."""
    must_be_last: bool = False
    """Whether the step or the time ceiling makes this the last step, or a cut reply does."""
    reply_tokens: int = MOST_STEP_REPLY_TOKENS
    """Room for a reply without which an ordinary step is not worth sending."""

    def worst(self, output_tokens: int) -> Amount:
        """Return what the request takes at most with this many reply tokens."""
        usd = Decimal(0)
        if self.prices is not None:
            usd = worst_case_usd(
                self.prices,
                prompt_tokens=self.prompt_tokens,
                output_tokens=output_tokens,
                factor=self.factor,
            )
        return Amount(usd=usd, tokens=self.prompt_tokens + output_tokens)

    def with_last_answer(self, output_tokens: int, last_answer_tokens: int) -> Amount:
        """Return what the request takes if its prefix is cached, and a last answer after it.

        The last answer is reckoned at worst case: its prompt is the one of this request, the whole
        reply and 500 tokens of results, all written to the cache once more.
        """
        new = self.prompt_tokens - self.known_tokens
        last_prompt = self.prompt_tokens + output_tokens + LAST_ANSWER_RESULT_TOKENS
        usd = Decimal(0)
        if self.prices is not None:
            usd = expected_usd(
                self.prices,
                known_tokens=self.known_tokens,
                new_tokens=new,
                output_tokens=output_tokens,
                factor=self.factor,
            ) + worst_case_usd(
                self.prices,
                prompt_tokens=last_prompt,
                output_tokens=last_answer_tokens,
                factor=self.factor,
            )
        tokens = new + output_tokens + last_prompt + last_answer_tokens
        return Amount(usd=usd, tokens=tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """The request may be sent."""

    max_tokens: int
    last_answer: bool
    hold: Amount
    shrunk_by: CeilingReason | None
    """The ceiling for which `max_tokens` is smaller than wanted."""


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
        The chain from the task up; each must have room. Those above the first, the task's own,
        are shared with other tasks: no room for a last answer is kept there.

    Notes
    -----
    An ordinary step is granted if the reply it needs (`needed_reply`) fits at worst case and, at
    expected prices, beside a last answer at worst case; else a last answer if 1,024 tokens of reply
    fit at worst case; else nothing. `max_tokens` is the largest that passes. Where what the task's
    own ceilings allow does not fit only because others hold reservations, the request waits before
    it shrinks.
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
    """Return the room for a reply without which an ordinary step is not worth sending.

    Parameters
    ----------
    mean_reply_tokens
        Of this turn so far; 0 before the first reply.
    max_tokens
        The most that the settings allow.

    Examples
    --------
    >>> needed_reply(1_600, 32_000), needed_reply(0, 32_000), needed_reply(9_000, 32_000)
    (2000, 1024, 4096)
    """
    wanted = int(REPLY_ALLOWANCE * int(mean_reply_tokens))
    return min(max(wanted, LAST_REPLY_TOKENS), MOST_STEP_REPLY_TOKENS, max_tokens)


def _decide(demand: Demand, chain: tuple[Account, ...]) -> Granted | Refused:
    worst = [(_most(demand, account, demand.worst), account) for account in chain]
    room, tightest = min(worst, key=lambda pair: pair[0], default=(demand.wanted_tokens, None))
    least = min(LAST_REPLY_TOKENS, demand.wanted_tokens)
    if room < least and tightest is not None:
        return Refused(
            account=tightest,
            reason=_reason(demand, chain, tightest, least),
            needs=demand.worst(least),
        )
    if demand.must_be_last:
        return _grant(demand, chain, room, tightest, last_answer=demand.wrap_up)
    if demand.first or not demand.wrap_up:
        return _grant(demand, chain, room, tightest, last_answer=False)
    kept = [
        (_most(demand, account, _beside_last_answer(demand, account)), account)
        for account in chain[:1]
    ]
    beside, keeper = min(kept, key=lambda pair: pair[0], default=(demand.wanted_tokens, None))
    needed = min(demand.reply_tokens, demand.wanted_tokens)
    if min(room, beside) >= needed:
        nearest = tightest if room <= beside else keeper
        return _grant(demand, chain, min(room, beside), nearest, last_answer=False)
    nearest = tightest if room < needed else keeper
    return _grant(demand, chain, room, nearest, last_answer=True)


def _grant(
    demand: Demand,
    chain: tuple[Account, ...],
    room: int,
    nearest: Account | None,
    *,
    last_answer: bool,
) -> Granted:
    max_tokens = min(room, demand.wanted_tokens)
    for_room = last_answer and not demand.must_be_last
    limited = nearest is not None and (max_tokens < demand.wanted_tokens or for_room)
    return Granted(
        max_tokens=max_tokens,
        last_answer=last_answer,
        hold=demand.worst(max_tokens),
        shrunk_by=_reason(demand, chain, nearest, max_tokens + 1) if limited and nearest else None,
    )


def _beside_last_answer(demand: Demand, account: Account) -> Callable[[int], Amount]:
    return lambda output: demand.with_last_answer(output, account.last_answer_tokens)


def _most(demand: Demand, account: Account, needs: Callable[[int], Amount]) -> int:
    """Return the largest reply for which `needs` stays within the account; -1 where none fits."""
    if account.has_room(needs(demand.wanted_tokens)):
        return demand.wanted_tokens
    sizes = range(demand.wanted_tokens + 1)
    return bisect_left(sizes, 1, key=lambda size: 0 if account.has_room(needs(size)) else 1) - 1


def _reason(
    demand: Demand, chain: tuple[Account, ...], account: Account, output_tokens: int
) -> CeilingReason:
    if account is not chain[0]:
        return "session_ceiling"
    usd, _ = account.headroom()
    beside = demand.with_last_answer(output_tokens, account.last_answer_tokens)
    needs = max(demand.worst(output_tokens).usd, beside.usd)
    return "cost_ceiling" if usd is not None and needs > usd else "token_ceiling"

"""Accounts: one ceiling each, and what requests and tools have taken of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from budget_magic.events import AttemptFailed, Fact, HeldReleased, StepFinished, TasksRun

LAST_ANSWER_TOKENS: Final = 1_500
"""Reply for which room is kept."""
LARGE_CEILING_USD: Final = Decimal("0.80")
LAST_ANSWER_TOKENS_UNDER_LARGE_CEILINGS: Final = 2_000


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

    fact: AttemptFailed | StepFinished
    accounts: Sequence[Account] = field(repr=False)
    """The chain in which it is held, the task's own account first."""

    @property
    def task(self) -> str:
        """Name of the task that sent it."""
        return self.accounts[0].name

    @property
    def most(self) -> Amount:
        """Its worst case."""
        return Amount(usd=self.fact.unconfirmed_usd, tokens=self.fact.unconfirmed_tokens)

    @property
    def least(self) -> Amount:
        """The streamed part, an estimate."""
        return Amount(usd=self.fact.at_least_usd, tokens=self.fact.at_least_tokens)

    @property
    def is_reply(self) -> bool:
        """Whether it was answered, with invalid usage."""
        return isinstance(self.fact, StepFinished)


@dataclass(slots=True, kw_only=True, eq=False)
class Account:
    """One ceiling and what counts against it; changed only on the loop's thread."""

    name: str
    """Its name in a sentence: `audit`, or "this kernel session"."""
    cost_usd: Decimal | None
    total_tokens: int | None
    of_task: bool = False
    """Whether it is a task's own; in another task's chain, a tool of its task runs that one."""
    simulated: bool = False
    """Whether its task is simulated: simulated spend counts against such accounts only."""
    cost_setting: str = ""
    """What sets the cost ceiling of a group or session: a setting, a variable, or a cap."""
    tokens_setting: str = ""
    """The same for the token ceiling."""
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
        """Return what is left in dollars and in tokens; None if there is no such ceiling."""
        taken = self.spent + self.unconfirmed + self.held
        usd = None if self.cost_usd is None else self.cost_usd - taken.usd
        tokens = None if self.total_tokens is None else self.total_tokens - taken.tokens
        return usd, tokens

    def has_room(self, amount: Amount) -> bool:
        """Return whether this much more stays within the ceilings."""
        usd, tokens = self.headroom()
        return (usd is None or amount.usd <= usd) and (tokens is None or amount.tokens <= tokens)

    def hold(self, amount: Amount) -> None:
        """Hold the worst case of a request before it is sent."""
        self.held += amount
        self.requests_held += 1

    def settle(self, held: Amount) -> None:
        """Give back what `hold` took; `book` counts what was used of it."""
        self.held -= held
        self.requests_held -= 1

    def forget_held(self) -> None:
        """Forget the requests under way: in a forked process, they are the parent's."""
        self.held, self.requests_held = Amount(), 0

    def count(self, spent: Amount, unconfirmed: Amount, *, is_below: bool) -> None:
        """Count what a request or tool took; `is_below` if an account below counts it too."""
        self.spent += spent
        self.unconfirmed += unconfirmed
        if is_below:
            self.spent_below += spent
            self.unconfirmed_below += unconfirmed

    def release(self, cut_off: CutOff) -> None:
        """Replace the worst case of a request that broke by what had streamed."""
        if cut_off in self.cut_off:
            self.cut_off.remove(cut_off)
            released = cut_off.least - cut_off.most
            self.count(Amount(), released, is_below=cut_off.accounts[0] is not self)


def book(fact: AttemptFailed | StepFinished, chain: Sequence[Account]) -> None:
    """Count what a request took in every account of its chain, the task's own first."""
    cut_off, spent = CutOff(fact=fact, accounts=chain), Amount()
    is_known = isinstance(fact, StepFinished) and fact.usage_known
    if isinstance(fact, StepFinished):
        spent = Amount(usd=fact.cost_usd or Decimal(0), tokens=fact.usage.ceiling_tokens)
    for place, account in enumerate(chain):
        account.count(spent, cut_off.most, is_below=place > 0)
        if not is_known and cut_off.most != Amount():
            account.cut_off.append(cut_off)


def release(account: Account, turn: int | None = None) -> None:
    """Release what requests of a task hold in their chains: all of them, or those of a turn."""
    for cut_off in tuple(account.cut_off):
        if cut_off.accounts[0] is account and turn in {None, cut_off.fact.turn}:
            for each in cut_off.accounts:
                each.release(cut_off)


def restore(account: Account, facts: Iterable[Fact]) -> None:
    """Put what the facts of a task spent and left unconfirmed into its new account."""
    for fact in facts:
        match fact:
            case AttemptFailed() | StepFinished():
                book(fact, (account,))
            case HeldReleased():
                release(account, fact.turn)
            case TasksRun():
                spent = Amount(usd=fact.cost_usd, tokens=fact.tokens)
                unconfirmed = Amount(usd=fact.unconfirmed_usd, tokens=fact.unconfirmed_tokens)
                account.count(spent, unconfirmed, is_below=True)

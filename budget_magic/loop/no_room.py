"""Endings for a ceiling without room: what counts against it, and how to raise it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import ROUND_UP, Decimal
from typing import Final

from budget_magic.events import Reason, Suggestion
from budget_magic.events.suggestion import Value
from budget_magic.loop.contexts import TurnContext
from budget_magic.loop.endings import Ending, halted, place_of, resume
from budget_magic.meter.account import Account, Amount
from budget_magic.report.labels import held_for
from budget_magic.report.numbers import ceiling_dollars, dollars, spent_dollars

CENT: Final = Decimal("0.01")
MORE: Final = Decimal("1.5")
"""Ratio of a suggested ceiling to the one that was reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """What the step that was not sent would have needed at most."""

    alone: Amount
    beside_last_answer: Amount
    """With the last answer after it, for which room is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unit:
    """How a sentence states dollars, or tokens."""

    of: Callable[[Amount], Decimal]
    ceiling: Callable[[Account], Decimal | None]
    named: Callable[[Account], str]
    """Returns the name of what sets the ceiling of a group or session."""
    setting: str
    """What sets the ceiling of a task."""
    rounded: Callable[[Decimal], Value]
    reached: str
    cost: str
    """What a step does to the ceiling."""
    spent: str
    taken: Callable[[Decimal, Decimal], str]
    """Formats what counts against a ceiling, given the ceiling."""
    limit: Callable[[Decimal], str]
    needed: Callable[[Decimal], str]
    part: Callable[[Decimal], str]

    def taken_of(self, account: Account) -> Decimal:
        return self.of(account.spent + account.unconfirmed)

    def lacks_room(self, account: Account, needs: NextStep) -> bool:
        """Return whether the next step does not fit under the ceiling."""
        ceiling, taken = self.ceiling(account), self.taken_of(account) + self.of(account.held)
        return ceiling is not None and taken + self.of(needs.alone) > ceiling

    def enough(self, account: Account, needs: NextStep, factor: Decimal = Decimal(1)) -> Value:
        """Return a ceiling under which the next step has room beside what is taken and held.

        Room for two such steps is left, and for `factor` times that much in all.
        """
        taken = self.taken_of(account) + self.of(account.held)
        least = (taken + self.of(needs.alone) * 2) * factor
        return self.rounded(max((self.ceiling(account) or 0) * MORE, least))

    def share_left(self, account: Account) -> Decimal:
        """Return the share of the ceiling that is left; infinite without one."""
        ceiling = self.ceiling(account)
        if not ceiling:
            return Decimal("Infinity") if ceiling is None else Decimal(0)
        return (ceiling - self.taken_of(account) - self.of(account.held)) / ceiling


def _fine(usd: Decimal) -> str:
    """Return dollars, with more places below a cent."""
    return dollars(usd, 2 if usd >= CENT else 4)


def _count(tokens: Decimal) -> str:
    return f"{int(tokens):,}"


def _rounded_up(value: Decimal) -> str:
    """Return two significant digits, rounded up, not finer than a cent, without an exponent."""
    place = max(Decimal(1).scaleb(value.adjusted() - 1), CENT) if value > 0 else CENT
    rounded = max((value / place).to_integral_value(rounding=ROUND_UP) * place, CENT)
    return f"{rounded:.2f}" if place == CENT else f"{rounded.normalize():f}"


_USD: Final = _Unit(
    of=lambda amount: amount.usd,
    ceiling=lambda account: account.cost_usd,
    named=lambda account: account.cost_setting,
    setting="max_cost",
    rounded=_rounded_up,
    reached="the cost ceiling is reached",
    cost="cost up to",
    spent="spent",
    taken=spent_dollars,
    limit=ceiling_dollars,
    needed=_fine,
    part=dollars,
)
_TOKENS: Final = _Unit(
    of=lambda amount: Decimal(amount.tokens),
    ceiling=lambda account: None if (most := account.total_tokens) is None else Decimal(most),
    named=lambda account: account.tokens_setting,
    setting="max_total_tokens",
    rounded=lambda tokens: int(Decimal(_rounded_up(tokens))),
    reached="the token ceiling is reached",
    cost="taken up to",
    spent="used",
    taken=lambda tokens, _: _count(tokens),
    limit=lambda tokens: f"{_count(tokens)} tokens",
    needed=_count,
    part=_count,
)


def out_of_room(
    turn: TurnContext, reason: Reason, needs: NextStep, refused_by: Account | None = None
) -> Ending:
    """Return the ending for a cost, token or session ceiling without room for another request.

    `refused_by` is the account without room; None if the last reply was a last answer, or cut.
    """
    own, *shared = turn.task.accounts
    if reason != "session_ceiling":
        unit = _USD if reason == "cost_ceiling" else _TOKENS
        way = replace(resume(turn), changes={unit.setting: unit.enough(own, needs, MORE)})
        return halted(reason, _told(turn, own, needs, unit), *_releases(own), way)
    account = refused_by or min(shared, key=lambda one: min(_shares_left(one)))
    cost, tokens = _shares_left(account)
    # What the step does not fit under, not what least is left of, unless it fits under both.
    lacking = [unit for unit in (_USD, _TOKENS) if unit.lacks_room(account, needs)]
    unit = lacking[0] if len(lacking) == 1 else _USD if cost <= tokens else _TOKENS
    if account.of_task:
        raising = Suggestion(
            action="change",
            task=account.name,
            changes={unit.setting: unit.enough(account, needs)},
            effect="gives it more room from its next turn on",
        )
        ways = [raising, replace(resume(turn), effect="goes on outside of it")]
    else:
        effect = f"to {unit.enough(account, needs, MORE)} or more"
        raising = Suggestion(action="set", name=unit.named(account), lead="raise", effect=effect)
        ways = [raising, resume(turn, "then")]
    return halted(reason, _told(turn, account, needs, unit), *_releases(account), *ways)


def _shares_left(account: Account) -> tuple[Decimal, Decimal]:
    return _USD.share_left(account), _TOKENS.share_left(account)


def _told(turn: TurnContext, account: Account, needs: NextStep, unit: _Unit) -> str:
    """Return where a ceiling stopped a turn, and why there."""
    ceiling, taken = unit.ceiling(account) or Decimal(0), unit.taken_of(account)
    left = ceiling - taken - unit.of(account.held)
    alone, beside = unit.of(needs.alone), unit.of(needs.beside_last_answer)
    if left <= 0:
        why = unit.reached
    elif alone > left:
        why = f"the next step could have {unit.cost} {unit.needed(alone)}"
    elif beside > left:
        needed = unit.needed(beside)
        why = f"the next step and a last answer after it could have {unit.cost} {needed}"
    else:
        why = "the last answer was given"
    limit = unit.limit(ceiling)
    if account is not turn.task.account:
        whose = f"{account.name}, whose tool runs this task," if account.of_task else account.name
        limit = f"{limit} for {whose}"
    at = f"stopped at {unit.taken(taken, ceiling)} of {limit}{place_of(turn)}"
    return f"{at}: {why}{_parts(account, unit)}"


def _parts(account: Account, unit: _Unit) -> str:
    """Return what counts against a ceiling, in parentheses; empty if the task spent it all."""
    below, held = unit.of(account.spent_below), unit.of(account.held_unconfirmed)
    unsure = unit.of(account.unconfirmed) - held
    parts = []
    if account.of_task and below:
        parts.append(f"including {unit.part(below)} by its tools")
    if unsure:
        parts.append(f"{unit.part(unsure)} unconfirmed")
    if cut_off := account.cut_off:
        replies = sum(one.is_reply for one in cut_off)
        parts.append(f"{unit.part(held)} held for {held_for(len(cut_off), replies)}")
    if not parts:
        return ""
    return f" ({', '.join([f'{unit.part(unit.of(account.spent))} {unit.spent}', *parts])})"


def _releases(account: Account) -> list[Suggestion]:
    """Return the ways to release what requests of unknown cost hold, task by task."""
    names = dict.fromkeys(one.task for one in account.cut_off)
    effect = "releases it" if len(names) == 1 else "releases its part"
    return [Suggestion(action="release", task=name, effect=effect) for name in names]

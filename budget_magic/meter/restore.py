"""What a task's account holds, folded from the facts of an earlier process."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from budget_magic.events import AttemptFailed, Fact, HeldReleased, StepFinished
from budget_magic.meter.reading import read
from budget_magic.meter.reserve import Account, Amount, CutOff


def restore(account: Account, facts: Iterable[Fact]) -> None:
    """Put what the facts of a task spent and left unconfirmed into its new account."""
    facts = list(facts)
    reading = read(facts)
    total = reading.total
    account.spent_below = Amount(usd=reading.tasks_usd, tokens=reading.tasks_tokens)
    account.unconfirmed_below = Amount(
        usd=reading.tasks_unconfirmed_usd, tokens=reading.tasks_unconfirmed_tokens
    )
    account.spent = account.spent_below + Amount(
        usd=total.cost_usd or Decimal(0), tokens=total.ceiling_tokens
    )
    account.unconfirmed = account.unconfirmed_below + Amount(
        usd=total.unconfirmed_usd, tokens=total.unconfirmed_tokens
    )
    account.cut_off = [_cut_off(fact, account) for fact in _unreleased(facts)]


def _unreleased(facts: list[Fact]) -> list[AttemptFailed | StepFinished]:
    """Return the requests that are held at their worst case, oldest first."""
    held: list[AttemptFailed | StepFinished] = []
    for fact in facts:
        match fact:
            case AttemptFailed() if fact.unconfirmed_usd or fact.unconfirmed_tokens:
                held.append(fact)
            case StepFinished() if not fact.usage_known:
                held.append(fact)
            case HeldReleased():
                held = [one for one in held if one.turn != fact.turn]
    return held


def _cut_off(fact: AttemptFailed | StepFinished, account: Account) -> CutOff:
    return CutOff(
        task=account.name,
        most=Amount(usd=fact.unconfirmed_usd, tokens=fact.unconfirmed_tokens),
        least=Amount(usd=fact.at_least_usd, tokens=fact.at_least_tokens),
        accounts=(account,),
        is_reply=isinstance(fact, StepFinished),
    )

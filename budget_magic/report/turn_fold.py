"""Fold a task's records into what the view of its last turn is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from budget_magic.events import Fact, StepFinished, Word
from budget_magic.meter import Reading
from budget_magic.meter import advance as advance_reading
from budget_magic.models import PriceTable
from budget_magic.report.bill import Bill, add_to_bill
from budget_magic.report.steps import step_view
from budget_magic.report.turn_facts import TurnFacts, add_fact
from budget_magic.report.view_models import StepView


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFold:
    """What is known of a task and its last turn."""

    task: str
    prices: Mapping[str, PriceTable] = field(default_factory=dict)
    """The user's prices of the next replies, by model id."""
    word: Word = field(default=str, repr=False, compare=False)
    """Says what the user can do; by default as plain Python does."""
    reading: Reading = field(default_factory=Reading)
    facts: TurnFacts = field(default_factory=TurnFacts)
    bill: Bill = field(default_factory=Bill)
    settled: tuple[StepView, ...] = ()
    """The first steps of the turn, rendered; no fact is expected to change them."""


def advance(fold: TurnFold, fact: Fact) -> TurnFold:
    """Return the fold after one more fact of the task.

    A step is rendered once, after the reply that follows it, which measures its tool results. If a
    later fact still concerns it, that step and those after it are rendered again.
    """
    reading = advance_reading(fold.reading, fact)
    facts, settled, bill = fold.facts, fold.settled, fold.bill
    if reading.turn != fold.reading.turn:
        facts, settled = TurnFacts(), ()
    if fact.turn == reading.turn:
        facts = add_fact(facts, fact)
        settled = _settle(facts, settled, fact)
    if isinstance(fact, StepFinished):
        bill = add_to_bill(bill, fact, facts.settings, fold.prices)
    return replace(fold, reading=reading, facts=facts, bill=bill, settled=settled)


def _settle(facts: TurnFacts, settled: tuple[StepView, ...], fact: Fact) -> tuple[StepView, ...]:
    step: int | None = getattr(fact, "step", None)
    if step is None:
        return settled
    place = facts.place(step)
    if not isinstance(fact, StepFinished):
        return settled[:place]
    settled = settled[: facts.replied_before(place) or 0]  # its results are measured now
    return settled + tuple(step_view(facts, number) for number in range(len(settled), place))

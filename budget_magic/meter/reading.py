"""The meter: a pure fold from facts to what was spent and what is left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import reduce
from typing import Any, TypeVar, assert_never

from budget_magic.events import (
    ApprovalAsked,
    ApprovalGiven,
    AttemptFailed,
    EffortChanged,
    Fact,
    HeldReleased,
    HistoryRewritten,
    MessageAppended,
    MessagesWithdrawn,
    NoticePosted,
    RetryScheduled,
    SettingsChanged,
    StepFinished,
    StepStarted,
    TasksRun,
    ToolFinished,
    ToolsOffered,
    ToolStarted,
    TurnFinished,
    TurnStarted,
    WaitFinished,
    WaitStarted,
)
from budget_magic.meter.account import Amount
from budget_magic.meter.spend import Spend

T = TypeVar("T", "Kinds", "Held", Spend)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinds:
    """Budget tokens by what they were used for; the sum is `Spend.budget_tokens`."""

    thinking: int = 0
    calls: int = 0
    results: int = 0
    text: int = 0
    split_estimated: bool = False
    """Whether the split between calls and text, not their sum, is an estimate."""
    results_estimated: bool = False
    """Whether other new text stood beside results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What requests of unknown cost hold until it is released."""

    requests: int = 0
    """Cut off, or answered with invalid usage."""
    replies: int = 0
    """How many of them were answered."""
    usd: Decimal = Decimal(0)
    """At most; part of `Spend.unconfirmed_usd`."""
    tokens: int = 0
    least_usd: Decimal = Decimal(0)
    """What had streamed of it, an estimate."""
    least_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The meter's state after some facts of one task."""

    turn: int = 0
    budget: int | None = None
    this_turn: Spend = field(default_factory=Spend)
    total: Spend = field(default_factory=Spend)
    this_turn_kinds: Kinds = field(default_factory=Kinds)
    total_kinds: Kinds = field(default_factory=Kinds)
    cost_estimated: bool = False
    """Whether the price of some reply is uncertain."""
    usage_estimated: bool = False
    """Whether some reply had invalid usage, so that its size is an estimate."""
    held_by_turn: tuple[tuple[int, Held], ...] = ()
    """Turns with requests that hold something, in the order in which they began to."""
    tasks: Amount = field(default_factory=Amount)
    """What tasks that tools ran have used; the task's ceilings count it, its `total` does not."""
    tasks_unconfirmed: Amount = field(default_factory=Amount)
    """What those tasks may have used beside it."""

    @property
    def held(self) -> Held:
        """What requests of all turns hold."""
        return reduce(add, (held for _, held in self.held_by_turn), Held())

    @property
    def remaining(self) -> int | None:
        """Left of the task budget, negative if overrun; None without a budget."""
        return None if self.budget is None else self.budget - self.total.budget_tokens


def read(facts: Iterable[Fact], start: Reading | None = None) -> Reading:
    """Return the reading after `facts`, going on from `start`."""
    return reduce(advance, facts, start or Reading())


def advance(reading: Reading, fact: Fact) -> Reading:  # noqa: C901, PLR0911 - one per kind
    """Return the reading after one more fact."""
    match fact:
        case TurnStarted():
            reading = replace(reading, budget=fact.settings.budget)
            if fact.turn == reading.turn:
                return reading
            return replace(reading, turn=fact.turn, this_turn=Spend(), this_turn_kinds=Kinds())
        case SettingsChanged():
            return replace(reading, budget=fact.settings.budget)
        case StepFinished():
            kinds = Kinds(
                thinking=fact.usage.thinking_tokens,
                calls=fact.call_tokens,
                results=fact.tool_result_tokens,
                text=fact.text_tokens,
                split_estimated=fact.split_estimated,
                results_estimated=fact.tool_result_tokens_estimated,
            )
            if not fact.usage_known:
                reading = _held(reading, fact)
            running_s = max(fact.turn_elapsed_s - reading.this_turn.elapsed_s, 0.0)
            return replace(
                _spent(reading, replace(_step_spend(fact), elapsed_s=running_s)),
                this_turn_kinds=add(reading.this_turn_kinds, kinds),
                total_kinds=add(reading.total_kinds, kinds),
                cost_estimated=reading.cost_estimated or fact.cost_estimated,
                usage_estimated=reading.usage_estimated or not fact.usage_known,
            )
        case AttemptFailed():
            more = Spend(
                unconfirmed_usd=fact.unconfirmed_usd, unconfirmed_tokens=fact.unconfirmed_tokens
            )
            return _held(_spent(reading, more), fact)
        case HeldReleased():
            return _released(reading, fact)
        case TasksRun():
            spent = Amount(usd=fact.cost_usd, tokens=fact.tokens)
            unsure = Amount(usd=fact.unconfirmed_usd, tokens=fact.unconfirmed_tokens)
            return replace(
                reading,
                tasks=reading.tasks + spent,
                tasks_unconfirmed=reading.tasks_unconfirmed + unsure,
            )
        case ToolFinished():
            return _spent(reading, Spend(tool_calls=int(fact.ran)))
        case TurnFinished():
            more = Spend(elapsed_s=fact.elapsed_s - reading.this_turn.elapsed_s)
            return _spent(reading, more)
        case (
            ToolsOffered() | EffortChanged() | MessageAppended() | MessagesWithdrawn()
            | NoticePosted() | StepStarted() | RetryScheduled() | WaitStarted() | WaitFinished()
            | ApprovalAsked() | ApprovalGiven() | ToolStarted() | HistoryRewritten()
        ):  # fmt: skip
            return reading
        case _:
            assert_never(fact)


def add(left: T, right: T) -> T:
    """Return the sum field by field: flags are or-ed, and what is unknown (None) stays unknown."""

    def total(name: str) -> Any:
        one, other = getattr(left, name), getattr(right, name)
        if one is None or other is None:
            return None
        return one or other if isinstance(one, bool) else one + other

    return type(left)(**{name: total(name) for name in left.__slots__})


def _spent(reading: Reading, more: Spend) -> Reading:
    return replace(reading, this_turn=add(reading.this_turn, more), total=add(reading.total, more))


def _held(reading: Reading, fact: AttemptFailed | StepFinished) -> Reading:
    """Return the reading with a request that is held at its worst case; spend is unchanged."""
    if not (fact.unconfirmed_usd or fact.unconfirmed_tokens):
        return reading
    by_turn = dict(reading.held_by_turn)
    more = Held(
        requests=1,
        replies=int(isinstance(fact, StepFinished)),
        usd=fact.unconfirmed_usd,
        tokens=fact.unconfirmed_tokens,
        least_usd=fact.at_least_usd,
        least_tokens=fact.at_least_tokens,
    )
    by_turn[fact.turn] = add(by_turn.get(fact.turn, Held()), more)
    return replace(reading, held_by_turn=tuple(by_turn.items()))


def _released(reading: Reading, fact: HeldReleased) -> Reading:
    less = Spend(unconfirmed_usd=-fact.released_usd, unconfirmed_tokens=-fact.released_tokens)
    return replace(
        reading,
        this_turn=add(reading.this_turn, less) if fact.turn == reading.turn else reading.this_turn,
        total=add(reading.total, less),
        held_by_turn=tuple(held for held in reading.held_by_turn if held[0] != fact.turn),
    )


def _step_spend(fact: StepFinished) -> Spend:
    usage, billed = fact.usage, fact.usage.billed
    return Spend(
        steps=1,
        input_tokens=billed.input_tokens,
        cache_read_input_tokens=billed.cache_read_input_tokens,
        cache_creation_input_tokens=billed.cache_creation_input_tokens,
        output_tokens=billed.output_tokens,
        thinking_tokens=usage.thinking_tokens,
        tool_result_tokens=fact.tool_result_tokens,
        budget_tokens=fact.budget_tokens,
        cost_usd=fact.cost_usd,
        unconfirmed_usd=fact.unconfirmed_usd,
        unconfirmed_tokens=fact.unconfirmed_tokens,
    )

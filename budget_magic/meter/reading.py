"""The meter: a pure fold from facts to what was spent and what is left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import assert_never

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
from budget_magic.meter.spend import Spend


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinds:
    """Budget tokens by what they went to; the sum is `Spend.budget_tokens`."""

    thinking: int = 0
    calls: int = 0
    results: int = 0
    text: int = 0
    split_estimated: bool = False
    """True where the split between calls and text, not their sum, is an estimate."""
    results_estimated: bool = False
    """True where other new text stood beside results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What requests of unknown cost hold until it is released."""

    requests: int = 0
    """Cut off, or answered with invalid usage."""
    replies: int = 0
    """Those that were answered."""
    usd: Decimal = Decimal(0)
    """At most; part of `Spend.unconfirmed_usd`."""
    tokens: int = 0
    """Likewise, part of `Spend.unconfirmed_tokens`."""
    least_usd: Decimal = Decimal(0)
    """What had streamed of it, an estimate."""
    least_tokens: int = 0
    """Likewise."""

    def __add__(self, other: Held) -> Held:
        return Held(
            requests=self.requests + other.requests,
            replies=self.replies + other.replies,
            usd=self.usd + other.usd,
            tokens=self.tokens + other.tokens,
            least_usd=self.least_usd + other.least_usd,
            least_tokens=self.least_tokens + other.least_tokens,
        )


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
    """True where the task's dollars hold a reply whose price is not known for sure."""
    usage_estimated: bool = False
    """True where the task's tokens hold a reply with invalid usage, whose size is an estimate."""
    held_by_turn: tuple[tuple[int, Held], ...] = ()
    """Turns with requests that hold something, in the order in which they began to."""
    tasks_usd: Decimal = Decimal(0)
    """What tasks that tools ran have used; the task's ceilings count it, its `total` does not."""
    tasks_tokens: int = 0
    """Likewise."""
    tasks_unconfirmed_usd: Decimal = Decimal(0)
    """What those tasks may have used beside it."""
    tasks_unconfirmed_tokens: int = 0
    """Likewise."""

    @property
    def held(self) -> Held:
        """What requests of all turns hold."""
        return sum((held for _, held in self.held_by_turn), Held())

    @property
    def remaining(self) -> int | None:
        """Left of the task budget, below 0 where it was overrun; None without a budget."""
        return None if self.budget is None else self.budget - self.total.budget_tokens


def read(facts: Iterable[Fact], start: Reading | None = None) -> Reading:
    """Return the reading after `facts`, going on from `start`."""
    reading = start or Reading()
    for fact in facts:
        reading = advance(reading, fact)
    return reading


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
            kinds = _kinds(fact)
            if not fact.usage_known:
                reading = _held(reading, fact)
            return replace(
                _spent(reading, _step_spend(fact)),
                this_turn_kinds=_add_kinds(reading.this_turn_kinds, kinds),
                total_kinds=_add_kinds(reading.total_kinds, kinds),
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
            return replace(
                reading,
                tasks_usd=reading.tasks_usd + fact.cost_usd,
                tasks_tokens=reading.tasks_tokens + fact.tokens,
                tasks_unconfirmed_usd=reading.tasks_unconfirmed_usd + fact.unconfirmed_usd,
                tasks_unconfirmed_tokens=reading.tasks_unconfirmed_tokens + fact.unconfirmed_tokens,
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


def add(left: Spend, right: Spend) -> Spend:
    """Return the sum of two spends; the cost is unknown where either is."""
    cost = (
        None if left.cost_usd is None or right.cost_usd is None else left.cost_usd + right.cost_usd
    )
    return Spend(
        steps=left.steps + right.steps,
        tool_calls=left.tool_calls + right.tool_calls,
        input_tokens=left.input_tokens + right.input_tokens,
        cache_read_input_tokens=left.cache_read_input_tokens + right.cache_read_input_tokens,
        cache_creation_input_tokens=(
            left.cache_creation_input_tokens + right.cache_creation_input_tokens
        ),
        output_tokens=left.output_tokens + right.output_tokens,
        thinking_tokens=left.thinking_tokens + right.thinking_tokens,
        tool_result_tokens=left.tool_result_tokens + right.tool_result_tokens,
        budget_tokens=left.budget_tokens + right.budget_tokens,
        cost_usd=cost,
        unconfirmed_usd=left.unconfirmed_usd + right.unconfirmed_usd,
        unconfirmed_tokens=left.unconfirmed_tokens + right.unconfirmed_tokens,
        elapsed_s=left.elapsed_s + right.elapsed_s,
    )


def _spent(reading: Reading, more: Spend) -> Reading:
    return replace(reading, this_turn=add(reading.this_turn, more), total=add(reading.total, more))


def _held(reading: Reading, fact: AttemptFailed | StepFinished) -> Reading:
    """Return the reading with a request that is held at its worst case, its spend aside."""
    if not (fact.unconfirmed_usd or fact.unconfirmed_tokens):
        return reading
    by_turn = dict(reading.held_by_turn)
    by_turn[fact.turn] = by_turn.get(fact.turn, Held()) + Held(
        requests=1,
        replies=int(isinstance(fact, StepFinished)),
        usd=fact.unconfirmed_usd,
        tokens=fact.unconfirmed_tokens,
        least_usd=fact.at_least_usd,
        least_tokens=fact.at_least_tokens,
    )
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


def _kinds(fact: StepFinished) -> Kinds:
    return Kinds(
        thinking=fact.usage.thinking_tokens,
        calls=fact.call_tokens,
        results=fact.tool_result_tokens,
        text=fact.text_tokens,
        split_estimated=fact.split_estimated,
        results_estimated=fact.tool_result_tokens_estimated,
    )


def _add_kinds(left: Kinds, right: Kinds) -> Kinds:
    return Kinds(
        thinking=left.thinking + right.thinking,
        calls=left.calls + right.calls,
        results=left.results + right.results,
        text=left.text + right.text,
        split_estimated=left.split_estimated or right.split_estimated,
        results_estimated=left.results_estimated or right.results_estimated,
    )

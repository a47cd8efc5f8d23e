"""The meter: a pure fold from facts to what was spent and what is left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import assert_never

from budget_magic.events import (
    ApprovalAsked,
    ApprovalGiven,
    AttemptFailed,
    Fact,
    HistoryRewritten,
    Noted,
    RetryScheduled,
    SettingsChanged,
    StepFinished,
    StepStarted,
    ToolFinished,
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

    @property
    def remaining(self) -> int | None:
        """Left of the task budget, below 0 where it was overrun; None without a budget."""
        return None if self.budget is None else self.budget - self.total.budget_tokens


def read(facts: Iterable[Fact], start: Reading | None = None) -> Reading:
    """The reading after `facts`, going on from `start`."""
    reading = start or Reading()
    for fact in facts:
        reading = advance(reading, fact)
    return reading


def advance(reading: Reading, fact: Fact) -> Reading:  # noqa: PLR0911 - one per kind
    """The reading after one more fact."""
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
            return replace(
                _spent(reading, _step_spend(fact)),
                this_turn_kinds=_add_kinds(reading.this_turn_kinds, kinds),
                total_kinds=_add_kinds(reading.total_kinds, kinds),
                cost_estimated=reading.cost_estimated or fact.cost_estimated,
            )
        case AttemptFailed():
            return _spent(
                reading,
                Spend(
                    unconfirmed_usd=fact.unconfirmed_usd,
                    unconfirmed_tokens=fact.unconfirmed_tokens,
                ),
            )
        case ToolFinished():
            return _spent(reading, Spend(tool_calls=int(fact.ran)))
        case TurnFinished():
            more = Spend(elapsed_s=fact.elapsed_s - reading.this_turn.elapsed_s)
            return _spent(reading, more)
        case (
            Noted() | StepStarted() | RetryScheduled() | WaitStarted() | WaitFinished()
            | ApprovalAsked() | ApprovalGiven() | ToolStarted() | HistoryRewritten()
        ):  # fmt: skip
            return reading
        case _:
            assert_never(fact)


def add(left: Spend, right: Spend) -> Spend:
    """The sum of two spends; the cost is unknown where either is."""
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

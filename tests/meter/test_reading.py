"""The meter is a fold: reading on continues, sums add up, and no figure is lost."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget_magic.events import (
    AttemptFailed,
    Ceilings,
    Fact,
    IterationUsage,
    StepFinished,
    ToolFinished,
    TurnFinished,
    TurnSettings,
    TurnStarted,
    Usage,
)
from budget_magic.meter import Reading, Spend, advance, read
from budget_magic.meter.reading import add
from budget_magic.simulator import Simulator, drop
from tests.loop.running import all_facts, steps, task_on

SETTINGS = TurnSettings(
    client="anthropic",
    simulated=None,
    model="claude-opus-5-5",
    effort="high",
    budget=64_000,
    max_tokens=1,
    ceilings=Ceilings(),
    system="",
    tools=(),
    root="",
    approve="ask",
    wrap_up=True,
)


def step(**changes: object) -> StepFinished:
    """A reply, complete and billed."""
    plain = StepFinished(
        turn=1,
        step=1,
        model="claude-opus-5-5",
        stop_reason="end_turn",
        usage=Usage(input_tokens=100, output_tokens=50, thinking_tokens=20),
        tool_result_tokens=30,
        text_tokens=30,
        budget_tokens=80,
        remaining=None,
        cost_usd=Decimal("0.01"),
        elapsed_s=1.0,
    )
    return replace(plain, **changes)  # type: ignore[arg-type] # the tests name real fields


@cache
def real_facts() -> list[Fact]:
    """What a run with a failure and a follow-up emits."""
    task = task_on(Simulator([*steps(2), *steps(1)], faults=[drop(on=1)]))
    task.run("Look.")
    task.run("Look again.")
    return all_facts(task)


@given(st.integers(0, 60))
def test_reading_on_continues_what_was_read(cut: int) -> None:
    facts = real_facts()

    assert read(facts[cut:], read(facts[:cut])) == read(facts)


def test_the_total_is_the_sum_of_the_turns() -> None:
    facts = real_facts()
    first = read(fact for fact in facts if fact.turn == 1).this_turn
    whole = read(facts)

    assert whole.total == add(first, whole.this_turn)
    assert whole.turn == 2


def test_kinds_add_up_to_the_budget_tokens() -> None:
    whole = read(real_facts())
    kinds = whole.total_kinds

    assert kinds.thinking + kinds.calls + kinds.results + kinds.text == whole.total.budget_tokens


def test_a_step_without_a_known_price_makes_the_cost_unknown() -> None:
    reading = read([step(), step(cost_usd=None), step()])

    assert reading.total.cost_usd is None
    assert reading.total.steps == 3


def test_what_may_have_been_billed_stands_beside_the_cost() -> None:
    failed = AttemptFailed(
        turn=1, step=1, attempt=1, why="x", unconfirmed_usd=Decimal("0.6"), unconfirmed_tokens=9
    )

    total = read([step(), failed]).total

    assert (total.cost_usd, total.unconfirmed_usd) == (Decimal("0.01"), Decimal("0.6"))
    assert (total.unconfirmed_tokens, total.steps) == (9, 1)


def test_only_calls_that_ran_are_counted() -> None:
    ran = ToolFinished(turn=1, step=1, call_id="a", name="x", content="")

    assert read([ran, replace(ran, ran=False)]).total.tool_calls == 1


def test_a_resumed_turn_goes_on_counting_and_a_new_one_starts_at_zero() -> None:
    started = TurnStarted(turn=1, settings=SETTINGS)
    ended = TurnFinished(
        turn=1, step=1, state="halted", reason="cost_ceiling", detail="", text="", elapsed_s=4.0
    )
    once: list[Fact] = [started, step(), ended]
    resumed: list[Fact] = [
        replace(started, resumed=True),
        step(step=2),
        replace(ended, step=2, elapsed_s=6.0),
    ]

    both = read([*once, *resumed])
    new = advance(both, replace(started, turn=2))

    assert (both.this_turn.steps, both.this_turn.elapsed_s) == (2, 6.0)
    assert new.this_turn == Spend()
    assert new.total == both.total


def test_tokens_of_a_compaction_count_though_they_are_outside_the_sum() -> None:
    usage = Usage(
        input_tokens=10,
        output_tokens=1,
        iterations=(
            IterationUsage(kind="message", input_tokens=10, output_tokens=1),
            IterationUsage(kind="compaction", input_tokens=500, output_tokens=70),
        ),
    )

    total = read([step(usage=usage)]).total

    assert (total.input_tokens, total.output_tokens) == (510, 71)


@pytest.mark.parametrize(("budget", "remaining"), [(64_000, 63_920), (50, -30), (None, None)])
def test_remaining_is_the_budget_in_force_less_what_counted(
    budget: int | None, remaining: int | None
) -> None:
    started = TurnStarted(turn=1, settings=replace(SETTINGS, budget=budget))

    assert read([started, step()], Reading()).remaining == remaining


def test_spend_as_json_has_exact_dollars() -> None:
    spend = Spend(cost_usd=Decimal("0.10"), input_tokens=3)

    assert spend.as_json()["cost_usd"] == "0.10"
    assert spend.as_json()["input_tokens"] == 3
    assert Spend(cost_usd=None).as_json()["cost_usd"] is None

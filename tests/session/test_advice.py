"""Advice works when it is followed: whatever a halted turn suggests lets it go on."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget_magic import Ceilings, Task
from budget_magic.events import NoticePosted, StepStarted, TurnFinished
from budget_magic.meter.advice import budget_with_room
from budget_magic.report.numbers import compact
from budget_magic.session import Outcome
from budget_magic.settings.parsers import tokens
from budget_magic.simulator import Call, Reply, SceneContext, Simulator, drop
from budget_magic.wire.sdk import simulated_client
from tests.loop.running import LOOK, facts, lookup, steps, task_on


@given(st.integers(20_000, 2_000_000), st.integers(0, 20_000_000))
def test_a_suggested_budget_leaves_room_as_it_is_typed(budget: int, used: int) -> None:
    more = budget_with_room(budget, used)

    assert more >= budget * 2
    assert more - used >= max(10_000, more * 0.2, min(budget // 2, 20_000))
    assert tokens(compact(more)) == more


@pytest.mark.parametrize(
    ("used", "suggested"), [(58_000, 128_000), (81_000, 128_000), (150_000, 256_000)]
)
def test_the_warning_of_an_overrun_budget_suggests_one_that_clears_it(
    used: int, suggested: int
) -> None:
    replies = [Reply(text="One.", output_tokens=used), Reply(text="Two."), Reply(text="Three.")]
    task = task_on(Simulator(replies), max_tokens=128_000, model="claude-opus-4-8")
    task.run("Look.")
    task.run("Look again.")
    (posted,) = facts(task, NoticePosted)
    assert posted.suggestions[0].changes == {"budget": suggested}

    task.change(budget=suggested)
    task.run("Once more.")

    assert len(facts(task, NoticePosted)) == 1


def looking(context: SceneContext) -> Reply:
    """A model that never ends by itself."""
    return Reply(text=f"Step {context.replies}.", calls=[LOOK], output_tokens=1_500)


def followed(task: Task) -> Outcome:
    """The outcome after doing what the halted turn suggests."""
    changes: dict[str, Any] = {}
    for suggestion in facts(task, TurnFinished)[-1].suggestions:
        if suggestion.action == "resume":
            changes = dict(suggestion.changes)
    return task.resume(**changes)


@pytest.mark.parametrize("faults", [[], [drop(on=1), drop(on=2)]], ids=["none held", "held"])
@pytest.mark.parametrize(
    "ceiling",
    [
        {"cost_usd": Decimal(0)}, {"cost_usd": Decimal("0.01")}, {"cost_usd": Decimal("0.20")},
        {"total_tokens": 0}, {"total_tokens": 9_000}, {"total_tokens": 40_000}, {"steps": 0},
        {"steps": 1}, {"elapsed_s": 0.0},
    ],
    ids=str,
)  # fmt: skip
def test_a_ceiling_raised_as_suggested_lets_at_least_one_more_step_go(
    ceiling: dict[str, Any], faults: list[Any]
) -> None:
    rest = {"cost_usd": None, "total_tokens": None, "steps": 99, "elapsed_s": None}
    task = task_on(Simulator(looking, faults=faults), ceilings=Ceilings(**{**rest, **ceiling}))
    task.run("Look.")
    before = len(facts(task, StepStarted))

    followed(task)

    assert len(facts(task, StepStarted)) > before


def test_a_step_ceiling_below_the_steps_taken_is_raised_above_them() -> None:
    task = task_on(Simulator(looking), ceilings=Ceilings(steps=10))
    task.run("Look.")
    assert task.resume(max_steps=2).spend.steps == 10

    assert followed(task).spend.steps == 20


def test_a_reply_cut_at_the_model_s_own_limit_is_not_told_to_ask_for_more() -> None:
    most = 64_000
    long = Reply(text="word ", output_tokens=most + 1)
    task = task_on(
        Simulator([long, long, Reply(text="The rest.")]),
        budget=None,
        model="claude-haiku-4-5",
        max_tokens=40_000,
    )

    first = task.run("Write.")
    assert "max_tokens=64000" in first.detail
    second = followed(task)

    assert second.reason == "max_tokens"
    assert "the most that claude-haiku-4-5 writes in one reply; go on with" in second.detail
    assert followed(task).text == "The rest."


def test_a_task_that_is_lent_room_as_suggested_goes_on() -> None:
    inner = task_on(Simulator(looking), "inner", ceilings=Ceilings(cost_usd=None))

    def delegate() -> str:
        """Run the inner task, or go on with it."""
        return (inner.resume() if inner.turns else inner.run("Look.")).reason

    call = Reply(calls=[Call("delegate", {})])
    outer = task_on(
        Simulator([call, call, Reply(text="Done.")]),
        "outer",
        tools=[delegate],
        ceilings=Ceilings(cost_usd=Decimal("0.03")),
        wrap_up=False,
    )
    outer.run("Look.")
    (change, _) = facts(inner, TurnFinished)[-1].suggestions
    before = inner.spend.steps

    outer.change(None, **change.changes)
    outer.run("Again.")

    assert inner.spend.steps > before


@pytest.mark.parametrize(
    ("variable", "value"), [("ANTHROPIC_COST_BUDGET", "0.10"), ("ANTHROPIC_TOKEN_BUDGET", "9000")]
)
def test_a_session_ceiling_raised_as_suggested_lets_the_turn_go_on(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    task = task_on(Simulator(looking), budget=None, ceilings=Ceilings(steps=20))
    outcome = task.run("Look.")
    started = len(facts(task, StepStarted))
    (raising, _) = facts(task, TurnFinished)[-1].suggestions
    assert f"; raise {variable} {raising.effect}, then " in outcome.detail

    monkeypatch.setenv(variable, raising.effect.split()[1])
    task.resume()

    assert raising.name == variable
    assert len(facts(task, StepStarted)) > started


def test_the_session_ceiling_that_a_step_does_not_fit_under_is_the_one_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Less is left of the dollars, by share, but they would do.
    monkeypatch.setenv("ANTHROPIC_COST_BUDGET", "100")
    monkeypatch.setenv("ANTHROPIC_TOKEN_BUDGET", "30000")
    first = task_on(Simulator([Reply(text="One.", output_tokens=20_000)]), "first", budget=None)
    first.run("Look.")
    monkeypatch.setenv("ANTHROPIC_COST_BUDGET", "0.60")
    task = Task(
        "second",
        client=simulated_client(Simulator(steps(9, output_tokens=2_000)).transport()),
        tools=[lookup],
        budget=None,
        max_tokens=4_000,
        ceilings=Ceilings(cost_usd=None),
    )

    outcome = task.run("Look.")

    assert outcome.reason == "session_ceiling"
    assert "of 30,000 tokens for this kernel session" in outcome.detail
    assert "raise ANTHROPIC_TOKEN_BUDGET to" in outcome.detail

"""The four ceilings of a task: below, at, above, crossed in small steps, zero, none."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from budget_magic import Ceilings
from budget_magic.errors import ConfigurationError
from budget_magic.events import AttemptFailed, StepFinished, StepStarted, TurnFinished
from budget_magic.loop.admit import LAST_ANSWER
from budget_magic.meter.reserve import LAST_REPLY_TOKENS
from budget_magic.session.outcome import Outcome
from budget_magic.simulator import Reply, Simulator, silence
from tests.loop.running import CUT_S, LOOK, facts, last_start, resumed, steps, task_on

OPEN: dict[str, Any] = {
    "cost_usd": None,
    "total_tokens": None,
    "steps": None,
    "elapsed_s": None,
}
SMALL_REPLY = 1_500


def run(simulator: Simulator, **ceilings: Any) -> Outcome:
    """A turn of small replies under one ceiling alone."""
    task = task_on(
        simulator, wrap_up=False, max_tokens=SMALL_REPLY, ceilings=Ceilings(**{**OPEN, **ceilings})
    )
    return task.run("Look.")


def worst_end() -> tuple[Decimal, int, int]:
    """The least ceilings of cost, tokens and steps under which the script runs undisturbed."""
    task = task_on(Simulator(steps(4)), name="probe", max_tokens=SMALL_REPLY)
    task.run("Look.")
    cost, tokens = Decimal(0), 0
    ends = []
    for fact in [record.fact for record in task.events]:
        if isinstance(fact, StepStarted):
            assert fact.held_usd is not None
            ends.append((cost + fact.held_usd, tokens + fact.held_tokens))
        elif isinstance(fact, StepFinished):
            assert fact.cost_usd is not None
            cost += fact.cost_usd
            tokens += fact.usage.input_tokens + fact.usage.cache_creation_input_tokens
            tokens += fact.usage.output_tokens
    return max(usd for usd, _ in ends), max(count for _, count in ends), len(ends)


def test_far_below_a_ceiling_nothing_is_shrunk_counted_or_halted() -> None:
    simulator = Simulator(steps(4))

    outcome = run(simulator, cost_usd=5, total_tokens=1_000_000, steps=50, elapsed_s=1800)

    assert (outcome.state, outcome.text) == ("completed", "Done.")
    assert simulator.other_requests == []
    assert {request.body["max_tokens"] for request in simulator.requests} == {SMALL_REPLY}


def test_at_each_ceiling_the_turn_still_completes() -> None:
    usd, tokens, count = worst_end()

    assert run(Simulator(steps(4)), cost_usd=usd).state == "completed"
    assert run(Simulator(steps(4)), total_tokens=tokens).state == "completed"
    assert run(Simulator(steps(4)), steps=count).state == "completed"


def test_above_a_step_ceiling_the_turn_halts_before_the_next_request() -> None:
    simulator = Simulator(steps(4))

    outcome = run(simulator, steps=4)

    assert (outcome.state, outcome.reason) == ("halted", "step_ceiling")
    assert len(simulator.requests) == 4
    assert outcome.detail == (
        "halted at step 4: the ceiling of 4 steps a turn is reached; go on with"
        ' `tasks()["audit"].resume(max_steps=8)`'
    )


@pytest.mark.parametrize("steps_wanted", range(3, 40, 6))
def test_a_cost_ceiling_crossed_in_small_steps_is_never_passed(steps_wanted: int) -> None:
    ceiling = Decimal("0.012") + Decimal("0.009") * steps_wanted
    simulator = Simulator(steps(60, output_tokens=300, result_tokens=200))

    outcome = run(simulator, cost_usd=ceiling)

    last = simulator.requests[-1].prompt_tokens or 0
    next_one = (Decimal(5) * (last + 1_200) + 20 * LAST_REPLY_TOKENS) / 1_000_000
    assert (outcome.state, outcome.reason) == ("halted", "cost_ceiling")
    assert simulator.bill.total_usd == outcome.total.cost_usd
    assert ceiling - next_one < simulator.bill.total_usd <= ceiling


@pytest.mark.parametrize("ceiling", range(3_000, 30_000, 4_500))
def test_a_token_ceiling_crossed_in_small_steps_is_never_passed(ceiling: int) -> None:
    simulator = Simulator(steps(60, output_tokens=300, result_tokens=200))

    outcome = run(simulator, total_tokens=ceiling)

    assert (outcome.state, outcome.reason) == ("halted", "token_ceiling")
    assert simulator.bill.total_tokens == outcome.total.ceiling_tokens <= ceiling
    assert f"of {ceiling:,} tokens in step" in outcome.detail
    assert "the next step could have taken up to" in outcome.detail


@pytest.mark.parametrize(
    ("ceilings", "reason"),
    [
        ({"cost_usd": 0}, "cost_ceiling"),
        ({"total_tokens": 0}, "token_ceiling"),
        ({"steps": 0}, "step_ceiling"),
        ({"elapsed_s": 0}, "time_ceiling"),
    ],
)
def test_a_ceiling_of_zero_halts_before_anything_is_sent(
    ceilings: dict[str, int], reason: str
) -> None:
    simulator = Simulator(steps(1))

    outcome = run(simulator, **ceilings)

    assert (outcome.state, outcome.reason) == ("halted", reason)
    assert simulator.requests == []
    assert outcome.total.cost_usd == 0


@pytest.mark.parametrize("ceiling", ["cost_usd", "total_tokens", "steps", "elapsed_s"])
def test_a_ceiling_of_zero_keeps_the_prompt_for_when_it_is_raised(ceiling: str) -> None:
    simulator = Simulator([Reply(text="Done.")])
    task = task_on(simulator, ceilings=Ceilings(**{ceiling: 0}))
    task.run("Look.")

    outcome = resumed(task, ceilings=Ceilings())

    assert (outcome.state, outcome.turn) == ("completed", 1)
    assert simulator.requests[0].body["messages"][0]["content"][0]["text"] == "Look."


def test_open_ceilings_hold_nothing_back() -> None:
    outcome = run(Simulator(steps(60)))

    assert (outcome.state, outcome.spend.steps) == ("completed", 61)


@pytest.mark.parametrize("value", [-1, "much", float("nan"), float("inf"), True])
@pytest.mark.parametrize("name", ["cost_usd", "total_tokens", "steps", "elapsed_s"])
def test_a_ceiling_that_is_no_number_of_at_least_zero_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} {value!r}: give "):
        Ceilings(**{name: value})


def test_the_halt_names_the_ceiling_what_was_spent_and_the_way_out() -> None:
    outcome = run(Simulator(steps(60)), cost_usd=Decimal("0.10"))

    assert outcome.detail.startswith("stopped at $0.0")
    assert " of $0.10 in step 5: the next step could have cost up to $0.0" in outcome.detail
    assert "reached" not in outcome.detail
    assert 'go on with `tasks()["audit"].resume(max_cost=0.24)`' in outcome.detail


def test_what_the_halt_suggests_gives_enough_room_to_go_on() -> None:
    simulator = Simulator(steps(60))
    task = task_on(simulator, ceilings=Ceilings(cost_usd=Decimal("0.10")))
    task.run("Look.")
    (suggested,) = facts(task, TurnFinished)[-1].suggestions
    before = len(simulator.requests)

    task.resume(**suggested.changes)

    assert len(simulator.requests) > before


def test_cost_and_tokens_are_totals_of_the_task_and_steps_of_one_turn() -> None:
    simulator = Simulator([*steps(3), *steps(3), *steps(3)])
    ceilings = Ceilings(cost_usd=Decimal("0.13"), steps=4)
    task = task_on(simulator, wrap_up=False, max_tokens=SMALL_REPLY, ceilings=ceilings)

    first, second = task.run("Look."), task.run("Look again.")

    assert (first.state, first.spend.steps) == ("completed", 4)
    assert second.reason == "cost_ceiling"
    assert task.spend.steps == first.spend.steps + second.spend.steps


def test_held_money_of_a_cut_off_request_is_named_when_the_ceiling_is_reached() -> None:
    simulator = Simulator(steps(9), faults=[silence(on=1)])
    task = task_on(
        simulator,
        wrap_up=False,
        max_tokens=8_000,
        ceilings=Ceilings(cost_usd=Decimal("0.22"), elapsed_s=CUT_S),
    )
    cut = task.run("Look.")

    outcome = resumed(task, ceilings=Ceilings(cost_usd=Decimal("0.22")))

    assert cut.reason == "time_ceiling"
    assert outcome.reason == "cost_ceiling"
    assert "$0.17 held for 1 cut-off request" in outcome.detail
    assert task.spend.unconfirmed_usd > Decimal("0.16")


def test_the_time_ceiling_cuts_a_silent_stream_and_books_what_it_may_cost() -> None:
    simulator = Simulator(steps(1), faults=[silence(on=0)])
    task = task_on(simulator, ceilings=Ceilings(elapsed_s=CUT_S))

    outcome = task.run("Look.")

    assert (outcome.state, outcome.reason) == ("halted", "time_ceiling")
    assert simulator.requests[0].closed_while_silent
    failed = facts(task, AttemptFailed)[0]
    assert failed.why == "cut off by the time ceiling"
    assert outcome.spend.unconfirmed_usd == failed.unconfirmed_usd > 0
    assert simulator.bill.total_usd <= failed.unconfirmed_usd


def test_a_turn_cut_by_the_time_ceiling_goes_on_when_it_is_raised() -> None:
    simulator = Simulator(steps(2), faults=[silence(on=1)])
    task = task_on(simulator, ceilings=Ceilings(elapsed_s=CUT_S))
    task.run("Look.")

    outcome = resumed(task, ceilings=Ceilings())

    assert (outcome.state, outcome.text, outcome.turn) == ("completed", "Done.", 1)
    assert outcome.spend.elapsed_s > CUT_S - 0.1


def test_the_step_ceiling_counts_on_in_a_resumed_turn() -> None:
    simulator = Simulator(steps(9))
    task = task_on(simulator, ceilings=Ceilings(steps=3))
    task.run("Look.")

    outcome = resumed(task, ceilings=Ceilings(steps=5))

    assert (outcome.reason, outcome.spend.steps) == ("step_ceiling", 5)
    assert len(simulator.requests) == 5


def test_a_step_ceiling_of_one_asks_for_the_summary_at_once() -> None:
    simulator = Simulator([Reply(text="All I know.", calls=[LOOK])])
    task = task_on(simulator, ceilings=Ceilings(steps=1))

    outcome = task.run("Look.")

    assert (outcome.reason, outcome.text) == ("step_ceiling", "All I know.")
    assert last_start(task).last_answer
    assert LAST_ANSWER in str(simulator.requests[0].body)

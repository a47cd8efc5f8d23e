"""The worked example of the documentation's page "Task budgets" comes out exactly."""

from __future__ import annotations

from budget_magic.events import StepFinished
from budget_magic.simulator import Simulator
from tests.loop.running import facts, is_append_only, task_on


def test_worked_example_counts_what_the_documentation_counts() -> None:
    simulator = Simulator("worked_example")
    task = task_on(simulator, budget=100_000)

    outcome = task.run("Work through the example.")

    counted = facts(task, StepFinished)
    assert [fact.budget_tokens for fact in counted] == [5_000, 6_800, 7_200]
    assert [fact.remaining for fact in counted] == [95_000, 88_200, 81_000]
    assert [fact.tool_result_tokens for fact in counted] == [0, 2_800, 1_200]
    assert outcome.spend.budget_tokens == 19_000
    assert outcome.remaining == task.remaining == 81_000


def test_worked_example_sends_more_tokens_than_it_counts() -> None:
    simulator = Simulator("worked_example")
    task = task_on(simulator, budget=100_000)

    spend = task.run("Work through the example.").spend

    prompts = [request.prompt_tokens for request in simulator.requests]
    assert prompts == [20, 7_820, 13_020]
    in_all = spend.input_tokens + spend.cache_creation_input_tokens + spend.cache_read_input_tokens
    assert in_all == 20_860
    assert spend.cost_usd == simulator.bill.total_usd


def test_the_countdown_that_claude_sees_agrees_with_the_meter() -> None:
    simulator = Simulator("worked_example")
    task = task_on(simulator, budget=100_000)

    task.run("Work through the example.")

    seen = [request.remaining_after for request in simulator.requests]
    assert seen == [fact.remaining for fact in facts(task, StepFinished)]
    assert is_append_only(simulator.requests)

"""The twelve scenarios of agent-budget-semantics, each with the outcome we expect of ourselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from budget_magic.events import StepFinished, ToolFinished
from budget_magic.session.outcome import Outcome
from tests.loop.running import facts, last_content
from tests.scenarios.playing import FIRST, Agent, Play, scenarios

ALL = scenarios()
RUNS = [
    pytest.param(scenario, run, id=f"{scenario['id']}, {run['name']}")
    for scenario in ALL
    for run in scenario["run"]
]


def test_there_are_twelve_and_each_run_says_why() -> None:
    assert [scenario["id"] for scenario in ALL] == [f"S{number}" for number in range(1, 13)]
    assert all(scenario["question"] and scenario["answer"] for scenario in ALL)
    assert all(run["because"] for scenario in ALL for run in scenario["run"])


@pytest.mark.parametrize(("scenario", "run"), RUNS)
def test_a_scenario_comes_out_as_expected(
    scenario: Mapping[str, Any], run: Mapping[str, Any]
) -> None:
    play = Play(scenario=scenario, run=run)

    outcome = play.begin()

    _check(play, outcome, run["expected"])
    if "then_steps" in run or "then_tokens" in run:
        _check(play, play.go_on(run.get("then_steps"), run.get("then_tokens")), run["after"])
    for agent in play.agents.values():
        _check_the_bill(agent)


def _check(play: Play, outcome: Outcome, expected: Mapping[str, Any]) -> None:
    measured = _measured(play.agents[FIRST], outcome)
    if play.group is not None:
        measured["group_tokens"] = play.group.spent.tokens
    others = dict(expected)
    for name, of_agent in others.pop("agents", {}).items():
        agent = play.agents[name]
        assert agent.task.outcome is not None
        of_other = _measured(agent, agent.task.outcome)
        assert {key: of_other[key] for key in of_agent} == of_agent
    most, fewest = others.pop("most_deltas", 10**6), others.pop("fewest_deltas", 0)
    assert fewest <= play.agents[FIRST].deltas <= most
    largest = others.pop("largest_prompt", 10**9)
    assert measured["largest_prompt"] <= largest
    assert {key: measured[key] for key in others} == others, outcome.detail


def _measured(agent: Agent, outcome: Outcome) -> dict[str, Any]:
    requests, spend = agent.simulator.requests, outcome.total
    answered = facts(agent.task, ToolFinished)
    return {
        "state": outcome.state,
        "reason": outcome.reason,
        "text": outcome.text,
        "steps": spend.steps,
        "tool_calls": spend.tool_calls,
        "failed_calls": sum(fact.is_error and fact.ran for fact in answered),
        "tokens": spend.ceiling_tokens,
        "cache_reads": spend.cache_read_input_tokens,
        "budget_tokens": spend.budget_tokens,
        "countdown": requests[-1].remaining_after,
        "largest_prompt": max(request.prompt_tokens or 0 for request in requests),
        "not_shown": any(
            block.get("content") == "not shown: the ceiling is near"
            for block in last_content(requests[-1])
        ),
    }


def _check_the_bill(agent: Agent) -> None:
    """What we say was spent is what the simulator's own arithmetic says, under every ceiling."""
    spend, bill = agent.task.spend, agent.simulator.bill
    assert spend.cost_usd == bill.total_usd
    assert spend.steps == len(bill) == len(agent.simulator.requests)
    ceiling = agent.task.settings.ceilings.total_tokens
    assert ceiling is None or spend.ceiling_tokens <= ceiling
    # Text beside results is taken off by its estimate, and the figure is marked as one.
    estimated = any(fact.tool_result_tokens_estimated for fact in facts(agent.task, StepFinished))
    left = (agent.simulator.requests[-1].remaining_after or 0) - (agent.task.remaining or 0)
    assert abs(left) <= (20 if estimated else 0)

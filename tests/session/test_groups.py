"""A cap for a group of tasks: one more account between the task's own and the session's."""

from __future__ import annotations

from decimal import Decimal

import pytest

from budget_magic import Ceilings, Task
from budget_magic.errors import ConfigurationError
from budget_magic.session import default_session
from budget_magic.session.accounts import group_account
from budget_magic.simulator import Simulator
from tests.loop.running import steps, task_on

OPEN = Ceilings(cost_usd=None, total_tokens=None)


def test_a_group_s_cap_holds_over_all_its_tasks() -> None:
    group = group_account("the sweep", total_tokens=60_000)
    simulators = [Simulator(steps(6, output_tokens=2_000)) for _ in range(3)]
    tasks = [
        task_on(simulator, f"trial-{number}", ceilings=OPEN, max_tokens=4_096)
        for number, simulator in enumerate(simulators)
    ]
    for task in tasks:
        task.join(group)

    outcomes = [task.run("Look.") for task in tasks]

    used = sum(task.spend.ceiling_tokens for task in tasks)
    assert used == group.spent.tokens == default_session().account.spent.tokens
    assert 40_000 < used <= 60_000
    assert outcomes[0].reason == "end_turn"
    assert outcomes[-1].reason == "session_ceiling"
    assert " of 60,000 tokens for the sweep in step 2: the next step could have taken up to " in (
        outcomes[-1].detail
    )
    assert (
        'raise the cap of the sweep to 110000 or more, then `tasks()["trial-2"].resume()`'
        in outcomes[-1].detail
    )


def test_a_group_s_cap_can_be_raised_and_its_tasks_go_on() -> None:
    group = group_account("the sweep", cost_usd="0.09")
    task = task_on(Simulator(steps(3, output_tokens=2_000)), ceilings=OPEN, max_tokens=2_100)
    task.join(group)
    halted = task.run("Look.")
    assert halted.reason == "session_ceiling"
    assert group.spent.usd == task.spend.cost_usd
    assert group.spent.usd <= Decimal("0.09")

    group.cost_usd = Decimal(1)

    assert task.resume().state == "completed"
    assert group.spent.usd == task.spend.cost_usd


def test_the_session_s_ceiling_is_named_where_it_is_the_nearer_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_TOKEN_BUDGET", "9000")
    task = task_on(Simulator(steps(9)), ceilings=OPEN, max_tokens=1_024)
    task.join(group_account("the sweep", total_tokens=90_000))
    halted = task.run("Look.")
    assert halted.reason == "session_ceiling"
    assert "this kernel session" in halted.detail
    assert "ANTHROPIC_TOKEN_BUDGET" in halted.detail


def test_simulated_spend_does_not_count_against_a_group() -> None:
    group = group_account("the sweep", total_tokens=10)
    task = Task("pretended", client="simulator", tools="none")
    task.join(group)
    assert task.run("Say hello.").state == "completed"
    assert group.spent.tokens == 0


def test_a_model_without_a_price_is_refused_under_a_cap_in_dollars() -> None:
    simulator = Simulator(steps(1))
    task = task_on(simulator, model="claude-new-1", effort="high", ceilings=OPEN)
    task.join(group_account("the sweep", cost_usd=1))
    with pytest.raises(ConfigurationError, match="the cap of the sweep cannot be enforced"):
        task.run("Look.")
    assert not simulator.requests


def test_a_cap_must_be_a_number_of_at_least_zero() -> None:
    with pytest.raises(ConfigurationError, match="cost_usd"):
        group_account("the sweep", cost_usd=-1)

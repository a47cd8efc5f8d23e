"""Ceilings over all tasks of the session: requests wait for room, simulated ones do not count."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from budget_magic import Ceilings, Task
from budget_magic.errors import ConfigurationError
from budget_magic.events import Live, Record, StepFinished, TurnFinished, WaitFinished, WaitStarted
from budget_magic.meter.account import Account
from budget_magic.session import default_session
from budget_magic.session.accounts import set_ceilings
from budget_magic.settings import Defaults
from budget_magic.simulator import Reply, SceneContext, Signal, Simulator, hold
from tests.loop.running import LOOK, facts, lookup, resumed, steps, task_on


def many(count: int, simulator: Simulator, **options: Any) -> list[Task]:
    """So many tasks on one simulator."""
    return [task_on(simulator, name=f"task-{number}", **options) for number in range(count)]


class OnWait:
    """A sink that lets the held requests go once a task waits for room."""

    def __init__(self, go_on: Signal) -> None:
        self._go_on = go_on

    def record(self, record: Record) -> None:
        """Set the signal if this is a wait."""
        if isinstance(record.fact, WaitStarted):
            self._go_on.set()

    def live(self, event: Live) -> None:
        """Let it stream."""


def run_all(tasks: list[Task], go_on: Signal) -> None:
    """Run them all at once; the signal is set when one of them waits for room."""
    for task in tasks:
        task.start("Look.", sinks=[OnWait(go_on)])
    for task in tasks:
        task.wait()


def looking(context: SceneContext) -> Reply:
    """A model that never ends by itself."""
    return Reply(text=f"Step {context.replies}.", calls=[LOOK], output_tokens=1_000)


def test_sixteen_tasks_under_five_dollars_all_make_progress(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_COST_BUDGET", "5")
    go_on = Signal()
    # The first requests are held until some tasks wait, so that they really run at once.
    simulator = Simulator(looking, faults=[hold(go_on, on=range(7), before_headers=True)])
    tasks = many(16, simulator, ceilings=Ceilings(cost_usd=None, steps=40), wrap_up=False)

    run_all(tasks, go_on)

    assert simulator.bill.total_usd <= 5
    assert all(facts(task, StepFinished) for task in tasks)
    assert any(facts(task, WaitFinished) for task in tasks)
    outcomes = [task.outcome for task in tasks if task.outcome is not None]
    assert {outcome.reason for outcome in outcomes} <= {"session_ceiling", "step_ceiling"}
    assert default_session().account.requests_held == 0


def test_no_task_halts_while_others_hold_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    # Room for one request at a time: whoever comes second must wait, not halt.
    monkeypatch.setenv("ANTHROPIC_COST_BUDGET", "0.80")
    go_on = Signal()
    simulator = Simulator(
        lambda context: steps(2, output_tokens=100)[context.replies], faults=[hold(go_on, on=0)]
    )
    tasks = many(4, simulator, ceilings=Ceilings(cost_usd=None))

    run_all(tasks, go_on)

    assert [task.outcome.state for task in tasks if task.outcome] == ["completed"] * 4
    assert sum(len(facts(task, WaitStarted)) for task in tasks) > 0
    assert all(len(facts(t, WaitStarted)) == len(facts(t, WaitFinished)) for t in tasks)


def test_the_session_ceiling_halts_with_the_variable_that_raises_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_COST_BUDGET", "0.10")
    task = task_on(Simulator(looking), budget=None)

    outcome = task.run("Look.")

    assert (outcome.state, outcome.reason) == ("halted", "session_ceiling")
    assert "of $0.10 for this kernel session in step 3: the next step could" in outcome.detail
    assert (
        'raise ANTHROPIC_COST_BUDGET to 0.23 or more, then `tasks()["audit"].resume()`'
        in outcome.detail
    )


def test_the_session_ceiling_on_tokens_names_its_own_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_TOKEN_BUDGET", "9000")
    monkeypatch.setenv("ANTHROPIC_COST_BUDGET", "100")
    simulator = Simulator(looking)
    task = task_on(simulator, budget=None)

    outcome = task.run("Look.")

    assert outcome.reason == "session_ceiling"
    assert "of 9,000 tokens for this kernel session in step 3: the next" in outcome.detail
    assert "ANTHROPIC_TOKEN_BUDGET" in outcome.detail
    assert simulator.bill.total_tokens <= 9_000


def test_a_raised_session_ceiling_lets_the_task_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_COST_BUDGET", "0.02")
    task = task_on(Simulator(steps(1)))
    assert task.run("Look.").reason == "session_ceiling"
    monkeypatch.setenv("ANTHROPIC_COST_BUDGET", "2")

    assert resumed(task).text == "Done."


def test_the_spend_of_one_task_counts_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_COST_BUDGET", "0.08")
    first = task_on(Simulator([Reply(text="One.", output_tokens=3_000)]), max_tokens=3_000)
    second = task_on(Simulator([Reply(text="Two.")]), name="second", max_tokens=3_000)

    assert first.run("Look.").state == "completed"
    assert second.run("Look.").reason == "session_ceiling"


def test_simulated_tasks_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_COST_BUDGET", "0")
    task = Task("simulated", client="simulator", tools=[lookup], budget=None)

    outcome = task.run("Say something about lookup.")

    assert outcome.state == "completed"
    assert default_session().account.spent.usd == 0


@pytest.mark.parametrize("name", ["ANTHROPIC_COST_BUDGET", "ANTHROPIC_TOKEN_BUDGET"])
@pytest.mark.parametrize("value", ["much", "-1", "nan", "inf"])
def test_a_session_ceiling_that_is_no_number_is_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} is '{value}'; set it to a number"):
        set_ceilings(default_session().account, Defaults(), {name: value})


def test_defaults_go_before_the_environment() -> None:
    account = Account(name="x", cost_usd=None, total_tokens=None)
    configured = Defaults(session_cost_usd=Decimal(3))
    set_ceilings(account, configured, {"ANTHROPIC_COST_BUDGET": "9"})
    assert account.cost_setting == "session_cost"

    assert account.cost_usd == Decimal(3)
    assert account.total_tokens is None


def test_an_unknown_price_is_refused_while_the_session_has_a_ceiling_in_dollars(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_COST_BUDGET", "5")
    simulator = Simulator(steps(1))
    task = task_on(
        simulator, model="claude-unheard-of", budget=None, ceilings=Ceilings(cost_usd=None)
    )

    with pytest.raises(ConfigurationError, match="ANTHROPIC_COST_BUDGET"):
        task.run("Look.")
    assert simulator.requests == []
    assert facts(task, TurnFinished) == []

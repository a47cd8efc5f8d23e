"""Money that cut-off requests hold: where it stands, how it is let go, and when there is none."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest

from budget_magic import Ceilings, Task
from budget_magic.errors import ConfigurationError
from budget_magic.events import (
    ApprovalAsked,
    AttemptFailed,
    HeldReleased,
    RetryScheduled,
    StepFinished,
    ToolFinished,
    ToolStarted,
)
from budget_magic.meter import read
from budget_magic.meter.account import Amount
from budget_magic.session import default_session
from budget_magic.session.accounts import group_account
from budget_magic.simulator import Call, Reply, Signal, Simulator, hold, overloaded, silence
from tests.loop.running import (
    LOOK,
    all_facts,
    facts,
    interruption,
    lookup,
    note,
    steps,
    stopped_at,
    task_on,
)
from tests.session.test_interrupt import stop_when_silent


def cut_off(task: Task, simulator: Simulator, number: int = 0, prompt: str = "Look.") -> None:
    """Run a turn of which one request is stopped once it is silent."""
    stop_when_silent(task, simulator, number)
    interruption(lambda: task.run(prompt))


def one_cut_off(**options: Any) -> tuple[Task, AttemptFailed]:
    """A task with one cut-off request, and what was booked for it."""
    simulator = Simulator(steps(1), faults=[silence(on=0)])
    task = task_on(simulator, **options)
    cut_off(task, simulator)
    return task, facts(task, AttemptFailed)[0]


def test_held_money_is_replaced_by_what_had_streamed_in_every_account() -> None:
    group = group_account("the sweep", cost_usd=5)
    simulator = Simulator(steps(1), faults=[silence(on=0)])
    task = task_on(simulator)
    task.join(group)
    cut_off(task, simulator)
    failed = facts(task, AttemptFailed)[0]
    most = Amount(usd=failed.unconfirmed_usd, tokens=failed.unconfirmed_tokens)
    least = Amount(usd=failed.at_least_usd, tokens=failed.at_least_tokens)
    accounts = (task.account, group, default_session().account)
    assert [one.unconfirmed for one in accounts] == [most] * 3
    assert most.usd > least.usd > 0
    assert most.tokens > least.tokens > 0

    told = task.release_held()

    assert [one.unconfirmed for one in accounts] == [least] * 3
    assert [one.cut_off for one in accounts] == [[]] * 3
    assert task.spend.unconfirmed_usd == least.usd
    assert task.spend.unconfirmed_tokens == least.tokens
    assert told == (
        "Released $0.64 held for 1 cut-off request, <$0.01 that had streamed still counts; if the"
        " API billed more, the bill is higher than shown here."
    )


def test_a_release_is_a_record_that_the_meter_folds() -> None:
    task, failed = one_cut_off()

    task.release_held()

    released = facts(task, HeldReleased)
    assert released == [
        HeldReleased(
            turn=1,
            requests=1,
            released_usd=failed.unconfirmed_usd - failed.at_least_usd,
            released_tokens=failed.unconfirmed_tokens - failed.at_least_tokens,
            kept_usd=failed.at_least_usd,
            kept_tokens=failed.at_least_tokens,
        )
    ]
    assert read(all_facts(task)).total == task.spend


def test_what_several_turns_hold_is_let_go_at_once_and_stays_with_its_turn() -> None:
    simulator = Simulator(steps(1), faults=[silence(on=0), silence(on=1)])
    task = task_on(simulator)
    cut_off(task, simulator)
    cut_off(task, simulator, 1, "Look again.")
    assert task.held.requests == 2

    told = task.release_held()

    assert "2 cut-off requests" in told
    assert [(fact.turn, fact.requests) for fact in facts(task, HeldReleased)] == [(1, 1), (2, 1)]
    assert task.held.requests == 0
    for turn in (1, 2):
        report = " ".join(str(task.report(turn)["text/plain"]).split())
        assert "held for 1 cut-off request" in report


def test_releasing_twice_or_where_nothing_is_held_changes_nothing() -> None:
    fresh = task_on(Simulator(steps(1)), "fresh")
    assert fresh.release_held() == "fresh holds nothing for cut-off requests"
    assert fresh.events == []
    task, _ = one_cut_off()
    task.release_held()
    before = (task.spend, len(task.events), task.account.unconfirmed)

    assert task.release_held() == "audit holds nothing for cut-off requests"

    assert (task.spend, len(task.events), task.account.unconfirmed) == before


def test_a_release_is_refused_while_the_task_runs() -> None:
    go_on = Signal()
    simulator = Simulator(steps(1), faults=[silence(on=0), hold(go_on, on=1)])
    task = task_on(simulator)
    cut_off(task, simulator)
    held = task.held
    refused: list[str] = []

    def watch() -> None:
        assert simulator.arrival(1).wait()
        try:
            task.release_held()
        except ConfigurationError as error:
            refused.append(str(error))
        go_on.set()

    threading.Thread(target=watch, daemon=True).start()
    task.resume()

    assert "audit is already running" in refused[0]
    assert task.held == held


def test_a_task_that_held_money_stopped_goes_on_once_it_is_let_go() -> None:
    task, _ = one_cut_off(ceilings=Ceilings(cost_usd="0.65"))
    halted = task.resume()
    assert halted.reason == "cost_ceiling"
    way_out = '; `tasks()["audit"].release_held()` releases it; go on with '
    assert f"held for 1 cut-off request){way_out}" in halted.detail

    task.release_held()

    assert task.resume().state == "completed"


def test_a_group_that_is_full_names_the_task_whose_money_it_holds() -> None:
    group = group_account("the sweep", cost_usd="0.65")
    simulator = Simulator(steps(1), faults=[silence(on=0)])
    task = task_on(simulator, inference_geo="global")
    task.join(group)
    cut_off(task, simulator)
    other = task_on(Simulator(steps(1)), "other", inference_geo="global")
    other.join(group)

    halted = other.run("Look.")

    assert halted.reason == "session_ceiling"
    assert '`tasks()["audit"].release_held()` releases it' in halted.detail
    task.release_held()
    assert other.resume().state == "completed"


def test_what_a_task_of_a_tool_holds_is_let_go_around_it_too() -> None:
    simulator = Simulator(steps(1), faults=[silence(on=0)])
    inner = task_on(simulator, "inner")

    def ask(what: str) -> str:
        """Run a task that is cut off."""
        cut_off(inner, simulator, prompt=what)
        return "cut off"

    outer = task_on(
        Simulator([Reply(calls=[Call("ask", {"what": "Look."})]), Reply(text="Done.")]),
        "outer",
        tools=[ask],
    )
    assert outer.run("Look.").state == "completed"
    assert outer.account.unconfirmed.usd == inner.spend.unconfirmed_usd > Decimal("0.1")

    inner.release_held()

    assert outer.account.unconfirmed.usd == inner.spend.unconfirmed_usd < Decimal("0.1")
    assert not outer.account.cut_off


@pytest.mark.parametrize("kind", [StepFinished, ToolStarted, ToolFinished])
def test_a_stop_between_steps_or_in_a_tool_holds_nothing(kind: Any) -> None:
    assert_nothing_is_held(task_on(Simulator(steps(1))), kind)


def test_a_stop_during_an_approval_holds_nothing() -> None:
    simulator = Simulator([Reply(calls=[Call("note", {"text": "x"})]), Reply(text="Done.")])
    assert_nothing_is_held(task_on(simulator, tools=[note, lookup], approve="ask"), ApprovalAsked)


def test_a_stop_during_the_pause_before_a_retry_holds_nothing() -> None:
    simulator = Simulator([Reply(calls=[LOOK]), Reply(text="Done.")], faults=[overloaded()])
    assert_nothing_is_held(task_on(simulator), RetryScheduled)


def assert_nothing_is_held(task: Task, kind: Any) -> None:
    """Stop at a fact; no money is held afterwards, and no request counts as cut off."""
    outcome = stopped_at(task, kind)
    assert outcome.state == "interrupted"
    assert facts(task, kind)
    assert outcome.spend.unconfirmed_usd == 0
    assert task.held.requests == 0
    assert task.account.held == task.account.unconfirmed == Amount()
    assert "cut off" not in outcome.detail

"""Raising a budget or a ceiling while a turn runs: what was offered, and once however often."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest

from budget_magic import Ceilings, Task
from budget_magic.events import ApprovalAsked, SettingsChanged
from budget_magic.report.live_turn import LiveTurn
from budget_magic.session.controls import TaskControls
from budget_magic.simulator import Call, Reply, Signal, Simulator, hold
from budget_magic.widgets.controls import offers_json
from budget_magic.widgets.requests import Requests
from tests.loop.running import facts, note, results, steps, task_on

GUARD_S = 10.0


@contextmanager
def running() -> Iterator[tuple[Task, TaskControls]]:
    """A task whose request is held until the block ends, and its panel's controls."""
    go_on = Signal()
    simulator = Simulator(steps(1), faults=[hold(go_on, on=0)])
    task = task_on(simulator, budget=64_000, ceilings=Ceilings(cost_usd=5, total_tokens=100_000))
    live_turn = LiveTurn(task.fold, task.ratios)
    task.start("Look.", sinks=[live_turn])
    assert simulator.arrival(0).wait()
    try:
        yield task, TaskControls(task, live_turn)
    finally:
        go_on.set()
        task.wait()


def raise_message(controls: TaskControls, kind: str) -> dict[str, Any]:
    """The message of a button, made from what it was told."""
    offers = offers_json(controls.offers(), 1)
    if kind == "budget":
        to = str(offers["budgets"][1])
        return {"k": "budget", "from": offers["budget"], "to": to, "when": "now"}
    offered = offers["ceilings"][kind]
    return {"k": "ceiling", "ceiling": kind, "from": offered["from"], "to": offered["to"]}


@pytest.mark.parametrize(
    ("kind", "once"),
    [
        ("cost", ("5", "7.00")),
        ("tokens", ("100000", "200000")),
        ("steps", ("50", "75")),
        ("time", ("1800.0", "2400.0")),
    ],
)
def test_a_raise_that_two_views_ask_for_is_made_once(kind: str, once: tuple[str, str]) -> None:
    with running() as (task, controls):
        pressed = raise_message(controls, kind)
        for _ in range(2):
            Requests(controls).take(pressed)
        after = raise_message(controls, kind)

    assert (str(pressed["from"]), str(after["from"])) == once
    assert len(facts(task, SettingsChanged)) == 1


def test_a_budget_that_two_views_choose_is_set_once() -> None:
    with running() as (task, controls):
        offered = controls.offers().budgets
        chosen = raise_message(controls, "budget")
        for _ in range(2):
            Requests(controls).take(chosen)

    assert offered == (96_000, 128_000, 192_000)
    assert [fact.settings.budget for fact in facts(task, SettingsChanged)] == [128_000]
    assert task.settings.budget == 128_000


@pytest.mark.parametrize(("to", "budget"), [("1.5M", 1_500_000), ("none", None)])
def test_a_budget_for_the_next_cell_leaves_this_turn_alone(to: str, budget: int | None) -> None:
    with running() as (task, controls):
        chosen = raise_message(controls, "budget") | {"to": to, "when": "next"}
        Requests(controls).take(chosen)
        offers = controls.offers()

    assert (offers.budget, offers.next_budget) == (64_000, budget)
    assert not facts(task, SettingsChanged)
    assert task.settings.budget == budget


def test_a_budget_that_was_chosen_for_the_next_cell_may_be_chosen_for_now() -> None:
    with running() as (task, controls):
        chosen = raise_message(controls, "budget")
        for when in ("next", "now"):
            Requests(controls).take(chosen | {"when": when})

    assert [fact.settings.budget for fact in facts(task, SettingsChanged)] == [128_000]


def test_a_raise_that_was_offered_anew_is_made_again() -> None:
    with running() as (task, controls):
        for _ in range(2):
            Requests(controls).take(raise_message(controls, "cost"))

    assert task.settings.ceilings.cost_usd == Decimal("10.00")


def test_a_raise_to_something_else_than_was_offered_is_not_made() -> None:
    with running() as (task, controls):
        for kind in ("cost", "tokens", "steps", "time"):
            Requests(controls).take(raise_message(controls, kind) | {"to": "1000000"})
        for wrong in ({"from": 10}, {"from": None}):
            Requests(controls).take(raise_message(controls, "budget") | wrong)

    assert (task.settings.ceilings, task.settings.budget) == (
        Ceilings(cost_usd=5, total_tokens=100_000),
        64_000,
    )
    assert not facts(task, SettingsChanged)


def test_an_answer_that_comes_while_the_panel_is_looked_for_counts() -> None:
    simulator = Simulator([Reply(calls=[Call("note", {"text": "x"})]), Reply(text="Done.")])
    task = task_on(simulator, tools=[note], approve="ask")
    controls = TaskControls(task, LiveTurn(task.fold, task.ratios))

    async def answers() -> bool:
        (asked,) = facts(task, ApprovalAsked)
        controls.decide(asked.call_id, "once", "")
        return True

    guard = threading.Timer(GUARD_S, task.stop)
    guard.start()
    task.start("Look.", approver=controls.approver(answers))

    assert task.wait().state == "completed"
    assert results(task) == ["noted: x"]
    guard.cancel()

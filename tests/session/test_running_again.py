"""Running a cell again: goes on, shows, or goes back, as the documentation's list says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from budget_magic import Ceilings, ConfigurationError, Task
from budget_magic.session.settings import Settings
from budget_magic.session.turns import Plan, Prompt, Start
from budget_magic.simulator import Call, Reply, Simulator
from tests.loop.running import lookup, note, resumed, sent, steps, task_on

REPLIES = [Reply(text=f"Reply {number}.") for number in range(1, 9)]


def run_cell(
    task: Task, cell: str | None, text: str, *, again: bool = False, **options: Any
) -> Plan:
    """Run a cell with options as the magic does, and tell what that meant."""
    change: Callable[[Settings], Settings] = lambda settings: replace(settings, **options)  # noqa: E731 - one expression
    prompt = Prompt(typed=text, sent=text, cell_id=cell)
    plan = task.plan(prompt, change, again=again)
    if plan.kind == "show":
        return plan
    start = Start(settings=plan.settings)
    if plan.kind == "go_on" and plan.turn is not None:
        task.begin_again(plan.turn, start)
    else:
        task.begin(prompt, start, rewind_to=plan.turn)
    task.wait()
    return plan


def said(simulator: Simulator) -> list[str]:
    """All texts that the last request holds."""
    messages = sent(simulator.requests[-1])
    return [block["text"] for message in messages for block in message["content"]]


@pytest.mark.parametrize("cell", [None, "a"])
def test_a_new_cell_and_no_cell_id_are_a_new_turn_at_the_end(cell: str | None) -> None:
    simulator = Simulator(REPLIES)
    task = task_on(simulator)
    run_cell(task, cell, "First.")

    plan = run_cell(task, None if cell is None else "b", "First.")

    assert plan.kind == "new"
    assert said(simulator) == ["First.", "Reply 1.", "First."]


def test_a_completed_cell_with_nothing_changed_is_shown_and_nothing_is_sent() -> None:
    simulator = Simulator(REPLIES)
    task = task_on(simulator)
    run_cell(task, "a", "First.")
    spent = task.spend

    plan = run_cell(task, "a", "First.")

    assert plan.kind == "show"
    assert plan.turn is task.turns[0]
    assert plan.turn.outcome is not None
    assert plan.turn.outcome.text == "Reply 1."
    assert plan.turn.ended_at is not None
    assert (len(simulator.requests), task.spend) == (1, spent)


@pytest.mark.parametrize(
    "options",
    [
        {"ceilings": Ceilings(cost_usd=9)},
        {"approve": "none"},
        {"tags": {"pr": "1"}},
    ],
    ids=["ceilings", "approve", "tags"],
)
def test_what_does_not_count_as_a_change_still_shows(options: dict[str, Any]) -> None:
    simulator = Simulator(REPLIES)
    task = task_on(simulator)
    run_cell(task, "a", "First.")

    assert run_cell(task, "a", "First.", **options).kind == "show"
    assert len(simulator.requests) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"model": "claude-opus-4-8"},
        {"effort": "low"},
        {"budget": 128_000},
        {"budget": None},
        {"tools": (lookup, note)},
        {"root": "/"},
        {"system": "Be brief."},
    ],
    ids=["model", "effort", "budget", "no budget", "tools", "root", "system"],
)
def test_a_changed_setting_rewinds_to_before_the_turn(options: dict[str, Any]) -> None:
    simulator = Simulator(REPLIES)
    task = task_on(simulator)
    run_cell(task, "a", "First.")

    plan = run_cell(task, "a", "First.", **options)

    assert plan.kind == "rewind"
    assert said(simulator) == ["First."]
    assert [turn.is_superseded for turn in task.turns] == [True, False]
    assert task.outcome is not None
    assert (task.outcome.state, task.outcome.text) == ("completed", "Reply 2.")


def test_options_of_a_later_cell_do_not_make_an_earlier_one_count_as_changed() -> None:
    simulator = Simulator(REPLIES)
    task = task_on(simulator)
    run_cell(task, "a", "First.")
    run_cell(task, "b", "Second.", effort="low")

    assert run_cell(task, "a", "First.").kind == "show"
    assert run_cell(task, "b", "Second.", effort="low").kind == "show"
    assert len(simulator.requests) == 2


def test_another_prompt_rewinds_and_what_came_after_is_superseded() -> None:
    simulator = Simulator(REPLIES)
    task = task_on(simulator)
    run_cell(task, "a", "First.")
    run_cell(task, "b", "Second.")
    run_cell(task, "c", "Third.")

    plan = run_cell(task, "b", "Other.")

    assert plan.kind == "rewind"
    assert said(simulator) == ["First.", "Reply 1.", "Other."]
    assert [turn.is_superseded for turn in task.turns] == [False, True, True, False]


def test_money_spent_stays_spent_after_a_rewind() -> None:
    simulator = Simulator(REPLIES)
    task = task_on(simulator)
    run_cell(task, "a", "First.")
    run_cell(task, "a", "Other.")

    assert task.spend.steps == 2
    assert task.spend.cost_usd == simulator.bill.total_usd


def test_again_runs_a_completed_cell_anew() -> None:
    simulator = Simulator(REPLIES)
    task = task_on(simulator)
    run_cell(task, "a", "First.")

    plan = run_cell(task, "a", "First.", again=True)

    assert plan.kind == "rewind"
    assert said(simulator) == ["First."]


def test_a_halted_cell_goes_on_with_the_options_as_they_stand_now() -> None:
    simulator = Simulator(steps(3))
    task = task_on(simulator, wrap_up=False)
    run_cell(task, "a", "Look.", ceilings=Ceilings(steps=2))
    assert task.outcome is not None
    assert task.outcome.reason == "step_ceiling"

    plan = run_cell(task, "a", "Look.", ceilings=Ceilings(steps=9))

    assert plan.kind == "go_on"
    assert (task.outcome.state, task.outcome.turn) == ("completed", 1)
    assert len(task.turns) == 1
    assert len(simulator.requests) == 4


def test_raising_the_cost_ceiling_in_the_cell_goes_on_where_it_stopped() -> None:
    simulator = Simulator(steps(3))
    task = task_on(simulator, wrap_up=False, max_tokens=1_500)
    run_cell(task, "a", "Look.", ceilings=Ceilings(cost_usd=Decimal("0.05")))

    plan = run_cell(task, "a", "Look.", ceilings=Ceilings(cost_usd=1))

    assert plan.kind == "go_on"
    assert task.outcome is not None
    assert (task.outcome.state, task.outcome.text) == ("completed", "Done.")
    assert task.spend.cost_usd == simulator.bill.total_usd


def test_a_halted_cell_with_another_prompt_rewinds() -> None:
    simulator = Simulator(steps(3))
    task = task_on(simulator)
    run_cell(task, "a", "Look.", ceilings=Ceilings(steps=1))

    plan = run_cell(task, "a", "Look elsewhere.", ceilings=Ceilings())

    assert plan.kind == "rewind"
    assert sent(simulator.requests[1])[0]["content"][0]["text"] == "Look elsewhere."


def test_a_halted_cell_that_others_followed_rewinds() -> None:
    simulator = Simulator([*steps(1), *REPLIES])
    task = task_on(simulator)
    run_cell(task, "a", "Look.", ceilings=Ceilings(steps=1))
    run_cell(task, "b", "Second.", ceilings=Ceilings())

    assert run_cell(task, "a", "Look.").kind == "rewind"


def test_a_cell_that_was_shown_again_after_it_went_on_is_one_turn() -> None:
    simulator = Simulator(steps(3))
    task = task_on(simulator)
    run_cell(task, "a", "Look.", ceilings=Ceilings(steps=1))
    run_cell(task, "a", "Look.", ceilings=Ceilings(steps=9))

    assert run_cell(task, "a", "Look.", ceilings=Ceilings(steps=9)).kind == "show"


def test_resuming_keeps_a_turn_the_turn_of_its_cell() -> None:
    simulator = Simulator(steps(3))
    task = task_on(simulator)
    run_cell(task, "a", "Look.", ceilings=Ceilings(steps=1))
    resumed(task, ceilings=Ceilings())

    assert run_cell(task, "a", "Look.").kind == "show"


def test_a_turn_that_changed_things_is_known_as_one() -> None:
    simulator = Simulator(
        [
            Reply(calls=[Call("lookup", {"word": "w"})]),
            Reply(text="Read."),
            Reply(calls=[Call("note", {"text": "w"})]),
            Reply(text="Noted."),
        ]
    )
    task = task_on(simulator, tools=[lookup, note])
    run_cell(task, "a", "Read.")
    run_cell(task, "b", "Note.")

    assert [turn.changed_things for turn in task.turns] == [False, True]


def test_a_cell_that_is_refused_changes_nothing() -> None:
    simulator = Simulator(REPLIES)
    task = task_on(simulator)
    run_cell(task, "a", "First.")
    run_cell(task, "b", "Second.")
    settings, events = task.settings, task.events

    with pytest.raises(ConfigurationError):
        run_cell(task, "a", "Other.", budget=7)

    assert (task.settings, task.events) == (settings, events)
    assert [turn.is_superseded for turn in task.turns] == [False, False]


def test_a_rewind_goes_back_to_the_history_and_its_effort() -> None:
    simulator = Simulator(REPLIES)
    task = task_on(simulator)
    run_cell(task, "a", "First.")
    run_cell(task, "b", "Second.", effort="low")
    run_cell(task, "c", "Third.", effort="max")

    run_cell(task, "b", "Other.", effort="low")

    systems = [one for one in sent(simulator.requests[-1]) if one["role"] == "system"]
    assert [one["output_config"]["effort"] for one in systems] == ["low"]
    assert task.outcome is not None
    assert task.outcome.state == "completed"

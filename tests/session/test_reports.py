"""Reports of a task's turns: each fact is folded once, whether it just happened or was recorded."""

from __future__ import annotations

from functools import reduce
from typing import Any

from budget_magic import Task
from budget_magic.report.turn_fold import TurnFold, advance
from budget_magic.report.view import view_turn
from budget_magic.simulator import Simulator
from tests.loop.running import all_facts, steps, task_on


def two_turns() -> Task:
    """A task after a turn of three steps and one of two."""
    task = task_on(Simulator([*steps(2), *steps(1)]))
    task.run("Look.")
    task.run("Look again.")
    return task


def test_each_fact_is_folded_once() -> None:
    task = two_turns()

    fold = reduce(advance, all_facts(task), TurnFold(task="audit"))
    assert task.fold() == fold
    assert [step.number for step in task.view(1).steps] == [1, 2, 3]
    assert [step.number for step in task.view(2).steps] == [1, 2]


def test_a_report_of_an_earlier_turn_stands_as_it_ended() -> None:
    task = two_turns()

    told = [fact for fact in all_facts(task) if fact.turn == 1]
    first = reduce(advance, told, TurnFold(task="audit"))
    assert task.view(1) == view_turn(first)
    assert task.view(1).gauge.used < task.view(2).gauge.used


def test_a_rebuilt_task_reports_each_turn_alike() -> None:
    task = two_turns()

    given: dict[str, Any] = {"client": task.settings.client, "tools": list(task.settings.tools)}
    rebuilt = Task.from_records(task.events, **given)
    assert rebuilt.fold() == task.fold()
    assert [turn.outcome for turn in rebuilt.turns] == [turn.outcome for turn in task.turns]
    for turn in (1, 2):
        assert rebuilt.view(turn) == task.view(turn)

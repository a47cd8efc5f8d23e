"""What `run` returns outlives its task: as a value, pickled, as JSON."""

from __future__ import annotations

import json
import pickle

import pytest

from budget_magic import TaskFailed, TaskInterrupted
from budget_magic.simulator import Reply, Simulator
from tests.loop.running import task_on


def test_an_outcome_pickles_with_its_report() -> None:
    task = task_on(Simulator([Reply(text="Hello.")]))
    outcome = task.run("Say hello.")

    copy = pickle.loads(pickle.dumps(outcome))  # noqa: S301 - our own

    assert copy == outcome
    assert copy._repr_mimebundle_() == outcome._repr_mimebundle_()
    assert pickle.loads(pickle.dumps(copy)) == outcome  # noqa: S301 - likewise


def test_an_outcome_is_json() -> None:
    outcome = task_on(Simulator([Reply(text="Hello.")])).run("Say hello.")

    told = json.loads(json.dumps(outcome.to_dict()))

    assert (told["state"], told["text"]) == ("completed", "Hello.")
    assert told["spend"]["cost_usd"] == str(outcome.spend.cost_usd)
    assert told["remaining"] == outcome.remaining


@pytest.mark.parametrize("kind", [TaskInterrupted, TaskFailed])
def test_an_error_with_an_outcome_pickles(kind: type[TaskInterrupted | TaskFailed]) -> None:
    outcome = task_on(Simulator([Reply(text="Hello.")])).run("Say hello.")

    copy = pickle.loads(pickle.dumps(kind(outcome)))  # noqa: S301 - our own

    assert type(copy) is kind
    assert copy.outcome == outcome

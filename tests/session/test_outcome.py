"""What `run` returns outlives its task: as a value, pickled, as JSON."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from budget_magic import Ceilings, Outcome, TaskFailed, TaskInterrupted
from budget_magic.simulator import Call, Reply, Simulator
from tests.loop.running import note, steps, task_on
from tests.notebook_runs import TURN_MIME, environment


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


OPENED_ELSEWHERE: Final = """
import json, pickle, sys
from pathlib import Path
outcome = pickle.loads(Path(sys.argv[1]).read_bytes())
shown = outcome._repr_mimebundle_()
kind = type(outcome.spend.cost_usd).__name__
print(json.dumps([str(outcome), outcome.to_dict(), shown["text/html"], kind]))
Path(sys.argv[1]).write_bytes(pickle.dumps(outcome))
"""


def test_an_outcome_goes_through_another_process_and_back(tmp_path: Path) -> None:
    outcome = task_on(Simulator([Reply(text="Hello.")])).run("Say hello.")
    pickled = tmp_path / "outcome.pickle"
    pickled.write_bytes(pickle.dumps(outcome))

    done = subprocess.run(
        [sys.executable, "-c", OPENED_ELSEWHERE, str(pickled)],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    told, values, html, kind = json.loads(done.stdout)
    assert told == str(outcome)
    assert values == outcome.to_dict()
    assert html == outcome._repr_mimebundle_()["text/html"]
    assert kind == "Decimal"
    assert pickle.loads(pickled.read_bytes()) == outcome  # noqa: S301 - our own


def test_the_json_of_an_outcome_names_its_figures_as_the_saved_turn_does() -> None:
    outcome = task_on(Simulator([Reply(text="Hello.")])).run("Say hello.")

    values, saved = outcome.to_dict(), outcome._repr_mimebundle_()[TURN_MIME]

    assert isinstance(saved, dict)
    assert set(values) - set(saved) == {"text"}
    assert {name: saved[name] for name in values if name != "text"} == {
        name: value for name, value in values.items() if name != "text"
    }


def test_printing_an_outcome_shows_state_figures_and_the_first_lines() -> None:
    long = "\n\n".join(f"Paragraph {number}." for number in range(40))
    outcome = task_on(Simulator([Reply(text=f"\x1b[31m{long}")])).run("Write.")

    lines = str(outcome).splitlines()

    assert lines[0] == "audit, turn 1: completed"
    assert lines[1].startswith("1 step, 0 tool calls, ")
    assert lines[2] == f"{outcome.remaining:,} of 64,000 tokens left"
    assert lines[4] == "Paragraph 0."
    assert lines[-2:] == ["Paragraph 3.", "… (all of it is in `.text`)"]
    assert "\x1b" not in str(outcome)
    assert repr(outcome) == f"Outcome('audit', turn=1, completed, {', '.join(figures_of(outcome))})"


def test_printing_a_halted_outcome_says_why_and_the_way_out() -> None:
    outcome = task_on(Simulator(steps(3)), ceilings=Ceilings(steps=1)).run("Look.")

    lines = str(outcome).splitlines()

    assert lines[0] == "audit, turn 1: halted: step_ceiling"
    assert lines[1] == outcome.detail


def test_printing_a_completed_outcome_says_that_no_user_was_there_to_approve() -> None:
    simulator = Simulator([Reply(calls=[Call("note", {"text": "x"})]), Reply(text="Done.")])
    outcome = task_on(simulator, tools=[note], approve="ask").run("Note it.")

    lines = str(outcome).splitlines()

    assert lines[:2] == [
        "audit, turn 1: completed",
        "no interactive user is attached to approve note; `approve='all'` runs it unasked",
    ]
    assert lines[2].startswith("2 steps, 0 tool calls, ")


def figures_of(outcome: Outcome) -> tuple[str, str]:
    return "1 step", str(outcome).splitlines()[1].split(", ")[2].partition(" in ")[0]

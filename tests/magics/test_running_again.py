"""Running a cell again: goes on, shows, or goes back, as the documentation's list says."""

from __future__ import annotations

import pytest
from IPython.core.error import UsageError

from budget_magic import Ceilings, Task
from budget_magic.events import TurnStarted
from budget_magic.simulator import Call, Reply, Simulator
from tests.loop.running import facts, lookup, note, resumed, sent, steps, task_on
from tests.magics.conftest import Notebook

REPLIES = [Reply(text=f"Reply {number}.") for number in range(1, 9)]


class Cells:
    """Cells of a notebook that all ask one task."""

    def __init__(self, notebook: Notebook, task: Task) -> None:
        self._notebook, self._task = notebook, task

    def __call__(self, cell: str | None, text: str, options: str = "") -> str:
        """Run a cell and return what that meant: `new`, `go_on`, `show` or `rewind`."""
        before = len(facts(self._task, TurnStarted))
        ran = self._notebook(f"%%claude_task {self._task.name} {options}\n{text}", cell_id=cell)
        if ran.error is not None:
            raise ran.error
        started = facts(self._task, TurnStarted)[before:]
        if not started:
            assert "shown again" in ran.out
            return "show"
        (start,) = started
        return "go_on" if start.resumed else "rewind" if start.rewinds_to else "new"


@pytest.fixture
def notebook(notebook: Notebook) -> Notebook:
    """A notebook with two functions."""
    notebook.shell.push({"lookup": lookup, "note": note})
    return notebook


def said(simulator: Simulator) -> list[str]:
    """All texts that the last request holds."""
    messages = sent(simulator.requests[-1])
    return [block["text"] for message in messages for block in message["content"]]


@pytest.mark.parametrize("cell", [None, "a"])
def test_a_new_cell_and_no_cell_id_are_a_new_turn_at_the_end(
    notebook: Notebook, cell: str | None
) -> None:
    simulator = Simulator(REPLIES)
    task = task_on(simulator)
    run_cell = Cells(notebook, task)
    run_cell(cell, "First.")

    kind = run_cell(None if cell is None else "b", "First.")

    assert kind == "new"
    assert said(simulator) == ["First.", "Reply 1.", "First."]


def test_a_completed_cell_with_nothing_changed_is_shown_and_nothing_is_sent(
    notebook: Notebook,
) -> None:
    simulator = Simulator(REPLIES)
    task = task_on(simulator)
    run_cell = Cells(notebook, task)
    run_cell("a", "First.")
    spent = task.spend

    kind = run_cell("a", "First.")

    assert kind == "show"
    assert task.outcome is not None
    assert (task.outcome.turn, task.outcome.text) == (1, "Reply 1.")
    assert (len(simulator.requests), task.spend) == (1, spent)


@pytest.mark.parametrize(
    "options",
    ["--max-cost 9", "--approve none", "--tag pr=1", "--max-tokens 9000", "--no-wrap-up"],
)
def test_what_does_not_count_as_a_change_still_shows(notebook: Notebook, options: str) -> None:
    simulator = Simulator(REPLIES)
    task = task_on(simulator)
    run_cell = Cells(notebook, task)
    run_cell("a", "First.")

    assert run_cell("a", "First.", options) == "show"
    assert len(simulator.requests) == 1


@pytest.mark.parametrize(
    "options",
    [
        "-m claude-opus-4-8",
        "-e low",
        "-b 128k",
        "-b none",
        "-t lookup,note",
        "--root /",
        "--system Brief.",
    ],
)
def test_a_changed_setting_rewinds_to_before_the_turn(notebook: Notebook, options: str) -> None:
    simulator = Simulator(REPLIES)
    task = task_on(simulator)
    run_cell = Cells(notebook, task)
    run_cell("a", "First.")

    kind = run_cell("a", "First.", options)

    assert kind == "rewind"
    assert said(simulator) == ["First."]
    assert [turn.is_superseded for turn in task.turns] == [True, False]
    assert task.outcome is not None
    assert (task.outcome.state, task.outcome.text) == ("completed", "Reply 2.")


def test_options_of_a_later_cell_do_not_make_an_earlier_one_count_as_changed(
    notebook: Notebook,
) -> None:
    simulator = Simulator(REPLIES)
    task = task_on(simulator)
    run_cell = Cells(notebook, task)
    run_cell("a", "First.")
    run_cell("b", "Second.", "-e low")

    assert run_cell("a", "First.") == "show"
    assert run_cell("b", "Second.", "-e low") == "show"
    assert len(simulator.requests) == 2


def test_another_prompt_rewinds_and_what_came_after_is_superseded(notebook: Notebook) -> None:
    simulator = Simulator(REPLIES)
    task = task_on(simulator)
    run_cell = Cells(notebook, task)
    run_cell("a", "First.")
    run_cell("b", "Second.")
    run_cell("c", "Third.")

    kind = run_cell("b", "Other.")

    assert kind == "rewind"
    assert said(simulator) == ["First.", "Reply 1.", "Other."]
    assert [turn.is_superseded for turn in task.turns] == [False, True, True, False]


def test_money_spent_stays_spent_after_a_rewind(notebook: Notebook) -> None:
    simulator = Simulator(REPLIES)
    task = task_on(simulator)
    run_cell = Cells(notebook, task)
    run_cell("a", "First.")
    run_cell("a", "Other.")

    assert task.spend.steps == 2
    assert task.spend.cost_usd == simulator.bill.total_usd


def test_again_runs_a_completed_cell_anew(notebook: Notebook) -> None:
    simulator = Simulator(REPLIES)
    task = task_on(simulator)
    run_cell = Cells(notebook, task)
    run_cell("a", "First.")

    kind = run_cell("a", "First.", "--again")

    assert kind == "rewind"
    assert said(simulator) == ["First."]


def test_a_halted_cell_goes_on_with_the_options_as_they_stand_now(notebook: Notebook) -> None:
    simulator = Simulator(steps(3))
    task = task_on(simulator, wrap_up=False)
    run_cell = Cells(notebook, task)
    run_cell("a", "Look.", "--max-steps 2")
    assert task.outcome is not None
    assert task.outcome.reason == "step_ceiling"

    kind = run_cell("a", "Look.", "--max-steps 9")

    assert kind == "go_on"
    assert (task.outcome.state, task.outcome.turn) == ("completed", 1)
    assert len(task.turns) == 1
    assert len(simulator.requests) == 4


def test_raising_the_cost_ceiling_in_the_cell_goes_on_where_it_stopped(notebook: Notebook) -> None:
    simulator = Simulator(steps(3))
    task = task_on(simulator, wrap_up=False, max_tokens=1_500)
    run_cell = Cells(notebook, task)
    run_cell("a", "Look.", "--max-cost 0.05")

    kind = run_cell("a", "Look.", "--max-cost 1")

    assert kind == "go_on"
    assert task.outcome is not None
    assert (task.outcome.state, task.outcome.text) == ("completed", "Done.")
    assert task.spend.cost_usd == simulator.bill.total_usd


def test_a_halted_cell_with_another_prompt_rewinds(notebook: Notebook) -> None:
    simulator = Simulator(steps(3))
    task = task_on(simulator)
    run_cell = Cells(notebook, task)
    run_cell("a", "Look.", "--max-steps 1")

    kind = run_cell("a", "Look elsewhere.", "--max-steps 50")

    assert kind == "rewind"
    assert sent(simulator.requests[1])[0]["content"][0]["text"] == "Look elsewhere."


def test_a_halted_cell_that_others_followed_rewinds(notebook: Notebook) -> None:
    simulator = Simulator([*steps(1), *REPLIES])
    task = task_on(simulator)
    run_cell = Cells(notebook, task)
    run_cell("a", "Look.", "--max-steps 1")
    run_cell("b", "Second.", "--max-steps 50")

    assert run_cell("a", "Look.") == "rewind"


def test_a_cell_that_was_shown_again_after_it_went_on_is_one_turn(notebook: Notebook) -> None:
    simulator = Simulator(steps(3))
    task = task_on(simulator)
    run_cell = Cells(notebook, task)
    run_cell("a", "Look.", "--max-steps 1")
    run_cell("a", "Look.", "--max-steps 9")

    assert run_cell("a", "Look.", "--max-steps 9") == "show"


def test_resuming_keeps_a_turn_the_turn_of_its_cell(notebook: Notebook) -> None:
    simulator = Simulator(steps(3))
    task = task_on(simulator)
    run_cell = Cells(notebook, task)
    run_cell("a", "Look.", "--max-steps 1")
    resumed(task, ceilings=Ceilings())

    assert run_cell("a", "Look.") == "show"


def test_a_shown_turn_says_so_where_its_tools_may_have_changed_things(notebook: Notebook) -> None:
    simulator = Simulator(
        [
            Reply(calls=[Call("lookup", {"word": "w"})]),
            Reply(text="Read."),
            Reply(calls=[Call("note", {"text": "w"})]),
            Reply(text="Noted."),
            Reply(text="More."),
        ]
    )
    task = task_on(simulator, tools=[lookup, note])
    cells = [("a", "Read."), ("b", "Note.")]
    for cell, text in cells:
        Cells(notebook, task)(cell, text)

    shown = [notebook(f"%%claude_task audit\n{text}", cell_id=cell).out for cell, text in cells]

    assert [("its tools were not run again" in out) for out in shown] == [False, True]

    notebook("%claude_task audit -t none")
    Cells(notebook, task)("c", "More.")
    assert [turn.changed_things for turn in task.turns] == [False, True, False]


def test_a_stated_region_stays_when_a_cell_is_run_anew(notebook: Notebook) -> None:
    simulator = Simulator(REPLIES)
    task = task_on(simulator, inference_geo="us")
    run_cell = Cells(notebook, task)
    run_cell("a", "First.")

    assert run_cell("a", "First.", "--again") == "rewind"
    assert [request.body.get("inference_geo") for request in simulator.requests] == ["us"] * 2


def test_a_cell_that_is_refused_changes_nothing(notebook: Notebook) -> None:
    simulator = Simulator(REPLIES)
    task = task_on(simulator)
    run_cell = Cells(notebook, task)
    run_cell("a", "First.")
    run_cell("b", "Second.")
    settings, events = task.settings, task.events

    with pytest.raises(UsageError):
        run_cell("a", "Other.", "-b 7")

    assert (task.settings, task.events) == (settings, events)
    assert [turn.is_superseded for turn in task.turns] == [False, False]


def test_a_rewind_goes_back_to_the_history_and_its_effort(notebook: Notebook) -> None:
    simulator = Simulator(REPLIES)
    task = task_on(simulator)
    run_cell = Cells(notebook, task)
    run_cell("a", "First.")
    run_cell("b", "Second.", "-e low")
    run_cell("c", "Third.", "-e max")

    run_cell("b", "Other.", "-e low")

    systems = [one for one in sent(simulator.requests[-1]) if one["role"] == "system"]
    assert [one["output_config"]["effort"] for one in systems] == ["low"]
    assert task.outcome is not None
    assert task.outcome.state == "completed"

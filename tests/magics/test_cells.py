"""Cells in a real shell: running, going on, running again, and refusing."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core.error import UsageError

from budget_magic import Ceilings, Outcome, TaskFailed, tasks
from budget_magic.simulator import Call, Reply, Simulator, status_error
from budget_magic.wire.sdk import simulated_client
from tests.magics.conftest import Notebook

AUDIT = "%%claude_task audit -o out\nAudit this folder."


def requests_of(name: str) -> int:
    return sum(record.fact.kind == "step_started" for record in tasks()[name].events)


def with_client(notebook: Notebook, *replies: Reply, **options: Any) -> Simulator:
    played = Simulator(list(replies), **options)
    notebook.shell.push({"mine": simulated_client(played.transport())})
    return played


def test_a_cell_runs_a_task_and_binds_its_outcome(notebook: Notebook) -> None:
    ran = notebook(AUDIT)
    outcome = notebook["out"]
    assert ran.error is None
    assert ran.result.result is None
    assert isinstance(outcome, Outcome)
    assert (outcome.state, outcome.reason) == ("completed", "end_turn")
    assert "app.py:3" in outcome.text
    assert "Simulated" in ran.out
    assert outcome.text.splitlines()[0].split()[0] in ran.out


def test_a_second_cell_goes_on_with_the_same_task_and_meter(notebook: Notebook) -> None:
    notebook(AUDIT)
    first = notebook["out"]
    notebook("%%claude_task -o out\nWhat would you fix first?")
    second = notebook["out"]
    assert (second.task, second.turn) == ("audit", 2)
    assert second.total.cost_usd == first.spend.cost_usd + second.spend.cost_usd
    assert second.remaining == 64_000 - second.total.budget_tokens
    assert tasks()["audit"].messages[0]["content"][0]["text"] == "Audit this folder."


def test_a_cell_without_a_name_starts_task_1(notebook: Notebook) -> None:
    notebook("%%claude_task\nSay hello.")
    assert list(tasks()) == ["task-1"]


def test_expressions_are_filled_in_and_listed(notebook: Notebook) -> None:
    notebook("files = ['app.py']")
    notebook("%%claude_task audit\nAudit {{ files }}, not \\{{ this }}.")
    started = next(r.fact for r in tasks()["audit"].events if r.fact.kind == "turn_started")
    assert started.prompt_sent == "Audit ['app.py'], not {{ this }}."
    assert started.inserted == ("files",)


def test_variables_are_expanded_on_the_line_but_not_in_quotes(notebook: Notebook) -> None:
    notebook("where = '.'")
    notebook('%%claude_task audit --root {where} --system "use {where}"\nAudit this folder.')
    settings = tasks()["audit"].settings
    assert settings.root == "."
    assert settings.system == "use {where}"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("-b 5000", "a budget of 5,000 tokens is below the API's minimum of 20,000"),
        ("-m claude-haiku-4-5", "claude-haiku-4-5 does not support task budgets"),
        ("-m claude-opus-9", "no price is known for the model 'claude-opus-9'"),
        ("-m claude-opus-4-6 -b none -e xhigh", "claude-opus-4-6 does not support effort xhigh"),
        ("-t shell", "--tools shell is not part of this version"),
        ("-t filez", "did you mean files?"),
        ("--client nobody", "there is no nobody in the notebook"),
        ("--root nowhere", "nowhere"),
        ("--background -o out", "leave out -o and use task.wait()"),
    ],
)
def test_a_refused_cell_is_one_sentence_and_changes_nothing(
    notebook: Notebook, line: str, sentence: str
) -> None:
    ran = notebook(f"%%claude_task audit {line}\nAudit this folder.")
    assert isinstance(ran.error, UsageError)
    assert sentence in str(ran.error)
    assert ran.err.count("\n") == 1
    assert dict(tasks()) == {}


def test_a_refused_follow_up_keeps_the_settings(notebook: Notebook) -> None:
    notebook(AUDIT)
    before = tasks()["audit"].settings
    ran = notebook("%%claude_task audit -e low -b 100\nGo on.")
    assert isinstance(ran.error, UsageError)
    assert tasks()["audit"].settings == before
    assert len(tasks()["audit"].turns) == 1


def test_an_empty_prompt_is_refused(notebook: Notebook) -> None:
    ran = notebook("%%claude_task audit\n   \n")
    assert isinstance(ran.error, UsageError)
    assert "the prompt is empty" in str(ran.error)


def test_without_a_person_auto_does_not_simulate(notebook: Notebook) -> None:
    ran = notebook("%%claude_task audit --client auto\nAudit this folder.")
    assert isinstance(ran.error, UsageError)
    assert "set ANTHROPIC_API_KEY, or choose `--client simulator`" in str(ran.error)


def test_a_new_name_close_to_an_old_one_is_said(notebook: Notebook) -> None:
    notebook(AUDIT)
    ran = notebook("%%claude_task adit\nAudit this folder.")
    assert "new task adit (not audit)" in ran.out


@pytest.mark.parametrize(
    ("known", "new"),
    [("e1", "e2"), ("task-1", "task-2"), ("run3", "run14"), ("audit", "audit-2"), ("v1.2", "v1.3")],
)
def test_a_name_that_differs_by_its_number_only_is_no_slip(
    notebook: Notebook, known: str, new: str
) -> None:
    notebook(f"%claude_task {known}")
    ran = notebook(f"%%claude_task {new}\nSay hello.")
    assert ran.error is None
    assert "new task" not in ran.out


def test_a_slip_beside_a_number_is_still_said(notebook: Notebook) -> None:
    notebook("%claude_task audit-1")
    notebook("%claude_task audit-2")
    assert "new task adit-3 (not audit-2)" in notebook("%claude_task adit-3").out


@pytest.mark.parametrize("second", ["%%claude_task", "%%claude_measure other --runs 3"])
def test_a_second_magic_in_the_prompt_is_refused(notebook: Notebook, second: str) -> None:
    ran = notebook(f"%%claude_task audit\nAudit this folder.\n\n{second}\nAnd fix it.")

    assert isinstance(ran.error, UsageError)
    name = second.split(maxsplit=1)[0]
    assert str(ran.error) == (
        f"the prompt holds a line that begins with {name}: move it to a cell of its own, or"
        " indent it to send it as text"
    )
    assert not tasks()


def test_an_indented_magic_and_an_inserted_one_are_sent_as_text(notebook: Notebook) -> None:
    notebook.shell.push({"cell": "Look at this:\n%%claude_task audit"})
    ran = notebook(
        "%%claude_task audit\n    %%claude_task b\nWhat does %%claude_task do?\n{{ cell }}"
    )

    assert ran.error is None
    sent = tasks()["audit"].messages[0]["content"][0]["text"]
    assert sent.startswith("%%claude_task b\nWhat does %%claude_task do?\nLook at this:\n%%claude")


def test_a_halt_is_no_error_and_names_the_command(notebook: Notebook) -> None:
    ran = notebook("%%claude_task audit --max-steps 2 -o out\nAudit this folder.")
    assert ran.error is None
    assert notebook["out"].reason == "step_ceiling"
    assert "%claude_resume audit --max-steps 4" in ran.out


def test_resume_goes_on_with_raised_ceilings_and_one_meter(notebook: Notebook) -> None:
    notebook("%%claude_task audit --max-steps 2\nAudit this folder.")
    halted = tasks()["audit"].spend
    notebook("t = %claude_resume audit --max-steps 20 -o out")
    outcome = notebook["out"]
    assert outcome.state == "completed"
    assert outcome.turn == 1
    assert outcome.spend.steps > halted.steps
    assert notebook["t"] is tasks()["audit"]


def test_a_failure_ends_the_cell_with_one_line_and_the_outcome_is_bound(
    notebook: Notebook,
) -> None:
    with_client(notebook, Reply(text="Hello."), faults=[status_error(401, on=0)])
    ran = notebook("%%claude_task audit --client mine -o out\nSay hello.")
    assert isinstance(ran.error, TaskFailed)
    assert notebook["out"].reason == "configuration"
    assert "check the API key" in ran.out


def test_a_notebook_function_is_called_on_this_thread(notebook: Notebook) -> None:
    notebook("import threading\nseen = []")
    notebook("def note(what: str):\n    seen.append(threading.current_thread())")
    with_client(notebook, Reply(calls=[Call("note", {"what": "x"})]), Reply(text="Done."))
    notebook("%%claude_task audit --client mine -t note --approve all\nNote x.")
    notebook("main = seen[0] is threading.main_thread()")
    assert notebook["main"]


def test_a_function_asks_and_without_a_person_is_denied(notebook: Notebook) -> None:
    notebook("seen = []\ndef note(what: str):\n    seen.append(what)")
    with_client(notebook, Reply(calls=[Call("note", {"what": "x"})]), Reply(text="Done."))
    notebook("%%claude_task audit --client mine -t note\nNote x.")
    assert notebook["seen"] == []
    results = [r.fact for r in tasks()["audit"].events if r.fact.kind == "tool_finished"]
    assert "no interactive user is attached to approve note" in results[0].content


class TestRunningACellAgain:
    def test_a_completed_cell_is_shown_again_and_nothing_is_sent(self, notebook: Notebook) -> None:
        notebook(AUDIT, cell_id="one")
        sent = requests_of("audit")
        ran = notebook(AUDIT, cell_id="one")
        assert requests_of("audit") == sent
        assert "shown again, nothing was sent: paid for on" in ran.out
        assert "--again in its cell runs it anew" in ran.out

    def test_ceilings_and_tags_do_not_count_as_a_change(self, notebook: Notebook) -> None:
        notebook(AUDIT, cell_id="one")
        sent = requests_of("audit")
        notebook(AUDIT.replace("-o out", "--max-cost 9 --tag a=b -o out"), cell_id="one")
        assert requests_of("audit") == sent

    def test_options_of_a_later_cell_do_not_make_an_earlier_one_count_as_changed(
        self, notebook: Notebook
    ) -> None:
        notebook(AUDIT, cell_id="one")
        notebook("%%claude_task audit -e low\nWhat first?", cell_id="two")
        sent = requests_of("audit")
        notebook(AUDIT, cell_id="one")
        assert requests_of("audit") == sent

    def test_a_halted_cell_goes_on_with_the_options_as_they_stand_now(
        self, notebook: Notebook
    ) -> None:
        notebook("%%claude_task audit --max-steps 2 -o out\nAudit this folder.", cell_id="one")
        notebook("%%claude_task audit --max-steps 30 -o out\nAudit this folder.", cell_id="one")
        assert notebook["out"].state == "completed"
        assert len(tasks()["audit"].turns) == 1

    def test_another_prompt_goes_back_and_the_meter_does_not(self, notebook: Notebook) -> None:
        notebook(AUDIT, cell_id="one")
        notebook("%%claude_task\nWhat first?", cell_id="two")
        spent = tasks()["audit"].spend.cost_usd
        notebook("%%claude_task audit -o out\nAudit app.py only.", cell_id="one")
        task = tasks()["audit"]
        assert [turn.is_superseded for turn in task.turns] == [True, True, False]
        assert task.messages[0]["content"][0]["text"] == "Audit app.py only."
        assert spent is not None
        assert task.spend.cost_usd is not None
        assert task.spend.cost_usd > spent

    def test_again_spends_anew(self, notebook: Notebook) -> None:
        notebook(AUDIT, cell_id="one")
        sent = requests_of("audit")
        notebook(AUDIT.replace("-o", "--again -o"), cell_id="one")
        assert requests_of("audit") > sent

    def test_without_a_cell_id_each_run_is_a_new_turn(self, notebook: Notebook) -> None:
        notebook(AUDIT)
        notebook(AUDIT)
        assert len(tasks()["audit"].turns) == 2

    def test_an_id_that_nbformat_would_not_take_counts_as_none(self, notebook: Notebook) -> None:
        notebook(AUDIT, cell_id="vscode-notebook-cell:/a/b#c")
        notebook(AUDIT, cell_id="vscode-notebook-cell:/a/b#c")
        assert len(tasks()["audit"].turns) == 2

    def test_a_nameless_cell_keeps_its_task(self, notebook: Notebook) -> None:
        notebook("%%claude_task\nSay hello.", cell_id="one")
        notebook("%%claude_task other\nSay hello.", cell_id="two")
        notebook("%%claude_task\nSay hello again.", cell_id="one")
        assert len(tasks()["task-1"].turns) == 2


def test_new_starts_over_under_the_name(notebook: Notebook) -> None:
    notebook(AUDIT)
    notebook("%%claude_task audit --new -o out\nAudit this folder again.")
    assert notebook["out"].turn == 1
    assert notebook["out"].total == notebook["out"].spend


def test_both_doors_take_their_defaults_from_the_same_settings(notebook: Notebook) -> None:
    notebook("%config ClaudeTaskMagics.max_cost = '0.25'")
    notebook("%config ClaudeTaskMagics.effort = 'low'")
    notebook("from budget_magic import Task\nt = Task('direct')")
    notebook("%claude_task typed")
    assert notebook["t"].settings.ceilings == Ceilings(cost_usd="0.25")
    assert tasks()["typed"].settings.ceilings == Ceilings(cost_usd="0.25")
    assert tasks()["typed"].settings.effort == "low"


def test_the_step_ceiling_is_named_where_it_ends_the_turn_and_a_cost_ceiling_is_near(
    notebook: Notebook,
) -> None:
    notebook("%%claude_task audit --max-steps 2 --max-cost 0.50 -o out\nAudit this folder.")
    assert notebook["out"].reason == "step_ceiling"


def test_after_a_halt_the_simulated_audit_goes_on(notebook: Notebook) -> None:
    notebook("%%claude_task audit --max-steps 2\nAudit this folder.")
    notebook("%claude_resume audit --max-steps 20 -o out")
    assert "app.py:3" in notebook["out"].text


@pytest.mark.parametrize(("rule", "reason"), [("(3, 9)", "stuck_loop"), ("None", "end_turn")])
def test_a_stuck_loop_halts_unless_that_is_switched_off(
    notebook: Notebook, rule: str, reason: str
) -> None:
    same = Reply(calls=[Call("list", {})])
    with_client(notebook, same, same, same, Reply(text="Done."))
    notebook(f"%config ClaudeTaskMagics.stuck_rule = {rule}")
    notebook("%%claude_task audit --client mine -o out\nLook around.")
    assert notebook["out"].reason == reason


def test_where_no_user_is_attached_a_large_insertion_is_said_and_sent(notebook: Notebook) -> None:
    notebook("words = 'word ' * 30_000")

    ran = notebook("%%claude_task audit\nSum up {{ words }}.")

    assert ran.error is None
    first = ran.out.splitlines()[0]
    assert first == "{{ words }} inserts \u2248 50,000 tokens, about $0.25 the first time"
    assert tasks()["audit"].turns[0].prompt.inserted == ("words",)


def test_a_small_insertion_is_not_worth_a_word(notebook: Notebook) -> None:
    notebook("words = 'word ' * 10_000")

    assert "inserts" not in notebook("%%claude_task audit\nSum up {{ words }}.").out


TOOLS = """
from budget_magic import tool
@tool(reads=True)
def look() -> str:
    "Look."
    return "seen"
def clean_up() -> str:
    "Clean up."
    return "clean"
def rename() -> str:
    "Rename."
    return "renamed"
"""


@pytest.mark.parametrize("approve", ["ask", "all"])
def test_background_says_which_tools_it_leaves_out(notebook: Notebook, approve: str) -> None:
    notebook(TOOLS)
    simulator = with_client(notebook, Reply(text="Done."))
    ran = notebook(
        f"%%claude_task audit --client mine -t look,clean_up,rename --approve {approve}"
        " --background\nGo."
    )

    assert ran.error is None
    offered = [tool["name"] for tool in simulator.requests[0].body["tools"]]
    assert offered == ["look"]
    told = (
        "not offered in the background, where no cell waits to approve or run them: clean_up and"
        " rename; declare a function that only reads with `@tool(reads=True)`"
    )
    assert told in " ".join(ran.out.split())


def test_background_says_nothing_where_all_tools_are_offered(notebook: Notebook) -> None:
    notebook(TOOLS)
    with_client(notebook, Reply(text="Done."))
    ran = notebook("%%claude_task audit --client mine -t files,look --background\nGo.")
    assert "not offered" not in ran.out
    assert "not offered" not in str(tasks()["audit"].report())

"""Line magics, loading, completion and configuration."""

from __future__ import annotations

import json

import pytest
from IPython.core.error import UsageError

from budget_magic import TaskInterrupted, tasks
from budget_magic.magics.settings_table import SettingsTable
from budget_magic.magics.tables import TASK_COLUMNS
from budget_magic.session import default_session
from budget_magic.simulator import Reply, Simulator, silence
from budget_magic.wire.sdk import simulated_client
from tests.magics.conftest import Notebook


def test_claude_task_on_a_line_creates_without_running_and_says_so(notebook: Notebook) -> None:
    notebook("t = %claude_task audit -b 128k -e low")
    ran = notebook("t")
    task = tasks()["audit"]
    assert notebook["t"] is task
    assert task.settings.budget == 128_000
    assert task.turns == []
    assert "not run yet" in ran.out


def test_claude_task_on_a_line_changes_settings_for_the_next_cell(notebook: Notebook) -> None:
    notebook("%%claude_task audit\nSay hello.")
    notebook("%claude_task audit -e low --max-cost 2")
    notebook("%%claude_task audit -o out\nSay it again.")
    steps = [r.fact for r in tasks()["audit"].events if r.fact.kind == "step_started"]
    assert steps[-1].effort == "low"
    assert steps[0].effort == "high"


def test_claude_task_on_a_line_says_what_it_changed(notebook: Notebook) -> None:
    notebook("%%claude_task audit\nSay hello.")

    changed = notebook("%claude_task audit --max-cost 0.25 -e low --no-wrap-up").out
    new = notebook("%claude_task audti --tag pr=1").out

    assert changed.splitlines()[0] == (
        "audit: --max-cost 0.25 --effort low --no-wrap-up from the next turn on"
    )
    assert new.splitlines()[:2] == [
        "new task audti (not audit)",
        "audti: --tag pr=1 from the next turn on",
    ]


def test_claude_tasks_is_a_table_with_a_row_each(notebook: Notebook) -> None:
    notebook("%%claude_task audit\nAudit this folder.")
    notebook("%claude_task later")
    notebook("t = %claude_tasks")
    table = notebook["t"]
    assert [row[0] for row in table.rows] == ["audit", "later"]
    assert [row[1] for row in table.rows] == ["completed", "not run yet"]
    assert "<td" in table._repr_html_()


def test_claude_tasks_converts_to_a_pandas_table(notebook: Notebook) -> None:
    pytest.importorskip("pandas", reason="pip install pandas")
    notebook("%%claude_task audit --max-steps 1\nAudit this folder.")
    notebook("%claude_task later -b none")
    notebook("t = %claude_tasks")
    frame, spend = notebook["t"].to_frame(), tasks()["audit"].spend

    assert list(frame.columns) == list(TASK_COLUMNS)
    audit, later = frame.to_dict("records")
    assert (audit["task"], audit["state"], audit["reason"]) == ("audit", "halted", "step_ceiling")
    assert (later["task"], later["state"], later["steps"]) == ("later", "not run yet", 0)
    assert audit["cost_usd"] == float(spend.cost_usd or 0)
    assert audit["budget_tokens"] == spend.budget_tokens
    assert str(frame.dtypes["cost_usd"]) == str(frame.dtypes["budget"]) == "float64"
    assert str(frame.dtypes["steps"]) == "int64"
    assert frame.budget.isna().tolist() == [False, True]


def test_claude_tasks_of_one_task_names_the_magic_that_shows_it(notebook: Notebook) -> None:
    ran = notebook("%claude_tasks audit")
    assert isinstance(ran.error, UsageError)
    assert str(ran.error) == "%claude_tasks lists every task; %claude_task audit shows one"


def test_claude_stop_of_nothing_says_so(notebook: Notebook) -> None:
    notebook("%claude_task audit")
    ran = notebook("%claude_stop audit")
    assert isinstance(ran.error, UsageError)
    assert str(ran.error) == "audit is not running"


def test_an_unknown_task_offers_close_names(notebook: Notebook) -> None:
    notebook("%claude_task audit")
    ran = notebook("%claude_resume adit")
    assert str(ran.error) == "there is no task adit; did you mean audit?"


def test_resume_of_a_completed_turn_shows_it_again(notebook: Notebook) -> None:
    notebook("%%claude_task audit\nSay hello.")
    ran = notebook("%claude_resume audit")
    assert "shown again" in ran.out
    assert len([r for r in tasks()["audit"].events if r.fact.kind == "turn_started"]) == 1


def test_options_of_one_magic_are_refused_by_name_on_another(notebook: Notebook) -> None:
    notebook("%claude_task audit")
    ran = notebook("%claude_task audit --background")
    assert str(ran.error) == "--background does not apply here; use it with %%claude_task"


@pytest.mark.parametrize(
    ("line", "usage", "has_options"),
    [
        ("%%claude_task --help\nx", "%%claude_task [NAME] [options]", True),
        ("%claude_task --help", "%claude_task [NAME] [options]", True),
        ("%claude_resume --help", "%claude_resume [NAME] [options]", True),
        ("%claude_stop --help", "%claude_stop [NAME]", False),
        ("%claude_tasks --help", "%claude_tasks", False),
    ],
)
def test_help_prints_what_a_magic_takes_and_does_nothing(
    notebook: Notebook, line: str, usage: str, *, has_options: bool
) -> None:
    ran = notebook(line)

    assert ran.error is None
    assert ran.out.splitlines()[0] == usage
    assert ("--max-cost" in ran.out) is has_options
    assert ("--again" in ran.out) is line.endswith(("claude_task --help", "--help\nx"))
    assert not tasks()


def test_help_shows_the_defaults_in_force(notebook: Notebook) -> None:
    notebook("%config ClaudeTaskMagics.budget = '128k'")
    notebook("%config ClaudeTaskMagics.max_time = '90m'")
    notebook("%config ClaudeTaskMagics.wrap_up = False")
    notebook("%config ClaudeTaskMagics.system = '" + "Be short. " * 40 + "'")

    for line in ("%%claude_task --help", "%claude_task --help", "%claude_resume --help"):
        told = notebook(line).out
        assert "none sends no budget (default 128k)" in told
        assert "(90s, 10m, 1h) (default 90m)" in told
        assert "a ceiling (the default)" in told
        assert "(default simulator)" in told
        assert max(map(len, told.splitlines())) < 180


def test_help_shows_no_secret(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "planted-0123456789")
    notebook("%config ClaudeTaskMagics.system = 'use planted-0123456789'")
    notebook("%claude_task other")
    shown = notebook("%claude_task --help").out + notebook("%claude_task other").out
    assert "planted" not in shown
    assert "[secret MY_API_KEY]" in shown


@pytest.mark.parametrize(
    ("asked", "usage", "says"),
    [
        ("%claude_task?", "%claude_task [NAME] [options]", "--max-cost USD"),
        ("%%claude_task?", "%%claude_task [NAME] [options]", "--background"),
        ("%claude_resume?", "%claude_resume [NAME] [options]", "without a new prompt"),
        ("%claude_stop?", "%claude_stop [NAME]", "the only task that runs"),
        ("%claude_tasks?", "%claude_tasks", "to_frame()"),
    ],
)
def test_a_question_mark_shows_the_help(
    notebook: Notebook, asked: str, usage: str, says: str
) -> None:
    told = notebook(asked).out
    assert usage in told.splitlines()
    assert says in told
    assert "Examples:" in told


def test_claude_task_on_a_line_shows_settings_that_differ_first_and_then_the_report(
    notebook: Notebook,
) -> None:
    notebook("%%claude_task audit --max-cost 2 --tag pr=1 --tag who=me\nSay hello.")
    lines = notebook("%claude_task audit").out.splitlines()

    assert lines[0] == "audit: settings"
    assert [line.split() for line in lines[1:3]] == [
        ["--max-cost", "2", "default", "5"],
        ["--tag", "pr=1,who=me", "default", "none"],
    ]
    usual = " ".join(lines[3:10])
    for setting in ("--approve ask", "--effort high", "--tools files", "--client simulator"):
        assert setting in usual
    assert "--max-tokens none (32k)" in " ".join(usual.split())
    assert any("audit turn 1" in line for line in lines[4:])


def test_the_settings_are_html_without_colours_of_its_own(notebook: Notebook) -> None:
    notebook("%claude_task audit --max-cost 2 --system '<b>$1 & $2'")
    data, _ = notebook.shell.display_formatter.format(SettingsTable(tasks()["audit"]))

    html = data["text/html"]
    assert html.index("--max-cost") < html.index("<details>") < html.index("--approve")
    assert "&lt;b&gt;<span>$</span>1 &amp; <span>$</span>2" in html
    assert "color" not in html
    assert data["text/plain"].splitlines()[0] == "audit: settings, not run yet"


def test_a_ceiling_of_all_tasks_stands_below_the_settings(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_COST_BUDGET", "20")
    told = notebook("%claude_task audit").out
    assert "all tasks together: at most $20.00, set by ANTHROPIC_COST_BUDGET" in told


def test_an_outcome_and_a_task_render_as_the_static_report(notebook: Notebook) -> None:
    notebook("%%claude_task audit -o out\nAudit this folder.")
    shell = notebook.shell
    for value in (notebook["out"], tasks()["audit"]):
        data, _ = shell.display_formatter.format(value)
        turn = data["application/vnd.budget-magic.turn+json"]
        assert turn["state"] == "completed"
        assert json.loads(json.dumps(turn)) == turn
        assert {"text/html", "text/markdown", "text/plain"} <= set(data)


@pytest.mark.parametrize(
    ("trait", "sentence"),
    [
        ("budget = '64kk'", "give a number of tokens"),
        ("budget = 5", "a budget of 5 tokens is below the API's minimum of 20,000"),
        ("max_cost = '1e400'", "give US dollars, such as 5 or 0.50"),
        ("effort = 'extreme'", "choose one of low, medium, high, xhigh, max"),
        ("max_cost = '0,5'", "use a decimal point: 0.5"),
        ("prices = {'m': {'input': 1}}", "need exactly the keys"),
        ("save_transcript = 'no'", "give True or False"),
        ("secrets = 7", "give names of variables"),
        ("secrets = ['A', 7]", "give names of variables"),
        ("stuck_rule = 3", "give (repeats, among), such as (3, 9), or None"),
    ],
)
def test_config_refuses_what_cannot_work(
    notebook: Notebook, caplog: pytest.LogCaptureFixture, trait: str, sentence: str
) -> None:
    before = default_session().defaults
    notebook(f"%config ClaudeTaskMagics.{trait}")
    assert sentence in caplog.text
    assert default_session().defaults == before


def test_a_price_of_the_user_makes_an_unknown_model_run_and_is_said(notebook: Notebook) -> None:
    played = Simulator([Reply(text="Hello.")])
    notebook.shell.push({"mine": simulated_client(played.transport())})
    row = "{'input': 4, 'output': 20, 'cache_read': 0.2, 'write_5m': 5, 'write_1h': 8}"
    notebook(f"%config ClaudeTaskMagics.prices = {{'claude-opus-5': {row}}}")
    ran = notebook("%%claude_task audit --client mine -m claude-opus-5\nSay hello.")
    assert "Your price for claude-opus-5" in ran.out


def test_without_the_transcript_the_output_keeps_figures_and_answer(notebook: Notebook) -> None:
    notebook("%config ClaudeTaskMagics.save_transcript = False")
    notebook("%%claude_task audit -o out\nAudit this folder.")
    shown = notebook["out"].bundle()
    assert "os.system" in shown["text/html"]
    assert "Transcript" not in shown["text/html"]


class TestLoading:
    def test_reloading_keeps_tasks(self, notebook: Notebook) -> None:
        notebook("%%claude_task audit\nSay hello.")
        task = tasks()["audit"]
        notebook("%reload_ext budget_magic")
        assert tasks()["audit"] is task
        notebook("%config ClaudeTaskMagics.client = 'simulator'")
        notebook("%%claude_task audit\nSay it again.")
        assert len(task.turns) == 2

    def test_a_refused_default_does_not_keep_the_extension_from_loading(
        self, notebook: Notebook, caplog: pytest.LogCaptureFixture
    ) -> None:
        notebook("%config ClaudeTaskMagics.effort = 'low'")
        notebook("%config ClaudeTaskMagics.budget = '64,000'")

        assert notebook("%reload_ext budget_magic").error is None

        assert "ClaudeTaskMagics.budget = '64,000' is ignored: leave out the commas" in caplog.text
        settings = default_session().defaults.settings
        assert (settings.budget, settings.effort) == (64_000, "low")

    def test_unloading_removes_everything_that_loading_added(self, notebook: Notebook) -> None:
        shell = notebook.shell
        notebook("%unload_ext budget_magic")
        names = [*shell.magics_manager.magics["line"], *shell.magics_manager.magics["cell"]]
        assert not [name for name in names if "claude" in name]
        assert not [one for one in shell.input_transformers_post if "budget" in one.__module__]
        assert not [
            callback
            for callbacks in shell.events.callbacks.values()
            for callback in callbacks
            if "budget_magic" in getattr(callback, "__module__", "")
        ]
        notebook("%load_ext budget_magic")

    def test_unloading_with_a_running_task_refuses(self, notebook: Notebook) -> None:
        played = Simulator([Reply(text="Hello.")], faults=[silence()])
        notebook.shell.push({"mine": simulated_client(played.transport())})
        notebook("from budget_magic import Task\nt = Task('audit', client=mine, tools='none')")
        notebook("t.start('x')")
        ran = notebook("%unload_ext budget_magic")
        assert isinstance(ran.error, UsageError)
        assert str(ran.error) == "audit still runs: `%claude_stop audit`, then unload again"
        notebook("%claude_stop")
        with pytest.raises(TaskInterrupted):
            notebook["t"].wait()


@pytest.mark.parametrize("line", ["%claude_task audit", "%claude_resume audit"])
def test_a_bare_line_shows_its_task_once_and_an_assigned_one_has_the_task(
    notebook: Notebook, line: str
) -> None:
    notebook("%%claude_task audit\nSay hello.")
    ran = notebook(line)
    assert ran.out.count("audit turn 1") == 1
    assert ran.result.result is None
    notebook(f"t = {line}")
    assert notebook["t"] is tasks()["audit"]


def test_help_needs_no_body(notebook: Notebook) -> None:
    ran = notebook("%%claude_task --help")
    assert ran.error is None
    assert "--max-total-tokens N" in ran.out


def test_a_cell_without_a_body_is_refused_by_its_own_name(notebook: Notebook) -> None:
    ran = notebook("%%claude_task audit")
    assert isinstance(ran.error, UsageError)
    assert "%%claude_task" in str(ran.error)

"""IPython's words: suggestions are magics and options, and only this room knows them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from IPython.core.error import UsageError

import budget_magic
from budget_magic.errors import ConfigurationError
from budget_magic.events import Suggestion
from budget_magic.events.suggestion import Value
from budget_magic.magics.wording import word
from budget_magic.session.host import PythonHost
from budget_magic.session.session import default_session
from budget_magic.simulator import Reply, Simulator, status_error
from tests.loop.running import steps, task_on
from tests.magics.conftest import Notebook

ROOMS = Path(budget_magic.__file__).parent
OF_IPYTHON = re.compile(r"%claude|%config|(?<![\w-])--[a-z]")


def resume(lead: str = "", effect: str = "", name: str = "", **changes: Value) -> str:
    """How IPython says that a turn goes on."""
    suggestion = Suggestion(
        action="resume", task="audit", lead=lead, effect=effect, name=name, changes=changes
    )
    return word(suggestion)


def use(lead: str = "", effect: str = "", **changes: Value) -> str:
    """How IPython asks for the same with other settings."""
    return word(Suggestion(action="use", lead=lead, effect=effect, changes=changes))


@pytest.mark.parametrize(
    ("worded", "words"),
    [
        (resume(max_cost="15"), "go on with `%claude_resume audit --max-cost 15`"),
        (resume(max_steps=8), "go on with `%claude_resume audit --max-steps 8`"),
        (resume(max_time=3_780), "go on with `%claude_resume audit --max-time 63m`"),
        (resume(max_time=90), "go on with `%claude_resume audit --max-time 90s`"),
        (
            resume(max_total_tokens=18_000),
            "go on with `%claude_resume audit --max-total-tokens 18000`",
        ),
        (resume("or go on with"), "or go on with `%claude_resume audit`"),
        (resume(effect="goes on outside of it"), "`%claude_resume audit` goes on outside of it"),
        (
            resume("choose another model:", name="model"),
            "choose another model: `%claude_resume audit --model ID`",
        ),
        (resume("then", budget=None), "then `%claude_resume audit --budget none`"),
        (use(effect="gives room", budget=128_000), "`--budget 128k` gives room"),
        (use(effect="runs it unasked", approve="all"), "`--approve all` runs it unasked"),
        (use("or", budget=None), "or `--budget none`"),
    ],
)
def test_changes_are_options(worded: str, words: str) -> None:
    assert worded == words


@pytest.mark.parametrize(
    ("suggestion", "words"),
    [
        (
            Suggestion(action="change", task="outer", changes={"max_cost": "0.60"}, effect="helps"),
            "`%claude_task outer --max-cost 0.60` helps",
        ),
        (
            Suggestion(action="release", task="audit", effect="releases it"),
            "`%claude_task audit --release-held` releases it",
        ),
        (
            Suggestion(action="restart", task="audit", effect="starts it on the real API"),
            "`--new` starts it on the real API",
        ),
        (
            Suggestion(action="stop", task="audit", effect="stops it, or wait for it"),
            "`%claude_stop audit` stops it, or wait for it",
        ),
        (Suggestion(action="rephrase", task="audit"), "rephrase and run the cell"),
        (
            Suggestion(action="instruct", task="audit"),
            "tell Claude in a new cell what to do instead",
        ),
        (
            Suggestion(action="set", name="ANTHROPIC_COST_BUDGET", lead="raise"),
            "raise ANTHROPIC_COST_BUDGET",
        ),
        (
            Suggestion(action="set", name="session_cost", lead="raise"),
            "raise `%config ClaudeTaskMagics.session_cost`",
        ),
        (
            Suggestion(action="price", effect="gives one"),
            "`%config ClaudeTaskMagics.prices` gives one",
        ),
        (
            Suggestion(action="use", name="compact_at", effect="summarises here"),
            "`--compact-at N` summarises here",
        ),
        (Suggestion(action="transcript", task="audit"), "t.events after t = %claude_task audit"),
    ],
)
def test_what_a_user_can_do_is_a_magic(suggestion: Suggestion, words: str) -> None:
    assert word(suggestion) == words


def test_a_task_of_python_has_ipython_s_words_while_the_extension_is_loaded(
    notebook: Notebook,
) -> None:
    task = task_on(Simulator(steps(1), faults=[status_error(401)]))

    detail = task.run("Look.").detail

    assert detail.endswith("; check the API key, then `%claude_resume audit`")
    assert "transcript: t.events after t = %claude_task audit" in str(task.report()["text/plain"])
    notebook.shell.run_line_magic("unload_ext", "budget_magic")
    assert isinstance(default_session().host, PythonHost)
    assert "Check the API key, then: tasks()" in str(task.report()["text/plain"])
    notebook.shell.run_line_magic("load_ext", "budget_magic")


def test_a_session_s_ceiling_names_its_trait(notebook: Notebook) -> None:
    notebook("%config ClaudeTaskMagics.session_cost = 0.01")

    detail = task_on(Simulator(steps(1))).run("Look.").detail

    trait = "%config ClaudeTaskMagics.session_cost"
    assert detail.endswith(f"; raise `{trait}` to 0.08 or more, then `%claude_resume audit`")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("-b 5000", "20,000; use `--budget 20k` or more, or `--budget none`"),
        ("-m claude-haiku-4-5", ": use `--budget none` (the ceilings still hold), or a model that"),
        (
            "-m unheard-of",
            ": `--max-cost none` runs without one; `%config ClaudeTask",
        ),
        ("--max-tokens 500k", "--max-tokens 500,000 is more than claude-opus-5-5 can write in"),
        ("--root nowhere", "/nowhere: there is no such folder"),
        ("-t none,look", "--tools none cannot be combined with other tools"),
    ],
)
def test_a_refused_line_names_options(notebook: Notebook, line: str, sentence: str) -> None:
    ran = notebook(f"%%claude_task audit {line}\nLook.")

    assert isinstance(ran.error, UsageError)
    assert sentence in str(ran.error)


def test_the_same_mistake_in_python_names_arguments(notebook: Notebook) -> None:
    notebook("from budget_magic import Task")

    ran = notebook("Task('audit', max_tokens=500_000)")

    assert isinstance(ran.error, ConfigurationError)
    assert str(ran.error).startswith("max_tokens 500,000 is more than")


def test_a_task_that_changed_its_client_names_the_option(notebook: Notebook) -> None:
    task_on(Simulator([Reply(text="One.")])).run("Look.")

    ran = notebook("%%claude_task audit --client simulator\nLook.")

    assert (
        str(ran.error)
        == "audit ran on client; choose client again, or `--new` starts it on the simulator"
    )


def test_nothing_below_the_magics_names_magics_or_options() -> None:
    above = {ROOMS / "cli.py", *(ROOMS / "magics").rglob("*.py")}
    found = [
        f"{path.relative_to(ROOMS)}:{node.lineno}: {node.value.strip()}"
        for path in sorted(set(ROOMS.rglob("*.py")) - above)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and OF_IPYTHON.search(node.value)
    ]
    assert found == []

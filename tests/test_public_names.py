"""The names that users' notebooks rely on, and what loading them costs."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields
from decimal import Decimal
from typing import Final, get_args

import pytest
from IPython.core.interactiveshell import InteractiveShell

import budget_magic
from budget_magic import Ceilings, Outcome, Spend, Task
from budget_magic.errors import ConfigurationError
from budget_magic.events import Reason, State
from budget_magic.magics.options import OPTIONS, help_text, parse, texts
from budget_magic.settings import Settings
from tests.notebook_runs import environment

HEAVY: Final = ("anthropic", "sqlalchemy", "mcp", "ipywidgets", "anywidget")

LOAD: Final = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
opened, threads, hearing = [], [], True

def hear(event, arguments):
    if not hearing:
        return
    if event == "open":
        opened.append(str(arguments[0]))
    elif event == "_thread.start_new_thread":
        threads.append(str(arguments[0]))

sys.addaudithook(hear)
shell.run_line_magic("load_ext", "budget_magic")
hearing = False
print(json.dumps({"modules": sorted(sys.modules), "opened": opened, "threads": threads}))
"""

OPTION_TABLE: Final = {
    "-b, --budget TOKENS": "1.5M",
    "-e, --effort LEVEL": "xhigh",
    "-m, --model ID": "claude-opus-4-7",
    "--max-tokens N": "8k",
    "--max-cost USD": "0.50",
    "--max-total-tokens N": "none",
    "--max-steps N": "10",
    "--max-time T": "90s",
    "-t, --tools LIST": "files,look",
    "--approve POLICY": "all",
    "--root DIR": "data",
    "--system TEXT": "short",
    "-o, --out VAR": "outcome",
    "--new": None,
    "--again": None,
    "--no-wrap-up": None,
    "--compact-at N": "100k",
    "--inference-geo REGION": "us",
    "--background": None,
    "--tag KEY=VALUE": "pr=123",
    "--release-held": None,
    "--client NAME": "simulator",
}
"""The options whose names are fixed, with a value that each takes; more may come."""


def test_every_public_name_is_there() -> None:
    assert set(budget_magic.__all__) == {
        "BudgetMagicError",
        "Ceilings",
        "ConfigurationError",
        "Outcome",
        "Spend",
        "Task",
        "TaskFailed",
        "TaskInterrupted",
        "__version__",
        "load_ipython_extension",
        "tasks",
        "tool",
        "unload_ipython_extension",
    }
    for name in budget_magic.__all__:
        assert getattr(budget_magic, name) is not None
        assert name in dir(budget_magic)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'budget'"):
        budget_magic.budget  # noqa: B018 - the access is the test


def test_loading_imports_nothing_heavy_opens_nothing_but_code_and_starts_no_thread() -> None:
    done = subprocess.run(
        [sys.executable, "-B", "-c", LOAD],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    seen = json.loads(done.stdout.splitlines()[-1])
    assert "budget_magic.magics.load" in seen["modules"]
    assert not [name for name in HEAVY if name in seen["modules"]]
    assert not seen["threads"]
    assert not [path for path in seen["opened"] if not path.endswith((".py", ".pyc", ".so"))]


def test_the_help_lists_the_fixed_options() -> None:
    told = help_text("%%claude_task", frozenset(OPTIONS), texts(Settings()))
    rows = [line.strip() for line in told.splitlines()]

    assert {row.split("  ")[0] for row in rows if row.startswith("-")} >= set(OPTION_TABLE)


@pytest.mark.parametrize("option", OPTION_TABLE)
def test_each_option_is_taken_under_each_of_its_names(option: str) -> None:
    value = OPTION_TABLE[option]

    flags = [word.strip(",") for word in option.split() if word.startswith("-")]
    given = [parse([flag] if value is None else [flag, value]).given for flag in flags]

    assert len(given[0]) == 1
    assert all(one == given[0] for one in given)


def test_no_option_is_abbreviated() -> None:
    with pytest.raises(ConfigurationError, match="--budget"):
        parse(["--budg", "64k"])


def test_the_defaults_are_the_documented_ones() -> None:
    settings = Settings()

    assert (settings.budget, settings.effort, settings.model) == (64_000, "high", "claude-opus-5-5")
    assert settings.tools == ("files",)
    assert (settings.approve, settings.client) == ("ask", "auto")
    assert settings.wrap_up
    assert settings.reply_tokens == 32_000
    assert Settings(effort="xhigh").reply_tokens == Settings(effort="max").reply_tokens == 64_000
    assert Ceilings() == Ceilings(
        cost_usd=Decimal(5), total_tokens=1_000_000, steps=50, elapsed_s=1800
    )


def test_outcome_and_spend_have_the_documented_fields() -> None:
    assert {field.name for field in fields(Outcome)} >= {
        "task", "turn", "state", "reason", "detail", "text", "spend", "total", "budget",
        "remaining",
    }  # fmt: skip
    assert {field.name for field in fields(Spend)} == {
        "steps", "tool_calls", "input_tokens", "cache_read_input_tokens",
        "cache_creation_input_tokens", "output_tokens", "thinking_tokens", "tool_result_tokens",
        "budget_tokens", "cost_usd", "unconfirmed_usd", "unconfirmed_tokens", "elapsed_s",
    }  # fmt: skip


def test_states_and_reasons_are_the_documented_ones() -> None:
    assert set(get_args(State)) - {"running"} == {"completed", "halted", "interrupted", "failed"}
    assert set(get_args(Reason)) >= {
        "end_turn", "stop_sequence",
        "cost_ceiling", "token_ceiling", "step_ceiling", "time_ceiling", "max_tokens",
        "context_window", "refusal",
        "keyboard", "stop_button",
        "api_error", "connection", "configuration",
    }  # fmt: skip


def test_the_documented_call_of_task_is_accepted() -> None:
    def look(name: str) -> str:
        """Look a name up."""
        return name

    task = Task(
        "documented",
        budget=64_000,
        effort="high",
        model="claude-opus-5-5",
        tools=["files", look],
        ceilings=Ceilings(cost_usd=5, total_tokens=1_000_000, steps=50, elapsed_s=1800),
        max_tokens=32_000,
        approve="ask",
        root=".",
        system=None,
        client="auto",
        tags={"pr": "123"},
    )

    assert budget_magic.tasks()["documented"] is task
    assert (task.turns, task.events, task.messages) == ([], [], [])
    assert task.spend == Spend()
    assert task.remaining == 64_000


def test_loading_adds_the_magics_and_unloading_removes_them() -> None:
    shell = InteractiveShell()  # type: ignore[no-untyped-call] # untyped there
    before = {kind: set(names) for kind, names in shell.magics_manager.magics.items()}

    shell.run_line_magic("load_ext", "budget_magic")
    added = {kind: set(names) - before[kind] for kind, names in shell.magics_manager.magics.items()}
    shell.run_line_magic("unload_ext", "budget_magic")

    assert "claude_task" in added["cell"]
    assert added["line"] >= {"claude_task", "claude_tasks", "claude_resume", "claude_stop"}
    assert before == {kind: set(names) for kind, names in shell.magics_manager.magics.items()}

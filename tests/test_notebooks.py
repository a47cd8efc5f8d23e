"""The first notebook, executed as nbclient, papermill and a stranger's server meet it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import papermill  # type: ignore[import-untyped] # ships no types
import pytest

from budget_magic.simulator.server import serve
from tests.notebook_runs import (
    FIRST,
    SAMPLE,
    environment,
    errors,
    execute,
    printed,
    read,
    reports,
    turns,
)

SIMULATED = {"BUDGET_MAGIC_CLIENT": "simulator"}
IN_SAMPLE = (
    "shop/orders.py:8",
    "shop/orders.py:14",
    "shop/report.py:8",
    "shop/report.py:14",
    "shop/report.py:15",
    "shop/session.py:6",
    "shop/session.py:11",
    "shop/session.py:16",
    "shop/session.py:21",
)
CLEAN = "def double(number: int) -> int:\n    return 2 * number\n"


def test_the_notebook_is_shipped_without_outputs() -> None:
    notebook = read(FIRST)

    assert all(not cell.outputs for cell in notebook.cells if cell.cell_type == "code")
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


@pytest.fixture(scope="module")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The notebook executed on the sample."""
    return execute(SAMPLE, tmp_path_factory.mktemp("sample"), environment(**SIMULATED))


def test_the_sample_is_audited_and_each_planted_problem_is_named(sample_run: Any) -> None:
    notebook = sample_run

    first, second = turns(notebook)
    for turn in (first, second):
        assert (turn["version"], turn["task"], turn["client"]) == (1, "audit", "simulator")
        assert (turn["state"], turn["reason"]) == ("completed", "end_turn")
        assert (turn["model"], turn["effort"]) == ("claude-opus-5-5", "high")
    assert (first["turn"], second["turn"]) == (1, 2)
    assert "simulated" in reports(notebook)[0].lower()
    for place in IN_SAMPLE:
        assert place in reports(notebook)[0]
    assert "shop/orders.py:8" in reports(notebook)[1]


def test_the_second_cell_continues_history_budget_and_meter(sample_run: Any) -> None:
    first, second = turns(sample_run)
    assert first["budget"] == second["budget"] == 64_000
    for turn in (first, second):
        assert turn["remaining"] == turn["budget"] - turn["total"]["budget_tokens"]
    for name in ("steps", "output_tokens", "budget_tokens", "cache_read_input_tokens"):
        assert second["total"][name] == first["total"][name] + second["spend"][name]
    cost = Decimal(first["spend"]["cost_usd"]) + Decimal(second["spend"]["cost_usd"])
    assert Decimal(second["total"]["cost_usd"]) == cost
    assert Decimal(second["total"]["unconfirmed_usd"]) == 0
    assert second["spend"]["cache_read_input_tokens"] > 0


def test_problems_planted_anywhere_are_named_with_file_and_line(tmp_path: Path) -> None:
    planted = {
        "run.py": 'subprocess.run("tar xf " + name, shell=True)',
        "deep/er/load.py": "settings = yaml.load(text)",
        "db.py": 'cursor.execute(f"DELETE FROM users WHERE name = {name!r}")',
        "keys.py": 'API_KEY = "prod-7f3a9c2e51d84b60"',
        "calc.py": "result = eval(request.args['q'])",
    }
    project = tmp_path / "my project"
    for name, line in planted.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(f"{CLEAN}\n\ndef planted():\n    {line}\n")
    (project / "clean.py").write_text(CLEAN)

    notebook = execute(project, tmp_path, environment(**SIMULATED))

    report = reports(notebook)[0]
    assert [turn["state"] for turn in turns(notebook)] == ["completed", "completed"]
    for name in planted:
        assert f"{name}:6" in report
    assert "clean.py:" not in report


def test_a_folder_without_problems_is_not_accused(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "clean.py").write_text(CLEAN)

    notebook = execute(project, tmp_path, environment(**SIMULATED))

    assert [turn["state"] for turn in turns(notebook)] == ["completed", "completed"]
    assert "clean.py:" not in reports(notebook)[0]


def test_two_runs_give_the_same_figures(sample_run: Any, tmp_path: Path) -> None:
    again = execute(SAMPLE, tmp_path, environment(**SIMULATED))
    runs = [turns(sample_run), turns(again)]

    for run in runs:
        for turn in run:
            del turn["spend"]["elapsed_s"], turn["total"]["elapsed_s"]
    assert runs[0] == runs[1]


def test_papermill_runs_it_with_the_folder_as_a_parameter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(**SIMULATED).items():
        monkeypatch.setenv(name, value)
    project = tmp_path / "project"
    project.mkdir()
    (project / "calc.py").write_text("eval(input())\n")

    papermill.execute_notebook(
        str(FIRST),
        str(tmp_path / "done.ipynb"),
        parameters={"folder": str(project)},
        cwd=str(tmp_path),
        progress_bar=False,
        log_output=False,
    )

    notebook = read(tmp_path / "done.ipynb")
    assert [turn["state"] for turn in turns(notebook)] == ["completed", "completed"]
    assert "calc.py:1" in reports(notebook)[0]


def test_the_same_notebook_runs_against_any_server_that_speaks_the_messages_api(
    tmp_path: Path,
) -> None:
    with serve() as server:
        notebook = execute(
            SAMPLE,
            tmp_path,
            environment(ANTHROPIC_BASE_URL=server.url, ANTHROPIC_API_KEY="sk-of-this-test"),
        )

    first, second = turns(notebook)
    assert first["client"] == second["client"] == "anthropic"
    assert second["state"] == "completed"
    for place in IN_SAMPLE:
        assert place in reports(notebook)[0]
    assert len(server.simulator.requests) == second["total"]["steps"]
    assert Decimal(second["total"]["cost_usd"]) == server.simulator.bill.total_usd
    assert "sk-of-this-test" not in str(notebook)


def test_without_a_key_and_without_a_person_nothing_is_simulated_silently(tmp_path: Path) -> None:
    notebook = execute(SAMPLE, tmp_path, environment(), fails=True)

    assert not turns(notebook)
    assert "no API key found" in errors(notebook)[0] + printed(notebook)


def test_a_refused_key_ends_the_notebook_after_its_report(tmp_path: Path) -> None:
    with serve(wrong_keys=["sk-refused"]) as server:
        notebook = execute(
            SAMPLE,
            tmp_path,
            environment(ANTHROPIC_BASE_URL=server.url, ANTHROPIC_API_KEY="sk-refused"),
            fails=True,
        )

    assert turns(notebook)[0]["state"] == "failed"
    assert turns(notebook)[0]["reason"] == "configuration"
    assert errors(notebook)[0].startswith("TaskFailed: ")
    assert "sk-refused" not in str(notebook)

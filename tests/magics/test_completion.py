"""Completion on the magics' lines, by IPython's own completer."""

from __future__ import annotations

from pathlib import Path

import pytest
from IPython.core.completer import provisionalcompleter

from budget_magic import TaskInterrupted, tasks
from budget_magic.simulator import Reply, Simulator, silence
from budget_magic.wire.sdk import simulated_client
from tests.magics.conftest import Notebook


def completed(notebook: Notebook, cell: str) -> list[str]:
    """The last word of a cell as each completion at its end would make it."""
    with provisionalcompleter():
        found = list(notebook.shell.Completer.completions(cell, len(cell)))
    assert all(one.end == len(cell) for one in found)
    begin = max(cell.rfind(" "), cell.rfind("\n")) + 1
    return [cell[begin : one.start] + one.text for one in found]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("%%claude_task audit --max-c", ["--max-cost"]),
        ("%%claude_task audit --he", ["--help"]),
        ("%%claude_task -e ", ["low", "medium", "high", "xhigh", "max"]),
        ("%%claude_task -e xh", ["xhigh"]),
        ("%claude_task audit --effort=x", ["--effort=xhigh"]),
        ("%%claude_task audit --approve ", ["ask", "all", "none"]),
        ("%%claude_task audit -b ", ["20k", "64k", "128k", "none"]),
        ("%%claude_task audit --max-cost ", ["5"]),
        ("%%claude_task audit --max-time ", ["30m"]),
        ("%claude_resume au", ["audit"]),
        ("%claude_task ad", ["adits"]),
        ("t = %claude_task au", ["audit"]),
        ("x = 1\n%claude_resume au", ["audit"]),
        ("%claude_tasks ", ["--help"]),
    ],
)
def test_names_options_and_values_complete_and_nothing_else_does(
    notebook: Notebook, cell: str, expected: list[str]
) -> None:
    notebook("%claude_task audit")
    notebook("%claude_task adits")
    assert completed(notebook, cell) == expected


def test_models_complete(notebook: Notebook) -> None:
    found = completed(notebook, "%%claude_task -m claude-opus-")
    assert "claude-opus-5-5" in found
    assert all(one.startswith("claude-opus-") for one in found)


def test_functions_of_the_notebook_complete_as_tools(notebook: Notebook) -> None:
    notebook("def row_count(): pass\ndef rows(): pass\nrate = 1\nclass Rows: pass")

    assert completed(notebook, "%%claude_task -t ") == ["files", "none", "row_count", "rows"]
    assert completed(notebook, "%%claude_task -t files,ro") == ["files,row_count", "files,rows"]
    assert completed(notebook, "%%claude_task --tools=rows,") == [
        "--tools=rows,files",
        "--tools=rows,row_count",
    ]


def test_clients_of_the_notebook_complete(notebook: Notebook) -> None:
    client = simulated_client(Simulator([Reply(text="Hello.")]).transport())
    notebook.shell.push({"mine": client, "minor": 3})
    assert completed(notebook, "%%claude_task --client ") == ["auto", "simulator", "mine"]
    assert completed(notebook, "%%claude_task --client mi") == ["mine"]


def test_labels_in_use_complete(notebook: Notebook) -> None:
    notebook("%claude_task audit --tag pr=123")
    assert completed(notebook, "%%claude_task other --tag p") == ["pr=123"]


def test_folders_complete_for_the_root(notebook: Notebook, folder: Path) -> None:
    for name in ("src/inner", "scripts", "my data", ".hidden"):
        (folder / name).mkdir(parents=True)
    (folder / "setup.py").write_text("")

    assert completed(notebook, "%%claude_task audit --root ") == ['"my data/"', "scripts/", "src/"]
    assert completed(notebook, "%%claude_task audit --root s") == ["scripts/", "src/"]
    assert completed(notebook, "%%claude_task audit --root src/") == ["src/inner/"]
    assert completed(notebook, "%%claude_task audit --root=sr") == ["--root=src/"]
    assert completed(notebook, "%%claude_task audit --root 'sr") == ["'src/'"]
    assert completed(notebook, f"%%claude_task --root {folder}/sr") == [f"{folder}/src/"]
    assert completed(notebook, "%%claude_task audit --root .h") == [".hidden/"]


def test_a_completed_root_with_a_space_runs(notebook: Notebook, folder: Path) -> None:
    (folder / "my data").mkdir()
    line = "%%claude_task audit --root "
    ran = notebook(f"{line}{completed(notebook, line)[0]}\nAudit this folder.")
    assert ran.error is None
    assert tasks()["audit"].settings.root_path() == folder / "my data"


def test_only_running_tasks_complete_for_stop(notebook: Notebook) -> None:
    played = Simulator([Reply(text="Hello.")], faults=[silence()])
    notebook.shell.push({"mine": simulated_client(played.transport())})
    notebook("%claude_task later")
    notebook("from budget_magic import Task\nt = Task('lasts', client=mine, tools='none')")
    notebook("t.start('x')")
    assert completed(notebook, "%claude_stop l") == ["lasts"]
    notebook("%claude_stop")
    with pytest.raises(TaskInterrupted):
        notebook["t"].wait()


def test_an_option_is_offered_once_and_a_tag_again(notebook: Notebook) -> None:
    found = completed(notebook, "%%claude_task audit --max-cost 2 -e low --tag pr=1 --")
    assert not {"--max-cost", "--effort"} & set(found)
    assert {"--max-steps", "--tag"} <= set(found)


@pytest.mark.parametrize(
    "line",
    [
        "%%claude_task audit --max-cost 2",
        "%%claude_task audit -o pri",
        "%%claude_task audit --tag imp",
        "%%claude_task audit --root pri",
        "%%claude_task audit --system 'pri",
        "%%claude_task pri",
        "%claude_stop pri",
    ],
)
def test_python_offers_nothing_where_there_is_nothing_to_offer(
    notebook: Notebook, line: str
) -> None:
    assert completed(notebook, line) == [line.rpartition(" ")[2]]


def test_other_lines_and_the_prompt_are_left_alone(notebook: Notebook) -> None:
    assert "print" in completed(notebook, "pri")
    notebook("my_rows = 3")
    assert "my_rows" in " ".join(completed(notebook, "%%claude_task audit\nLook at {{ my_r"))

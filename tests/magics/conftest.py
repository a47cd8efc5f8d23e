"""A fresh shell with the extension loaded, a folder to work in, and an empty registry of tasks."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from traitlets.config import Config

from budget_magic.session import tasks

PLANTED = "import os\n\npassword = 'hunter2-but-longer'\nos.system('ls ' + name)\n"


@dataclass(slots=True)
class Ran:
    """What one cell did."""

    result: ExecutionResult
    out: str
    err: str

    @property
    def error(self) -> BaseException | None:
        """What the cell raised; None where it ended well."""
        return self.result.error_before_exec or self.result.error_in_exec


class Notebook:
    """A shell that runs cells one by one."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell

    def __call__(self, source: str, cell_id: str | None = None) -> Ran:
        """Run a cell; a UsageError is printed by IPython, other errors are kept."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            result = self.shell.run_cell(source, store_history=True, cell_id=cell_id)
        return Ran(result=result, out=out.getvalue(), err=err.getvalue())

    def __getitem__(self, name: str) -> Any:
        """A variable of the notebook."""
        return self.shell.user_ns[name]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: one file with planted problems."""
    (tmp_path / "app.py").write_text(PLANTED)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def notebook(folder: Path) -> Iterator[Notebook]:  # noqa: ARG001 - sets the working directory
    """A fresh shell with the extension loaded; simulated unless a cell says otherwise."""
    config = Config()
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config)
    shell.run_line_magic("load_ext", "budget_magic")
    shell.run_line_magic("config", "ClaudeTaskMagics.client = 'simulator'")
    yield Notebook(shell)
    for task in tasks().values():
        task.stop()
    shell.run_line_magic("unload_ext", "budget_magic")
    InteractiveShell.clear_instance()

"""A cell that exceeds the time limit of nbclient: its report says that no person stopped it."""

from __future__ import annotations

from typing import Any

from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from budget_magic.loop.endings import FROM_OUTSIDE
from tests.notebook_runs import environment, turns

SETUP = """
%load_ext budget_magic
from budget_magic.simulator import Reply, Simulator, silence
from budget_magic.wire.sdk import simulated_client
replies = [Reply(text="Half of the answer. " * 20)]
mine = simulated_client(Simulator(replies, faults=[silence(on=0)]).transport())
"""
ASK = "%%claude_task audit --client mine\nLook."
LIMIT_S = 2


def test_a_cell_that_exceeds_its_time_limit_says_so() -> None:
    cells = [new_code_cell(SETUP), new_code_cell(ASK)]  # type: ignore[no-untyped-call] # untyped
    notebook: Any = new_notebook(cells=cells)  # type: ignore[no-untyped-call] # untyped library
    client = NotebookClient(
        notebook,
        timeout_func=lambda cell: LIMIT_S if cell.source == ASK else None,
        interrupt_on_timeout=True,
        allow_errors=True,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )

    client.execute(env=environment())

    (turn,) = turns(notebook)
    assert (turn["state"], turn["reason"]) == ("interrupted", "keyboard")
    assert turn["detail"].startswith(f"stopped in step 1{FROM_OUTSIDE}; what was done is kept")
    error = notebook.cells[1].outputs[-1]
    assert (error.ename, error.evalue) == ("TaskInterrupted", turn["detail"])

"""`%claude_task NAME --release-held`, and where held money is shown."""

from __future__ import annotations

import threading

import pytest
from IPython.core.error import UsageError

from budget_magic import tasks
from budget_magic.events import HeldReleased
from budget_magic.simulator import Reply, Simulator, silence
from budget_magic.wire.sdk import simulated_client
from tests.loop.running import facts
from tests.magics.conftest import Notebook

WAY_OUT = "%claude_task audit --release-held"


def cut_off_cell(notebook: Notebook) -> str:
    """Run a cell that is stopped in mid-reply; give what it printed."""
    simulator = Simulator([Reply(text="Hello.")], faults=[silence(on=0)])
    notebook.shell.push({"mine": simulated_client(simulator.transport())})

    def stop() -> None:
        assert simulator.arrival(0).wait()
        assert simulator.requests[0].silent.wait()
        tasks()["audit"].stop()

    threading.Thread(target=stop, daemon=True).start()
    return notebook("%%claude_task audit --client mine -t none\nSay hello.").out


def test_a_report_with_held_money_names_what_lets_it_go(notebook: Notebook) -> None:
    out = " ".join(cut_off_cell(notebook).split())
    assert "(held)" in out
    assert f"`{WAY_OUT}` releases what is held." in out
    assert WAY_OUT in str(tasks()["audit"].report()["text/html"])
    markdown = str(tasks()["audit"].report()["text/markdown"])
    assert WAY_OUT in markdown.replace("\\", "")  # what Markdown reads as marks is escaped


def test_the_table_of_tasks_has_a_column_for_held_money(notebook: Notebook) -> None:
    cut_off_cell(notebook)
    notebook("%claude_task other")
    head, audit, other = notebook("%claude_tasks").out.splitlines()[-3:]
    assert "held" in head
    assert "$0.64" in audit
    assert "-" in other.split()
    assert "<td" in notebook.shell.run_line_magic("claude_tasks", "")._repr_html_()


def test_the_option_lets_it_go_and_says_what_that_risks(notebook: Notebook) -> None:
    cut_off_cell(notebook)
    task = tasks()["audit"]

    out = notebook(WAY_OUT).out

    assert "Released $0.64 held for 1 cut-off request" in out.splitlines()[0]
    assert "if the API billed more, the bill is higher than shown here" in out.splitlines()[0]
    assert len(facts(task, HeldReleased)) == 1
    assert task.held.requests == 0
    assert "audit holds nothing for cut-off requests" in notebook(WAY_OUT).out
    assert "$0.64" not in notebook("%claude_tasks").out


def test_a_report_no_longer_offers_what_was_done(notebook: Notebook) -> None:
    cut_off_cell(notebook)
    halted = notebook("%claude_resume audit --max-cost 0.01").out
    assert f"`{WAY_OUT}` releases it" in " ".join(halted.split())

    notebook(WAY_OUT)

    shown = " ".join(str(tasks()["audit"].report()["text/plain"]).split())
    assert WAY_OUT not in shown
    assert "Released $0.64 held for 1 cut-off request" in shown


def test_it_goes_with_settings(notebook: Notebook) -> None:
    cut_off_cell(notebook)
    notebook(f"{WAY_OUT} --max-cost 9")
    assert tasks()["audit"].settings.ceilings.cost_usd == 9
    assert tasks()["audit"].held.requests == 0


@pytest.mark.parametrize(
    "cell",
    ["%%claude_task audit --release-held\nSay hello.", "%claude_resume audit --release-held"],
)
def test_it_is_refused_elsewhere_with_one_sentence(notebook: Notebook, cell: str) -> None:
    cut_off_cell(notebook)
    ran = notebook(cell)
    assert isinstance(ran.error, UsageError)
    assert str(ran.error) == ("--release-held does not apply here; use it with %claude_task NAME")
    assert tasks()["audit"].held.requests == 1


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("%claude_task adit --release-held", "there is no task adit; did you mean audit?"),
        (f"{WAY_OUT} --new", "--release-held cannot be combined with --new"),
        (f"{WAY_OUT} --system other", "the system prompt is fixed by the first turn"),
    ],
)
def test_a_mistake_changes_nothing(notebook: Notebook, line: str, sentence: str) -> None:
    cut_off_cell(notebook)
    ran = notebook(line)
    assert isinstance(ran.error, UsageError)
    assert sentence in str(ran.error)
    assert tasks()["audit"].held.requests == 1
    assert list(tasks()) == ["audit"]

"""`task.events` is a list that converts to a pandas table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from budget_magic.events import StepFinished, StepStarted
from budget_magic.session.frames import RECORD_COLUMNS
from budget_magic.simulator import Reply, Simulator, silence
from tests.loop.running import facts, steps, stopped_at, task_on
from tests.notebook_runs import environment

pandas = pytest.importorskip("pandas", reason="pip install pandas")

WITHOUT_PANDAS: Final = """
from budget_magic import ConfigurationError, Task
try:
    Task("audit").events.to_frame()
except ConfigurationError as error:
    print(error)
"""


def test_events_are_a_list() -> None:
    task = task_on(Simulator([Reply(text="Hello.")]))
    task.run("Say hello.")
    events, records = task.events, list(task.bus.records)

    assert isinstance(events, list)
    assert events == records
    assert records == events
    assert len(events) == len(records) > 2
    assert [record.sequence for record in events] == list(range(1, len(records) + 1))
    assert events[0] is records[0]
    assert events[-2:] == records[-2:]
    assert len(events[-2:].to_frame()) == 2
    events.clear()
    assert task.events == records


def test_the_table_has_a_row_a_record_with_numbers_as_numbers() -> None:
    task = task_on(Simulator(steps(3)))
    task.run("Look.")

    frame = task.events.to_frame()

    assert list(frame.columns) == list(RECORD_COLUMNS)
    assert len(frame) == len(task.events)
    dtypes = {name: str(dtype) for name, dtype in frame.dtypes.items()}
    assert dtypes["sequence"] == dtypes["turn"] == "int64"
    assert dtypes["at"] == "datetime64[us, UTC]"
    assert dtypes["cost_usd"] == dtypes["output_tokens"] == dtypes["step"] == "float64"
    assert dtypes["is_error"] == "boolean"
    finished = facts(task, StepFinished)
    rows = frame[frame.kind == "step_finished"]
    assert list(rows.output_tokens) == [fact.usage.output_tokens for fact in finished]
    assert list(rows.remaining) == [fact.remaining for fact in finished]
    assert list(rows.cost_usd) == [float(fact.cost_usd or 0) for fact in finished]
    assert list(frame[frame.kind == "tool_finished"]["name"]) == ["lookup"] * 3
    assert frame["at"].iloc[0].to_pydatetime() == task.events[0].at
    assert frame[frame.kind == "turn_started"].cost_usd.isna().all()


def test_sums_of_the_table_are_what_the_task_spent() -> None:
    task = task_on(Simulator(steps(3)))
    task.run("Look.")
    task.run("Look again.")

    frame, spend = task.events.to_frame(), task.spend

    assert frame.cost_usd.sum() == pytest.approx(float(spend.cost_usd or 0))
    summed = [name for name in RECORD_COLUMNS if name.endswith("_tokens")]
    assert "budget_tokens" in summed
    for name in summed:
        assert frame[name].sum() == getattr(spend, name), name


def test_a_cut_off_request_stands_beside_the_cost() -> None:
    task = task_on(Simulator([Reply(text="Hello.")], faults=[silence(on=0)]))
    stopped_at(task, StepStarted)

    frame = task.events.to_frame()

    assert frame.unconfirmed_usd.sum() == pytest.approx(float(task.spend.unconfirmed_usd))
    assert frame.cost_usd.sum() == 0


def test_no_records_make_a_table_with_the_same_columns_and_types() -> None:
    task = task_on(Simulator([Reply(text="Hello.")]))
    empty = task.events.to_frame()
    task.run("Say hello.")
    full = task.events.to_frame()

    assert list(empty.columns) == list(full.columns)
    numbers = [name for name, column in RECORD_COLUMNS.items() if column.kind != "text"]
    assert list(empty[numbers].dtypes) == list(full[numbers].dtypes)


def test_without_pandas_the_error_names_the_command(tmp_path: Path) -> None:
    broken = tmp_path / "pandas.py"
    broken.write_text("raise ModuleNotFoundError('No module named pandas')")
    env = environment()
    env["PYTHONPATH"] = f"{tmp_path}:{env['PYTHONPATH']}"

    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PANDAS],
        env=env,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stdout == "`to_frame` needs pandas, which is not installed: `pip install pandas`\n"

"""Tables that the line magics return, as HTML and text."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from budget_magic.report.numbers import dollars, exact
from budget_magic.report.text import clean_text
from budget_magic.session.frames import Column, make_frame
from budget_magic.session.task import Task
from budget_magic.session.turns import Turn, in_force

if TYPE_CHECKING:
    import pandas as pd

HEADINGS = ("task", "state", "turns", "steps", "counted", "left", "cost", "held", "client", "model")
LEFT_ALIGNED = frozenset({"task", "state", "client", "model"})
TASK_COLUMNS: Final = {
    "task": Column("text", "name of the task"),
    "state": Column("text", "state of its last turn, running, or not run yet"),
    "reason": Column("text", "why that turn ended"),
    "turns": Column("int", "turns that are not superseded"),
    "steps": Column("int", "of all turns; so are the next ones"),
    "tool_calls": Column("int", ""),
    "budget_tokens": Column("int", "what counts against the budget"),
    "budget": Column("float", "the task budget"),
    "remaining": Column("float", "left of it"),
    "cost_usd": Column("float", "US dollars"),
    "unconfirmed_usd": Column("float", "what cut-off requests may have cost beside it, at most"),
    "elapsed_s": Column("float", "running time in seconds"),
    "client": Column("text", "which client answers"),
    "model": Column("text", ""),
    "effort": Column("text", ""),
}
"""The columns of `%claude_tasks` as a pandas table, in their order."""


@dataclass(frozen=True, slots=True)
class TaskTable:
    """The tasks of a kernel, one row each."""

    tasks: Sequence[Task]

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """Cells as text, in the order of the headings."""
        return [_row(task) for task in self.tasks]

    def to_frame(self) -> pd.DataFrame:
        """Return a pandas table with a row a task and the columns of `TASK_COLUMNS`.

        Whole numbers are int64, other numbers and dollars float64, NaN where there is none.
        """
        return make_frame(TASK_COLUMNS, map(_values, self.tasks))

    def __len__(self) -> int:
        return len(self.tasks)

    def __repr__(self) -> str:
        if not self.tasks:
            return "no tasks yet; start one with %%claude_task"
        table = [HEADINGS, *self.rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        return "\n".join(
            "  ".join(
                cell.ljust(width) if heading in LEFT_ALIGNED else cell.rjust(width)
                for heading, cell, width in zip(HEADINGS, row, widths, strict=True)
            ).rstrip()
            for row in table
        )

    def _repr_html_(self) -> str:
        if not self.tasks:
            return f"<p>{html.escape(repr(self))}</p>"
        rows = [_html_row("th", HEADINGS), *(_html_row("td", row) for row in self.rows)]
        return f"<table>{''.join(rows)}</table>"


def _html_row(tag: str, cells: Sequence[str]) -> str:
    shown = ""
    for heading, text in zip(HEADINGS, cells, strict=True):
        side = "left" if heading in LEFT_ALIGNED else "right"
        # A lone $ is safe, but two in one text node are typeset as a formula in JupyterLab.
        escaped = html.escape(text).replace("$", "<span>$</span>")
        shown += f'<{tag} style="text-align:{side}">{escaped}</{tag}>'
    return f"<tr>{shown}</tr>"


def _ending(task: Task) -> tuple[str, str | None]:
    """Return the state of a task, and why its last turn ended."""
    outcome = task.outcome
    if task.is_running:
        return "running", None
    return ("not run yet", None) if outcome is None else (outcome.state, outcome.reason)


def _turns(task: Task) -> int:
    return len(in_force(task.turns))


def _values(task: Task) -> dict[str, object]:
    state, reason = _ending(task)
    return {
        **task.spend.as_json(),
        "task": task.name,
        "state": state,
        "reason": reason,
        "turns": _turns(task),
        "budget": task.settings.budget,
        "remaining": task.remaining,
        "client": task.client_text,
        "model": task.settings.model,
        "effort": task.settings.effort,
    }


def _row(task: Task) -> tuple[str, ...]:
    spend, held = task.spend, task.held
    state, reason = _ending(task)
    if reason is not None and state not in {"completed", "interrupted"}:
        state = f"{state}: {reason}"
    held_text = dollars(held.usd) if held.usd else f"{exact(held.tokens)} tokens"
    return (
        task.name,
        state,
        exact(_turns(task)),
        exact(spend.steps),
        exact(spend.budget_tokens),
        "no budget" if task.remaining is None else exact(task.remaining),
        dollars(spend.cost_usd),
        held_text if held.requests else "-",
        task.client_text,
        clean_text(task.settings.model),
    )


def shown_again(task: Task, turn: Turn) -> dict[str, object]:
    """Return the report of a turn that is shown again, with a line that says so."""
    when = "" if turn.ended_at is None else f" on {turn.ended_at:%Y-%m-%d at %H:%M} UTC"
    note = f"shown again, nothing was sent: paid for{when}; --again in its cell runs it anew"
    if turn.changed_things:
        note += "; its tools were not run again"
    shown = task.report(turn.number)
    shown["text/html"] = f"<p><i>{html.escape(note)}</i></p>{shown['text/html']}"
    shown["text/markdown"] = f"*{note}*\n\n{shown['text/markdown']}"
    shown["text/plain"] = f"{note}\n{shown['text/plain']}"
    return shown

"""What the line magics return: tables that read well as HTML and as text."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from budget_magic.report.numbers import dollars, exact
from budget_magic.report.text import clean_text
from budget_magic.session.task import Task
from budget_magic.session.turns import Turn

HEADINGS = ("task", "state", "turns", "steps", "counted", "left", "cost", "held", "client", "model")
LEFT_ALIGNED = frozenset({"task", "state", "client", "model"})


@dataclass(frozen=True, slots=True)
class TaskTable:
    """The tasks of a kernel, one row each."""

    tasks: Sequence[Task]

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """Cells as text, in the order of the headings."""
        return [_row(task) for task in self.tasks]

    def __len__(self) -> int:
        return len(self.tasks)

    def __repr__(self) -> str:
        if not self.tasks:
            return "no tasks yet; start one with %%claude_task"
        table = [HEADINGS, *self.rows]
        widths = [max(len(row[column]) for row in table) for column in range(len(HEADINGS))]
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
        head = "".join(_cell("th", heading, heading) for heading in HEADINGS)
        body = "".join("<tr>" + "".join(map(_td, HEADINGS, row)) + "</tr>" for row in self.rows)
        return f"<table><tr>{head}</tr>{body}</table>"


def _td(heading: str, text: str) -> str:
    return _cell("td", heading, text)


def _cell(tag: str, heading: str, text: str) -> str:
    side = "left" if heading in LEFT_ALIGNED else "right"
    # A lone $ is safe, but two in one text node are typeset as a formula in JupyterLab.
    shown = html.escape(text).replace("$", "<span>$</span>")
    return f'<{tag} style="text-align:{side}">{shown}</{tag}>'


def _row(task: Task) -> tuple[str, ...]:
    spend, outcome = task.spend, task.outcome
    state = "running" if task.is_running else "not run yet"
    if not task.is_running and outcome is not None:
        state = (
            outcome.state if outcome.state == "completed" else f"{outcome.state}: {outcome.reason}"
        )
    return (
        task.name,
        state,
        exact(sum(not turn.is_superseded for turn in task.turns)),
        exact(spend.steps),
        exact(spend.budget_tokens),
        "no budget" if task.remaining is None else exact(task.remaining),
        dollars(spend.cost_usd),
        _held(task),
        task.client_text,
        clean_text(task.settings.model),
    )


def _held(task: Task) -> str:
    """Return what requests of unknown cost hold; `-` where nothing does."""
    held = task.held
    if not held.requests:
        return "-"
    return dollars(held.usd) if held.usd else f"{exact(held.tokens)} tokens"


def shown_again(task: Task, turn: Turn) -> dict[str, object]:
    """Return the report of a turn that is shown again, with a line that says so."""
    when = "" if turn.ended_at is None else f" on {turn.ended_at:%Y-%m-%d at %H:%M} UTC"
    note = f"shown again: paid for{when}; --again runs it anew"
    if task.has_changed_things(turn):
        note += "; what its tools made is not there, --again runs them"
    shown = task.report(turn.number)
    shown["text/html"] = f"<p><i>{html.escape(note)}</i></p>{shown['text/html']}"
    shown["text/markdown"] = f"*{note}*\n\n{shown['text/markdown']}"
    shown["text/plain"] = f"{note}\n{shown['text/plain']}"
    return shown

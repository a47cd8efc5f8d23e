"""The settings of a task in force, as a table: first those that differ from the defaults."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable
from typing import NamedTuple

from budget_magic.magics import options
from budget_magic.meter.account import Account
from budget_magic.report.numbers import ceiling_dollars, exact, plural
from budget_magic.report.text import clean_text
from budget_magic.session.accounts import set_ceilings
from budget_magic.session.prepare import shown_path
from budget_magic.session.redaction import session_redactor
from budget_magic.session.task import Task
from budget_magic.settings import rows
from budget_magic.settings.row import as_text

WIDTH = 80
CELL = "text-align:left;padding:2px 28px 2px 0"


class Shown(NamedTuple):
    """One setting as it is shown."""

    name: str
    """Its option, or its name if it has none."""
    value: str
    default: str


class SettingsTable:
    """The settings of a task as they are now, as HTML and text."""

    def __init__(self, task: Task) -> None:
        redact = session_redactor(task.session, known=task.bus.redactor).redact
        defaults = task.session.defaults
        now, usual = options.texts(task.settings), options.texts(defaults.settings)
        in_force = _in_force(task)
        self._title = f"{task.name}: settings{'' if task.turns else ', not run yet'}"
        self.changed: list[Shown] = []
        self.usual: list[Shown] = []
        for row in rows(task.settings):
            name, key = f"--{row.option}" if row.option and row.takes else row.name, row.name
            value, default = (
                clean_text(options.shortened(redact(text))) or "none"
                for text in (now[key], usual[key])
            )
            if text := clean_text(options.shortened(redact(in_force.get(key, "")))):
                value += f" ({text})"
            group = self.usual if now[key] == usual[key] else self.changed
            group.append(Shown(name, value, default))
        account = Account(name="all tasks", cost_usd=None, total_tokens=None)
        set_ceilings(account, defaults)
        self._shared = _shared(account)

    def __repr__(self) -> str:
        lines = [self._title]
        widths = [max((len(one[part]) for one in self.changed), default=0) for part in (0, 1)]
        for name, value, default in self.changed:
            lines.append(f"  {name:<{widths[0]}}  {value:<{widths[1]}}  default {default}")
        if self.usual:
            usual = ", ".join(f"{one.name} {one.value}" for one in self.usual)
            lines += textwrap.wrap(
                f"defaults: {usual}",
                WIDTH,
                initial_indent="  ",
                subsequent_indent="    ",
                break_on_hyphens=False,
            )
        return "\n".join([*lines, *(f"  {line}" for line in self._shared)])

    def _repr_html_(self) -> str:
        shown = _paragraph(self._title)
        if self.changed:
            shown += _html_table((one, f"default {one.default}") for one in self.changed)
        if self.usual:
            many = plural(len(self.usual), "setting has its", "settings have their")
            shown += f"<details><summary>{many} default</summary>"
            shown += _html_table((one, "") for one in self.usual) + "</details>"
        return shown + "".join(map(_paragraph, self._shared))


def _in_force(task: Task) -> dict[str, str]:
    """Return what settings come to where their value does not say it."""
    settings = task.settings
    found = {"root": shown_path(settings.root_path())}
    if settings.max_tokens is None:
        found["max_tokens"] = as_text(settings.reply_tokens)
    if task.chosen is not None and settings.client == "auto":
        found["client"] = task.client_text
    return found


def _shared(account: Account) -> list[str]:
    """Return a line for each ceiling of all tasks together."""
    found = []
    if account.cost_usd is not None:
        found.append((ceiling_dollars(account.cost_usd), account.cost_setting))
    if account.total_tokens is not None:
        found.append((f"{exact(account.total_tokens)} tokens", account.tokens_setting))
    return [f"all tasks together: at most {most}, set by {name}" for most, name in found]


def _html_table(lines: Iterable[tuple[Shown, str]]) -> str:
    cells = (
        f'<tr><td style="{CELL}">{_escaped(one.name)}</td>'
        f'<td style="{CELL}">{_escaped(one.value)}</td>'
        f'<td style="{CELL};opacity:0.7">{_escaped(note)}</td></tr>'
        for one, note in lines
    )
    return f"<table>{''.join(cells)}</table>"


def _paragraph(text: str) -> str:
    return f'<p style="margin:4px 0">{_escaped(text)}</p>'


def _escaped(text: str) -> str:
    # A lone $ is safe, but two in one text node are typeset as a formula in JupyterLab.
    return html.escape(text).replace("$", "<span>$</span>")

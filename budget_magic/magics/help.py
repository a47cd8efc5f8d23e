"""What `--help` and `?` say about each magic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from budget_magic.magics import options
from budget_magic.session.redaction import session_redactor
from budget_magic.session.session import Session


class Magic(NamedTuple):
    """One magic as its help describes it."""

    usage: str
    does: str
    examples: str
    options: frozenset[str] = frozenset()
    """The options that it takes, by name of the setting."""


_CELL: Final = Magic(
    "%%claude_task [NAME]",
    """\
Run one turn of a budgeted task; the lines below this one are the prompt.
A cell with the NAME of an earlier one continues that task: one history, one budget, one meter.
Without NAME, the task used last goes on.
In the prompt, {{ name }} inserts a variable as text; \\{{ is a literal {{.""",
    examples="""\
%%claude_task audit -b 64k --max-cost 1 --root src
Audit this folder for bugs, worst first.""",
    options=options.CELL,
)
_LINE: Final = Magic(
    "%claude_task [NAME]",
    """\
Show a task: its settings and its last report. Nothing is sent.
Options change its settings from the next turn on; a new NAME creates a task.
Without NAME: the task used last.""",
    examples="""\
%claude_task audit --max-cost 2 -e low
t = %claude_task audit""",
    options=options.LINE,
)
_RESUME: Final = Magic(
    "%claude_resume [NAME]",
    """\
Go on with the last turn of a task that was halted, interrupted or failed, without a new prompt.
A completed turn is shown again; nothing is sent. Without NAME: the task used last.""",
    examples="%claude_resume audit --max-cost 2",
    options=options.RESUME,
)
_STOP: Final = Magic(
    "%claude_stop [NAME]",
    """\
Stop the turn that a task runs, in the background too; what was done is kept.
Without NAME: the only task that runs, or the task used last. %claude_resume goes on with it.""",
    examples="%claude_stop audit",
)
_TASKS: Final = Magic(
    "%claude_tasks",
    """\
List the tasks of this kernel: state, turns, steps, tokens counted and left, cost, money held.
The table has to_frame(), which returns a pandas table.""",
    examples="""\
t = %claude_tasks
t.to_frame()""",
)
MAGICS: Final[Mapping[str, Magic]] = {
    magic.usage.split()[0]: magic for magic in (_CELL, _LINE, _RESUME, _STOP, _TASKS)
}
"""The magics by name."""


def help_of(magic: Magic, session: Session) -> str:
    """Return the help of a magic, with the defaults that the session has now."""
    defaults = session_redactor(session).redact(options.texts(session.defaults.settings))
    usage, *listed = options.help_text(magic.usage, magic.options, defaults).split("\n", 1)
    parts = [f"{usage}\n\n{magic.does}", *listed]
    if magic.options:
        parts[-1] += "\n\n  The defaults are those in force; %config ClaudeTaskMagics sets them."
    examples = "\n".join(f"  {line}" for line in magic.examples.splitlines())
    return "\n\n".join([*parts, f"Examples:\n\n{examples}"])

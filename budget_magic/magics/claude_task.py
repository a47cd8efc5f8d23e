"""The registered magics; their implementation is imported on first use."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand

from budget_magic.magics.cell_transform import AWAITED_CELL, AWAITED_RESUME
from budget_magic.magics.defaults import TaskDefaults
from budget_magic.magics.shell_context import ShellContext
from budget_magic.session.session import default_session

if TYPE_CHECKING:
    from budget_magic.magics.actions import Actions
    from budget_magic.session.session import Session


def _magic(kind: Any, name: str, action: str, doc: str) -> Any:
    """Return a magic that calls a method of `Actions`."""

    def run(magics: ClaudeTaskMagics, *line_and_cell: str) -> Any:
        return getattr(magics.actions, action)(*line_and_cell)

    def getdoc() -> str:
        from budget_magic.magics.help import MAGICS, help_of  # noqa: PLC0415 - keeps loading cheap

        known = MAGICS.get(f"{'%%' if kind is cell_magic else '%'}{name}")
        return doc if known is None else help_of(known, default_session())

    run.__name__, run.__doc__ = action, doc  # IPython finds the method by this name
    run.getdoc = getdoc  # type: ignore[attr-defined] # what `?` shows instead of `__doc__`
    return no_var_expand(kind(name)(run))


@magics_class
class ClaudeTaskMagics(Magics, TaskDefaults):
    """Budgeted tasks on Claude; `%config ClaudeTaskMagics` lists the defaults."""

    # fmt: off
    run_cell = _magic(cell_magic, "claude_task", "run_cell",
        "Run one turn of a budgeted task; `%%claude_task --help` lists the options.")
    run_cell_awaited = _magic(cell_magic, AWAITED_CELL, "run_cell_awaited",
        "Run one turn of a budgeted task; how an outermost `%%claude_task` cell runs.")
    configure = _magic(line_magic, "claude_task", "configure",
        "Change a task's settings without running it, and show it.")
    resume = _magic(line_magic, "claude_resume", "resume",
        "Go on after a halt, an interruption or a failure, without a new prompt.")
    resume_awaited = _magic(line_magic, AWAITED_RESUME, "resume_awaited",
        "Go on with a turn; how `%claude_resume` runs at the top of a cell.")
    stop = _magic(line_magic, "claude_stop", "stop",
        "Stop a turn that runs in the background or in another cell's thread.")
    list_tasks = _magic(line_magic, "claude_tasks", "list_tasks",
        "Show a table of the tasks in this kernel.")
    # fmt: on

    def __init__(self, shell_context: ShellContext, session: Session) -> None:
        super().__init__(shell_context.shell)
        self.shell_context, self.session = shell_context, session
        self.on_unload = ExitStack()
        """Removes what loading added."""

    @cached_property
    def actions(self) -> Actions:
        """The implementation of the magics."""
        from budget_magic.magics.actions import Actions  # noqa: PLC0415 - keeps loading cheap

        return Actions(self.shell_context, self.session)

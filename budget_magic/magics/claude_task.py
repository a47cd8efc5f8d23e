"""The magics: thin doors; what they do is imported when the first of them is used."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand

from budget_magic.magics.cell_transform import AWAITED_CELL, AWAITED_RESUME
from budget_magic.magics.defaults import TaskDefaults
from budget_magic.magics.shell_context import ShellContext

if TYPE_CHECKING:
    from budget_magic.magics.actions import Actions
    from budget_magic.magics.tables import TaskTable
    from budget_magic.session.session import Session
    from budget_magic.session.task import Task

# IPython annotates these decorators for functions without arguments.
_cell_magic: Any = cell_magic
_line_magic: Any = line_magic


@magics_class
class ClaudeTaskMagics(Magics, TaskDefaults):
    """Budgeted tasks on Claude; `%config ClaudeTaskMagics` lists the defaults."""

    def __init__(self, shell_context: ShellContext, session: Session) -> None:
        super().__init__(shell_context.shell)
        self.shell_context, self.session = shell_context, session
        self.on_unload = ExitStack()
        """Removes what loading added."""

    @cached_property
    def actions(self) -> Actions:
        """What the magics do."""
        from budget_magic.magics.actions import Actions  # noqa: PLC0415 - keeps loading cheap

        return Actions(self.shell_context, self.session)

    @no_var_expand
    @_cell_magic("claude_task")
    def run_cell(self, line: str, cell: str) -> None:
        """Run one turn of a budgeted task; `%%claude_task --help` lists the options."""
        self.actions.run_cell(line, cell)

    @no_var_expand
    @_cell_magic(AWAITED_CELL)
    async def run_cell_awaited(self, line: str, cell: str) -> None:
        """Run one turn of a budgeted task; how an outermost `%%claude_task` cell runs."""
        await self.actions.run_cell_awaited(line, cell)

    @no_var_expand
    @_line_magic("claude_task")
    def configure(self, line: str) -> Task | None:
        """Change a task's settings without running it, and show it."""
        return self.actions.configure(line)

    @no_var_expand
    @_line_magic("claude_resume")
    def resume(self, line: str) -> Task | None:
        """Go on after a halt, an interruption or a failure, without a new prompt."""
        return self.actions.resume(line)

    @no_var_expand
    @_line_magic(AWAITED_RESUME)
    async def resume_awaited(self, line: str) -> Task | None:
        """Go on with a turn; how `%claude_resume` runs at the top of a cell."""
        return await self.actions.resume_awaited(line)

    @no_var_expand
    @_line_magic("claude_stop")
    def stop(self, line: str) -> None:
        """Stop the turn that runs, in the background or in another cell's thread."""
        self.actions.stop(line)

    @no_var_expand
    @_line_magic("claude_tasks")
    def list_tasks(self, line: str) -> TaskTable:
        """Show a table of the tasks in this kernel."""
        return self.actions.list_tasks(line)

"""Implement the magics: parse the line, call the session, show the result."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from IPython.core.error import UsageError
from IPython.display import display

from budget_magic.errors import ConfigurationError, TaskFailed, TaskInterrupted
from budget_magic.magics import options
from budget_magic.magics.cells import Cells, CellTurn
from budget_magic.magics.help import MAGICS, help_of
from budget_magic.magics.settings_table import SettingsTable
from budget_magic.magics.shell_context import ShellContext
from budget_magic.magics.tables import TaskTable
from budget_magic.session.caller_executor import interrupts_stop
from budget_magic.session.redaction import session_redactor
from budget_magic.session.session import Session
from budget_magic.session.task import Task

logger = logging.getLogger("budget_magic")

BEAT_S = 0.2
"""Seconds between two updates of a background task's display."""


class Actions:
    """The magics of one shell, as they act on a session's tasks."""

    def __init__(self, shell_context: ShellContext, session: Session) -> None:
        self.shell_context, self.session = shell_context, session
        self.cells = Cells(shell_context, session)
        self._background: dict[str, CellTurn] = {}

    @contextmanager
    def _usage_errors(self) -> Iterator[None]:
        """Raise ConfigurationError as IPython's UsageError: one sentence, no traceback."""
        try:
            yield
        except ConfigurationError as error:
            told = error.worded(self.session.host.word, self.session.host.setting)
            raise UsageError(session_redactor(self.session).redact(told)) from None

    def run_cell(self, line: str, cell: str) -> None:
        """Run one turn of a budgeted task."""
        self.wait_for(self._prepare_cell(line, cell))

    async def run_cell_awaited(self, line: str, cell: str) -> None:
        """Run one turn of a budgeted task, awaiting it."""
        await self._await(self._prepare_cell(line, cell))

    def configure(self, line: str) -> Task | None:
        """Change a task's settings without running it, and show it; live while it runs."""
        with self._usage_errors():
            parsed = self._parse("%claude_task", line)
            if parsed is None:
                return None
            task, note = self.cells.configure(parsed)
            if note:
                print(note)
            # Redacted before it is shortened, so that no first part of a secret is left.
            given = session_redactor(self.session).redact(dict(parsed.given))
            changed = options.typed(given)
            if changed:
                when = "request" if task.is_running else "turn"
                print(f"{task.name}: {changed} from the next {when} on")
            if "release_held" in parsed.given:
                print(task.release_held())
            display(SettingsTable(task))
            running = self._background.get(task.name)
            if running is not None and task.is_running:
                running.display.show_here()
            elif task.turns:
                display(task)
            return task

    def resume(self, line: str) -> Task | None:
        """Go on after a halt, an interruption or a failure, without a new prompt."""
        task, prepared = self._prepare_resume(line)
        self.wait_for(prepared)
        return task

    async def resume_awaited(self, line: str) -> Task | None:
        """Go on with a turn, awaiting it."""
        task, prepared = self._prepare_resume(line)
        await self._await(prepared)
        return task

    def stop(self, line: str) -> None:
        """Stop a turn that runs in the background or in another cell's thread."""
        with self._usage_errors():
            parsed = self._parse("%claude_stop", line)
            if parsed is None:
                return
            running = [task for task in self.session.tasks.values() if task.is_running]
            only = running[0] if parsed.task is None and len(running) == 1 else None
            task = only or self.cells.existing(parsed.task)
            if not task.is_running:
                raise ConfigurationError(f"{task.name} is not running")
            task.stop()
            print(f"stopping {task.name}")

    def list_tasks(self, line: str) -> TaskTable | None:
        """Return a table of the tasks in this kernel."""
        with self._usage_errors():
            parsed = self._parse("%claude_tasks", line)
            if parsed is None:
                return None
            if parsed.task is not None:
                told = f"%claude_tasks lists every task; %claude_task {parsed.task} shows one"
                raise ConfigurationError(told)
            return TaskTable(list(self.session.tasks.values()))

    def _parse(self, name: str, line: str) -> options.Line | None:
        """Parse the line of a magic; for `--help`, print the help and return None."""
        magic = MAGICS[name]
        parsed = options.parse(options.split(line, self.shell_context.expand), magic.options)
        if not parsed.wants_help:
            return parsed
        if name == "%claude_task":  # for whoever looks for an option of the cell
            magic = magic._replace(options=frozenset(options.OPTIONS))
        print(help_of(magic, self.session))
        return None

    def _prepare_cell(self, line: str, cell: str) -> CellTurn | None:
        """Return the turn to wait for, if any."""
        with self._usage_errors():
            parsed = self._parse("%%claude_task", line)
            if parsed is None:
                return None
            prepared = self.cells.prepare(parsed, cell)
            if prepared is not None and prepared.background:
                self.leave_running(prepared)
                return None
            return prepared

    def _prepare_resume(self, line: str) -> tuple[Task | None, CellTurn | None]:
        with self._usage_errors():
            parsed = self._parse("%claude_resume", line)
            if parsed is None:
                return None, None
            task = self.cells.existing(parsed.task)
            return task, self.cells.prepare_resume(task, parsed)

    def leave_running(self, cell: CellTurn) -> None:
        """Start a turn in the background; a separate thread updates its display."""
        with interrupts_stop(cell.run), cell.run:
            cell.start()
            if self.shell_context.kernel is None:  # a notebook's display shows them
                for fact in cell.task.fold().facts.notes:
                    print(fact.text)
            self._background[cell.task.name] = cell
            threading.Thread(
                target=_finish_later, args=(cell,), name="budget_magic display", daemon=True
            ).start()
            return
        self._show_end(cell)  # an interrupt came in between
        _raise_ending(cell)

    def wait_for(self, cell: CellTurn | None) -> None:
        """Run a turn to its end, and raise if it failed or was stopped; do nothing without one."""
        if cell is not None:
            with interrupts_stop(cell.run), self._shown(cell):
                cell.run.wait(cell.display.beat)

    async def _await(self, cell: CellTurn | None) -> None:
        if cell is not None:
            # On the signal itself: the kernel cancels the cell only while it awaits.
            with interrupts_stop(cell.run), self._shown(cell):
                await cell.run.wait_async(lambda: cell.run.stop("keyboard"), cell.display.beat)

    @contextmanager
    def _shown(self, cell: CellTurn) -> Iterator[None]:
        """Start and show a turn; at the end show its report and raise if it did not end well."""
        try:
            with self._usage_errors(), cell.run:
                cell.start()
                yield
        finally:
            if cell.run.finished is not None:
                self._show_end(cell)
        _raise_ending(cell)

    def _show_end(self, cell: CellTurn) -> None:
        try:
            cell.display.finish()
        finally:
            self.cells.bind(cell.out, cell.turn.outcome)


def _raise_ending(cell: CellTurn) -> None:
    """Raise an error if the turn was stopped or failed."""
    cell.run.result()
    outcome = cell.turn.outcome
    if outcome is not None and outcome.state == "interrupted":
        raise TaskInterrupted(outcome)
    if outcome is not None and outcome.state == "failed":
        raise TaskFailed(outcome)


def _finish_later(cell: CellTurn) -> None:
    """Update the display of a background turn; if that fails, stop the turn."""
    try:
        with cell.run:
            while not cell.run.done.wait(BEAT_S):
                cell.display.beat()
        cell.display.finish()
    except Exception as error:  # noqa: BLE001 - reported in the outcome; nobody joins this thread
        logger.warning("the display of %s failed with %s", cell.task.name, type(error).__name__)

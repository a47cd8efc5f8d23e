"""What the magics do: each reads its line, calls the session, and shows what came of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from IPython.core.error import UsageError
from IPython.display import display

from budget_magic.errors import ConfigurationError
from budget_magic.magics import options
from budget_magic.magics.cells import (
    Cells,
    ShownAgain,
    Started,
    existing,
    outcome_of,
    raise_ending,
)
from budget_magic.magics.display import forget_panels
from budget_magic.magics.place import Place
from budget_magic.magics.tables import TaskTable, shown_again
from budget_magic.session.redaction import process_redactor
from budget_magic.session.registry import tasks
from budget_magic.session.task import Task

BEAT_S = 0.2
"""How often the display of a task in the background is looked after."""

F = TypeVar("F", bound=Callable[..., Any])


def _usage_errors(function: F) -> F:
    """Turn mistakes of the user into IPython's UsageError: one sentence, no traceback."""

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except ConfigurationError as error:
            raise UsageError(process_redactor().redact(str(error))) from None

    return wrapped  # type: ignore[return-value] # same signature


class Actions:
    """What the magics of one shell do.

    Parameters
    ----------
    place
        The shell and what is known of it.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.cells = Cells(place)
        self._background: dict[str, Started] = {}

    def close(self) -> None:
        """Take away what is left of ended turns."""
        forget_panels()

    def run_cell(self, line: str, cell: str) -> None:
        """Run one turn of a budgeted task; `%%claude_task --help` lists the options."""
        started = self._begin_cell(line, cell)
        if started is not None:
            self._wait(started)

    async def run_cell_awaited(self, line: str, cell: str) -> None:
        """Run one turn of a budgeted task; how an outermost `%%claude_task` cell runs."""
        started = self._begin_cell(line, cell)
        if started is not None:
            await self._await(started)

    @_usage_errors
    def configure(self, line: str) -> Task | None:
        """Change a task's settings without running it, and show it; live while it runs."""
        parsed = self._parse(line, options.LINE)
        if parsed.wants_help:
            print(options.help_text("%claude_task"))
            return None
        task = self.cells.configure(parsed)
        if "release-held" in parsed.given:
            print(task.release_held())
        running = self._background.get(task.name)
        if running is not None and task.is_running:
            running.display.show_again()
        else:
            display(task)
        return task

    def resume(self, line: str) -> Task | None:
        """Go on after a halt, an interruption or a failure, without a new prompt."""
        begun = self._begin_resume(line)
        if isinstance(begun, Started):
            self._wait(begun)
        return None if begun is None else begun.task

    async def resume_awaited(self, line: str) -> Task | None:
        """Go on with a turn; how `%claude_resume` runs at the top of a cell."""
        begun = self._begin_resume(line)
        if isinstance(begun, Started):
            await self._await(begun)
        return None if begun is None else begun.task

    @_usage_errors
    def stop(self, line: str) -> None:
        """Stop the turn that runs, in the background or in another cell's thread."""
        parsed = self._parse(line, frozenset())
        running = [task for task in tasks().values() if task.is_running]
        only = running[0] if parsed.task is None and len(running) == 1 else None
        task = only or existing(parsed.task)
        if not task.is_running:
            raise ConfigurationError(f"{task.name} is not running")
        task.stop()
        print(f"stopping {task.name}")

    @_usage_errors
    def list_tasks(self, line: str) -> TaskTable:
        """A table of the tasks in this kernel."""
        self._parse(line, frozenset())
        return TaskTable(list(tasks().values()))

    def _parse(self, line: str, allowed: frozenset[str] = options.CELL) -> options.Line:
        return options.parse(options.split(line, self.place.expand), allowed)

    @_usage_errors
    def _begin_cell(self, line: str, cell: str) -> Started | None:
        parsed = self._parse(line)
        if parsed.wants_help:
            print(options.help_text("%%claude_task"))
            return None
        begun = self._shown_or_started(self.cells.begin(parsed, cell))
        return begun if isinstance(begun, Started) else None

    @_usage_errors
    def _begin_resume(self, line: str) -> Started | ShownAgain | None:
        parsed = self._parse(line, options.SETTINGS | {"out"})
        if parsed.wants_help:
            print(options.help_text("%claude_resume"))
            return None
        return self._shown_or_started(self.cells.resume(parsed))

    def _shown_or_started(self, begun: Started | ShownAgain) -> Started | ShownAgain | None:
        """What a cell waits for, or what was shown instead; None for one in the background."""
        if isinstance(begun, ShownAgain):
            display(shown_again(begun.task, begun.turn), raw=True)
            if begun.turn.outcome is not None:
                self.cells.keep(begun.out, begun.turn.outcome)
        elif begun.background:
            self._background[begun.task.name] = begun
            threading.Thread(
                target=_finish_later, args=(begun,), name="budget_magic display", daemon=True
            ).start()
            return None
        return begun

    def _wait(self, started: Started) -> None:
        started.run.wait(started.display.beat)
        self._end(started)

    async def _await(self, started: Started) -> None:
        await started.run.wait_async(lambda: started.run.stop("keyboard"), started.display.beat)
        self._end(started)

    def _end(self, started: Started) -> None:
        outcome = outcome_of(started)
        started.display.finish()
        self.cells.keep(started.out, outcome)
        raise_ending(outcome)


def _finish_later(started: Started) -> None:
    while not started.run.done.wait(BEAT_S):
        started.display.beat()
    started.display.finish()

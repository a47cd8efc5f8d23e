"""What a cell shows of its turn: progress while it runs, then the static report."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable
from typing import Protocol

from IPython.display import display, update_display

from budget_magic.events import Live, Record, StepFinished, TurnStarted
from budget_magic.magics.place import Place
from budget_magic.report import plain_report, progress_line, step_line
from budget_magic.session.bus import Sink
from budget_magic.session.task import Task
from budget_magic.session.watcher import Watcher

TERMINAL_BEAT_S = 0.25
BLOCK_BEAT_S = 1.0
CLEAR_LINE = "\r\x1b[K"


class TurnDisplay(Protocol):
    """One display of one turn."""

    sinks: tuple[Sink, ...]

    def start(self, turn: int) -> None:
        """Show that the turn runs."""
        ...

    def beat(self) -> None:
        """Called often on the waiting thread while it runs."""
        ...

    def finish(self) -> None:
        """Replace everything by the static report."""
        ...


class NotebookDisplay:
    """One output in a notebook, replaced in place; without a widget."""

    def __init__(self, task: Task, watcher: Watcher) -> None:
        self._task, self._watcher = task, watcher
        self._id = f"budget-magic-{uuid.uuid4().hex}"
        self._turn = 0
        self._shown_at = 0.0
        self._changed = False
        self.sinks: tuple[Sink, ...] = (watcher, self)

    def record(self, record: Record) -> None:
        """Note that something changed."""
        if isinstance(record.fact, TurnStarted | StepFinished):
            self._changed = True

    def live(self, event: Live) -> None:
        """Nothing: text is shown at the end."""

    def start(self, turn: int) -> None:
        """Show the turn."""
        self._turn, self._shown_at = turn, time.monotonic()
        display(self._bundle(), raw=True, display_id=self._id)

    def beat(self) -> None:
        """Show finished steps, at most once a second."""
        if self._changed and time.monotonic() - self._shown_at >= BLOCK_BEAT_S:
            self._changed, self._shown_at = False, time.monotonic()
            update_display(self._bundle(), raw=True, display_id=self._id)

    def finish(self) -> None:
        """Show the static report in its place."""
        update_display(self._task.report(self._turn), raw=True, display_id=self._id)

    def _bundle(self) -> dict[str, object]:
        return self._task.report(self._turn)


class TerminalDisplay:
    """Lines in a terminal: one redrawn in place on a TTY, else one per finished step."""

    def __init__(self, task: Task, watcher: Watcher) -> None:
        self._task, self._watcher = task, watcher
        self._turn = 0
        self._shown_at = 0.0
        self._steps_shown = 0
        self._redraws = sys.stdout.isatty()
        self.sinks: tuple[Sink, ...] = (watcher,)

    def start(self, turn: int) -> None:
        """Begin."""
        self._turn = turn

    def beat(self) -> None:
        """Show progress."""
        if not self._redraws:
            self._show_new_steps()
        elif time.monotonic() - self._shown_at >= TERMINAL_BEAT_S:
            self._shown_at = time.monotonic()
            view = self._task.view(self._turn, self._watcher.state(with_text=False))
            print(CLEAR_LINE + progress_line(view, utf8=_is_utf8()), end="", flush=True)

    def finish(self) -> None:
        """Print the report."""
        if self._redraws:
            print(CLEAR_LINE, end="")
        else:
            self._show_new_steps()
        print(plain_report(self._task.view(self._turn), utf8=_is_utf8()))

    def _show_new_steps(self) -> None:
        steps = [step for step in self._task.view(self._turn).steps if step.state == "done"]
        for step in steps[self._steps_shown :]:
            print(step_line(step), flush=True)
        self._steps_shown = len(steps)


def _is_utf8() -> bool:
    return (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"


def make_display(place: Place, task: Task, watcher: Watcher) -> TurnDisplay:
    """The display that this place can show."""
    if place.kernel is not None:
        return NotebookDisplay(task, watcher)
    return TerminalDisplay(task, watcher)


Display = Callable[[Task, Watcher], TurnDisplay]

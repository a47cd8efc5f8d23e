"""Displays of a cell's turn: progress while it runs, then the static report."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import anyio
from IPython.display import display, update_display

from budget_magic.events import ApprovalAsked, Live, Record, StepFinished, TurnStarted
from budget_magic.loop import Approver
from budget_magic.magics.shell_context import ShellContext
from budget_magic.report.live_turn import LiveTurn
from budget_magic.report.plain import plain_report, progress_line, step_line
from budget_magic.report.view_models import StepView
from budget_magic.session.bus import Sink
from budget_magic.session.prepare import provisional_start
from budget_magic.session.redaction import redact_shown
from budget_magic.session.task import Task
from budget_magic.settings import Settings

if TYPE_CHECKING:
    from budget_magic.widgets import Panel

HELLO_WITHIN_S = 2.0
"""How long a browser may take to show the panel before its buttons count as dead."""
HELLO_BEAT_S = 0.05
TERMINAL_BEAT_S = 0.25
BLOCK_BEAT_S = 1.0
SAVED_BEAT_S = 15.0
"""Least time between two updates of the saved form: each builds the view in the page anew."""
SDK = "anthropic"
KEPT_PANELS = 8
"""How many panels of ended turns keep their widget."""
CLEAR_LINE = "\r\x1b[K"


class TurnDisplay:
    """Base class of the displays of one turn; some are sinks of the turn themselves."""

    sinks: tuple[Sink, ...] = ()
    approver: Approver | None = None
    """Asks about calls; None uses `input()`."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._turn = 0
        self._shown_at = time.monotonic()

    def record(self, record: Record) -> None:
        """Handle one fact."""

    def live(self, event: Live) -> None:
        """Handle one streaming event."""

    def prepare(self) -> None:
        """Show that the turn is about to start, where preparing it takes long."""

    def start(self, turn: int) -> None:
        """Show that the turn runs."""
        self._turn = turn

    def withdraw(self) -> None:
        """Take away what `prepare` showed: the turn was refused."""

    def show_here(self) -> None:
        """Show it in this cell too, while it runs."""
        display(self._task)

    def beat(self) -> None:
        """Show what is new; called often on the waiting thread while the turn runs."""

    def finish(self) -> None:
        """Replace everything by the static report."""

    def _has_passed(self, seconds: float) -> bool:
        return time.monotonic() - self._shown_at >= seconds


class NotebookDisplay(TurnDisplay):
    """One output in a notebook, replaced in place; without a widget."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._id = _new_id()
        self._changed = False
        self.sinks = (self,)

    def record(self, record: Record) -> None:
        """Note that something changed."""
        self._changed |= isinstance(record.fact, TurnStarted | StepFinished)

    def start(self, turn: int) -> None:
        """Show the turn."""
        self._turn, self._shown_at = turn, time.monotonic()
        display(self._task.report(turn), raw=True, display_id=self._id)

    def beat(self) -> None:
        """Show finished steps, at most once a second."""
        if self._changed and self._has_passed(BLOCK_BEAT_S):
            self._changed, self._shown_at = False, time.monotonic()
            self.finish()

    def finish(self) -> None:
        """Show the report as it is now in place of the last one."""
        update_display(self._task.report(self._turn), raw=True, display_id=self._id)


class PanelDisplay(TurnDisplay):
    """The live panel, replaced by the static report at the end.

    Its widget is then kept in `ended`: a page that was reloaded while the turn ran asks for it
    once the cell is over.
    """

    def __init__(self, task: Task, ended: list[Panel], settings: Settings, cell_id: str) -> None:
        from budget_magic.session.controls import TaskControls  # noqa: PLC0415 - imports widgets

        super().__init__(task)
        self._live_turn = LiveTurn(task.fold, task.ratios)
        self._settings, self._cell_id = settings, cell_id
        self._controls = TaskControls(task, self._live_turn)
        self._ended = ended
        self._panel: Panel | None = None
        self._ids: list[str] = []
        self._is_dead = False
        self._saved_at, self._steps_saved = 0.0, 0
        self.sinks = (self._live_turn,)
        self.approver = self._controls.approver(self._answers)

    def prepare(self) -> None:
        """Show the panel before a kernel's first cell imports the SDK, which takes seconds."""
        if SDK not in sys.modules:
            self._live_turn.starting(provisional_start(self._task, self._settings))
            self.show_here()

    def start(self, turn: int) -> None:
        """Show the panel, with the saved form beside it for readers without a kernel."""
        self._turn = turn
        if self._panel is None:
            self.show_here()
        self._shown_at = self._saved_at = time.monotonic()

    def withdraw(self) -> None:
        """Take the panel away."""
        self._update({"text/html": "", "text/plain": ""})
        if self._panel is not None:
            self._panel.close()

    def show_here(self) -> None:
        """Show the panel in this cell too."""
        self._ids.append(_new_id())
        display(self._live_form(), raw=True, display_id=self._ids[-1])

    def beat(self) -> None:
        """Say once if the buttons do not work while the cell runs; keep the saved form current."""
        if self._panel is None:
            return
        if not self._is_dead and self._has_passed(HELLO_WITHIN_S):
            self._is_dead = True
            if not self._panel.said_hello.is_set():
                self._panel.say_no_events()
        self._refresh_saved_form(self._panel)

    def _refresh_saved_form(self, panel: Panel) -> None:
        """Show the panel again with a new report beside it, unless a page does that silently."""
        steps = self._live_turn.fold.reading.this_turn.steps
        is_due = time.monotonic() - self._saved_at >= SAVED_BEAT_S
        if is_due and steps > self._steps_saved and not panel.is_saved_by_page:
            self._steps_saved, self._saved_at = steps, time.monotonic()
            self._update(self._live_form())

    def _update(self, shown: dict[str, object]) -> None:
        for display_id in self._ids:
            update_display(shown, raw=True, display_id=display_id)

    def _live_form(self) -> dict[str, object]:
        from budget_magic.widgets import Panel  # noqa: PLC0415 - imports anywidget

        if self._panel is None:
            self._panel = Panel(
                self._live_turn, self._controls, self._report, self._cell_id, self._redact
            )
        return {**self._panel.mime_bundle(), **self._report()}

    def _redact(self, message: Any) -> Any:
        return redact_shown(message, self._task.bus.redactor.redact)

    def _report(self) -> dict[str, object]:
        if self._turn:
            return self._task.report(self._turn)
        return {"text/plain": f"{self._task.name}: starting; nothing has been sent yet"}

    def finish(self) -> None:
        """Put the static report in place of the panel."""
        self._update(self._task.report(self._turn))
        if self._panel is not None:
            self._panel.finish()
            self._ended.append(self._panel)
            while len(self._ended) > KEPT_PANELS:
                self._ended.pop(0).close()

    async def _answers(self) -> bool:
        """Return whether the panel answered within two seconds, so that its buttons work."""
        while not (self._panel and self._panel.said_hello.is_set()):
            if self._has_passed(HELLO_WITHIN_S):
                return False
            await anyio.sleep(HELLO_BEAT_S)
        return True


class TerminalDisplay(TurnDisplay):
    """Lines in a terminal: one redrawn in place on a TTY, else one per finished step."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._live_turn = LiveTurn(task.fold, task.ratios)
        self._steps_shown = 0
        self._redraws = sys.stdout.isatty()
        self._shown_at = 0.0  # the first line is drawn at once
        self.sinks = (self._live_turn, self)

    def record(self, record: Record) -> None:
        """Clear the line for a question that is about to be asked."""
        if self._redraws and isinstance(record.fact, ApprovalAsked):
            print(CLEAR_LINE, end="", flush=True)

    def beat(self) -> None:
        """Show progress."""
        if not self._redraws:
            # A step's line counts the results of its calls, so it is printed with the next step.
            if len(self._live_turn.fold.facts.steps) - 1 > self._steps_shown:
                self._show_new_steps(self._live_turn.look().view().steps[:-1])
        elif self._has_passed(TERMINAL_BEAT_S):
            self._shown_at = time.monotonic()
            line = progress_line(self._live_turn.look().view(), utf8=_is_utf8())
            print(CLEAR_LINE + line, end="", flush=True)

    def finish(self) -> None:
        """Print the report."""
        if self._redraws:
            print(CLEAR_LINE, end="")
        else:
            self._show_new_steps(self._task.view(self._turn).steps)
        print(plain_report(self._task.view(self._turn), utf8=_is_utf8()))

    def _show_new_steps(self, steps: Sequence[StepView]) -> None:
        for step in steps[self._steps_shown :]:
            print(step_line(step, utf8=_is_utf8()), flush=True)
        self._steps_shown = max(self._steps_shown, len(steps))


class BackgroundDisplay(TurnDisplay):
    """One line in a terminal when a turn in the background has ended.

    Nothing is drawn before, since the user may be typing; IPython prints a whole line above the
    prompt.
    """

    def start(self, turn: int) -> None:
        """Say that it runs."""
        super().start(turn)
        name = self._task.name
        print(f"{name} runs in the background; `%claude_stop {name}` stops it")

    def finish(self) -> None:
        """Say how it ended."""
        turn = self._task.turns[self._turn - 1]
        if turn.outcome is not None:
            told = f"{self._task.name}: {turn.outcome.state}, {turn.outcome.detail}"
            print(f"{told}; `%claude_task {self._task.name}` shows it\n", end="", flush=True)


def _new_id() -> str:
    return f"budget-magic-{uuid.uuid4().hex}"


def _is_utf8() -> bool:
    return (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"


def make_display(
    shell_context: ShellContext,
    task: Task,
    settings: Settings,
    ended: list[Panel],
    *,
    background: bool = False,
) -> TurnDisplay:
    """Return the display for this host: a panel only if a user is attached."""
    if shell_context.kernel is None:
        return BackgroundDisplay(task) if background else TerminalDisplay(task)
    if not shell_context.has_stdin():
        return NotebookDisplay(task)
    return PanelDisplay(task, ended, settings, shell_context.cell_id or "")

"""What a cell shows of its turn: progress while it runs, then the static report."""

from __future__ import annotations

import sys
import time
import uuid
from typing import TYPE_CHECKING, Protocol

import anyio
from IPython.display import display, update_display

from budget_magic.events import ApprovalAsked, Live, Record, StepFinished, TurnStarted
from budget_magic.loop import Approver
from budget_magic.magics.shell_context import ShellContext
from budget_magic.report import plain_report, progress_line, step_line
from budget_magic.report.live_turn import LiveTurn
from budget_magic.session.bus import Sink
from budget_magic.session.task import Task

if TYPE_CHECKING:
    from budget_magic.widgets import Panel

HELLO_WITHIN_S = 2.0
"""How long a browser may take to show the panel before its buttons count as dead."""
HELLO_BEAT_S = 0.05
TERMINAL_BEAT_S = 0.25
BLOCK_BEAT_S = 1.0
KEPT_PANELS = 8
"""How many panels of ended turns keep their widget."""
_ENDED: list[Panel] = []
CLEAR_LINE = "\r\x1b[K"


class TurnDisplay(Protocol):
    """One display of one turn."""

    sinks: tuple[Sink, ...]
    approver: Approver | None
    """Who is asked about calls; None asks by `input()`."""

    def start(self, turn: int) -> None:
        """Show that the turn runs."""
        ...

    def show_again(self) -> None:
        """Show it in another cell too, while it runs."""
        ...

    def beat(self) -> None:
        """Called often on the waiting thread while it runs."""
        ...

    def finish(self) -> None:
        """Replace everything by the static report."""
        ...


class NotebookDisplay:
    """One output in a notebook, replaced in place; without a widget."""

    approver: Approver | None = None

    def __init__(self, task: Task) -> None:
        self._task = task
        self._id = f"budget-magic-{uuid.uuid4().hex}"
        self._turn = 0
        self._shown_at = 0.0
        self._changed = False
        self.sinks: tuple[Sink, ...] = (self,)

    def record(self, record: Record) -> None:
        """Note that something changed."""
        if isinstance(record.fact, TurnStarted | StepFinished):
            self._changed = True

    def live(self, event: Live) -> None:
        """Nothing: text is shown at the end."""

    def start(self, turn: int) -> None:
        """Show the turn."""
        self._turn, self._shown_at = turn, time.monotonic()
        display(self._task.report(turn), raw=True, display_id=self._id)

    def show_again(self) -> None:
        """Show how it stands."""
        display(self._task)

    def beat(self) -> None:
        """Show finished steps, at most once a second."""
        if self._changed and time.monotonic() - self._shown_at >= BLOCK_BEAT_S:
            self._changed, self._shown_at = False, time.monotonic()
            update_display(self._task.report(self._turn), raw=True, display_id=self._id)

    def finish(self) -> None:
        """Show the static report in its place."""
        update_display(self._task.report(self._turn), raw=True, display_id=self._id)


class PanelDisplay:
    """The live panel, replaced by the static report at the end."""

    def __init__(self, task: Task) -> None:
        from budget_magic.session.controls import TaskControls  # noqa: PLC0415 - imports widgets

        self._task, self._live_turn = task, LiveTurn(task.fold, task.ratios)
        self._controls = TaskControls(task, self._live_turn)
        self._panel: Panel | None = None
        self._ids: list[str] = []
        self._turn = 0
        self._shown_at = time.monotonic()
        self._is_dead = False
        self.sinks: tuple[Sink, ...] = (self._live_turn,)
        self.approver: Approver | None = self._controls.approver(self._answers)

    def start(self, turn: int) -> None:
        """Show the panel, with the saved form beside it for readers without a kernel."""
        from budget_magic.widgets import Panel  # noqa: PLC0415 - imports anywidget

        self._turn, self._shown_at = turn, time.monotonic()
        self._panel = Panel(self._live_turn, self._controls)
        self.show_again()

    def show_again(self) -> None:
        """Show the same panel in one more place."""
        if self._panel is None:
            return
        self._ids.append(f"budget-magic-{uuid.uuid4().hex}")
        shown = {**self._panel.mime_bundle(), **self._task.report(self._turn)}
        display(shown, raw=True, display_id=self._ids[-1])

    def beat(self) -> None:
        """Say so once where the buttons do not work while a cell runs."""
        late = time.monotonic() - self._shown_at > HELLO_WITHIN_S
        if late and not self._is_dead and self._panel and not self._panel.said_hello.is_set():
            self._is_dead = True
            self._panel.say_no_events()

    def finish(self) -> None:
        """Put the static report in place of the panel."""
        for display_id in self._ids:
            update_display(self._task.report(self._turn), raw=True, display_id=display_id)
        if self._panel is not None:
            self._panel.finish()
            _keep(self._panel)

    async def _answers(self) -> bool:
        """Return whether the panel answered within two seconds, so that its buttons work."""
        while time.monotonic() - self._shown_at < HELLO_WITHIN_S:
            if self._panel is not None and self._panel.said_hello.is_set():
                return True
            await anyio.sleep(HELLO_BEAT_S)
        return self._panel is not None and self._panel.said_hello.is_set()


def _keep(panel: Panel) -> None:
    """Keep the widget of an ended turn for pages that were loaded again while it ran.

    Such a page has the widget in its output, and asks for it once the cell is over.
    """
    _ENDED.append(panel)
    while len(_ENDED) > KEPT_PANELS:
        _ENDED.pop(0).close()


def forget_panels() -> None:
    """Take the widgets of ended turns away."""
    while _ENDED:
        _ENDED.pop().close()


class TerminalDisplay:
    """Lines in a terminal: one redrawn in place on a TTY, else one per finished step."""

    approver: Approver | None = None

    def __init__(self, task: Task) -> None:
        self._task, self._live_turn = task, LiveTurn(task.fold, task.ratios)
        self._turn = 0
        self._shown_at = 0.0
        self._steps_shown = 0
        self._redraws = sys.stdout.isatty()
        self.sinks: tuple[Sink, ...] = (self._live_turn, self)

    def record(self, record: Record) -> None:
        """Clear the line for a question that is about to be asked."""
        if self._redraws and isinstance(record.fact, ApprovalAsked):
            print(CLEAR_LINE, end="", flush=True)

    def live(self, event: Live) -> None:
        """Nothing: the line is drawn by the beat."""

    def start(self, turn: int) -> None:
        """Begin."""
        self._turn = turn

    def show_again(self) -> None:
        """Show how it stands."""
        display(self._task)

    def beat(self) -> None:
        """Show progress."""
        if not self._redraws:
            self._show_new_steps()
        elif time.monotonic() - self._shown_at >= TERMINAL_BEAT_S:
            self._shown_at = time.monotonic()
            line = progress_line(self._live_turn.look().view(), utf8=_is_utf8())
            print(CLEAR_LINE + line, end="", flush=True)

    def finish(self) -> None:
        """Print the report."""
        if self._redraws:
            print(CLEAR_LINE, end="")
        else:
            self._show_new_steps()
        print(plain_report(self._task.view(self._turn), utf8=_is_utf8()))

    def _show_new_steps(self) -> None:
        if self._live_turn.fold.reading.this_turn.steps == self._steps_shown:
            return
        steps = [step for step in self._live_turn.look().view().steps if step.state == "done"]
        for step in steps[self._steps_shown :]:
            print(step_line(step), flush=True)
        self._steps_shown = len(steps)


class BackgroundDisplay:
    """One line in a terminal when a turn in the background has ended.

    Nothing is drawn before, since somebody types meanwhile; IPython puts a whole line that is
    written then above the prompt.
    """

    approver: Approver | None = None

    def __init__(self, task: Task) -> None:
        self._task = task
        self._turn = 0
        self.sinks: tuple[Sink, ...] = ()

    def start(self, turn: int) -> None:
        """Say that it runs."""
        self._turn, name = turn, self._task.name
        print(f"{name} runs in the background; `%claude_stop {name}` stops it")

    def show_again(self) -> None:
        """Show how it stands."""
        display(self._task)

    def beat(self) -> None:
        """Nothing: the line is left to whoever types."""

    def finish(self) -> None:
        """Say how it ended."""
        turn = self._task.turns[self._turn - 1]
        if turn.outcome is not None:
            told = f"{self._task.name}: {turn.outcome.state}, {turn.outcome.detail}"
            print(f"{told}; `%claude_task {self._task.name}` shows it\n", end="", flush=True)


def _is_utf8() -> bool:
    return (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"


def make_display(
    shell_context: ShellContext, task: Task, *, background: bool = False
) -> TurnDisplay:
    """Return the display for this host: a panel only where a user is attached."""
    if shell_context.kernel is None:
        return (BackgroundDisplay if background else TerminalDisplay)(task)
    return (PanelDisplay if shell_context.has_stdin() else NotebookDisplay)(task)

"""Prepare the turn that a cell's line and body ask for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from IPython.display import display

from budget_magic.errors import ConfigurationError
from budget_magic.magics import options
from budget_magic.magics.display import TurnDisplay, make_display
from budget_magic.magics.fill import Filled, fill, insert_sentence
from budget_magic.magics.options import Line
from budget_magic.magics.shell_context import ShellContext
from budget_magic.magics.tables import shown_again
from budget_magic.meter.cost import price_table
from budget_magic.session.approvers import YES
from budget_magic.session.caller_executor import interrupts_raise
from budget_magic.session.outcome import Outcome
from budget_magic.session.runner import Run
from budget_magic.session.session import Session
from budget_magic.session.start import Start, start_turn
from budget_magic.session.task import Task
from budget_magic.session.turns import Prompt, Turn, plan_turn
from budget_magic.settings import Settings

if TYPE_CHECKING:
    from budget_magic.widgets import Panel

FIRST_NAME = "task-1"
_SECOND_MAGIC: Final = re.compile(r"^%%claude_\w*", re.MULTILINE)
_NUMBER: Final = re.compile(r"[-_.]?\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class CellTurn:
    """A turn that a cell is about to run, with its display."""

    task: Task
    run: Run
    begin: Callable[[Run], object]
    """Starts the turn."""
    display: TurnDisplay
    out: str | None = None
    """Variable that is bound to the outcome."""
    background: bool = False

    def start(self) -> None:
        """Start and show the turn; if starting is refused, nothing was sent."""
        self.display.prepare()
        try:
            self.begin(self.run)
        except BaseException:
            if self.run.turn is None:
                self.display.withdraw()
            raise
        self.display.start(self.turn.number)

    @property
    def turn(self) -> Turn:
        """The turn, once it is recorded."""
        if self.run.turn is None:
            raise RuntimeError("the turn has not begun")
        return self.run.turn


class Cells:
    """Prepares turns for cells; remembers which task a cell ran."""

    def __init__(self, shell_context: ShellContext, session: Session) -> None:
        self._shell_context, self._session = shell_context, session
        self._tasks_of_cells: dict[str, str] = {}
        self.ended_panels: list[Panel] = []

    def prepare(self, line: Line, body: str) -> CellTurn | None:
        """Prepare the turn of a `%%claude_task` cell; None if a completed one was shown again."""
        given = line.given
        if "background" in given and "out" in given:
            raise ConfigurationError(
                "--background returns before there is an outcome; leave out -o and use task.wait()"
            )
        if not body.strip():
            raise ConfigurationError("the prompt is empty; write it below the first line")
        _refuse_second_magic(body)
        cell_id = self._shell_context.cell_id
        name = line.task or self._task_of_cell(cell_id) or self._session.last_used or FIRST_NAME
        task, is_new = self._task(name, is_new="new" in given)
        task.refuse_while_running()
        filled = fill(body.strip("\n"), self._shell_context.shell.user_ns)
        prompt = Prompt(
            typed=body, sent=filled.text.strip(), inserted=filled.inserted, cell_id=cell_id
        )
        change = self._options(given)
        plan = plan_turn(task.turns, prompt, task.settings, change, again="again" in given)
        old = plan.turn
        if plan.kind == "show" and old is not None:
            self._show_again(task, old, given.get("out"))
            return None
        if plan.kind != "go_on":
            self._confirm_insertion(filled, task, plan.settings)
        start = Start(
            settings=plan.settings,
            rewind_to=old if plan.kind == "rewind" else None,
            note=self._note_on_name(name) if is_new else "",
        )
        asked = old if plan.kind == "go_on" and old is not None else prompt
        return self._cell_turn(task, asked, start, given)

    def prepare_resume(self, task: Task, line: Line) -> CellTurn | None:
        """Prepare the turn of `%claude_resume`, as `prepare` does."""
        turn = task.turn_to_resume()
        if turn.outcome is not None and turn.outcome.state == "completed":
            self._show_again(task, turn, line.given.get("out"))
            return None
        settings = self._options(line.given)(task.settings)
        return self._cell_turn(task, turn, Start(settings=settings), line.given)

    def configure(self, line: Line) -> tuple[Task, str]:
        """Change settings without running, as `%claude_task` does; return a note on a new name."""
        if "release_held" in line.given:
            if "new" in line.given:
                raise ConfigurationError("--release-held cannot be combined with --new")
            self.existing(line.task).refuse_while_running()
        name = line.task or self._session.last_used or FIRST_NAME
        task, is_new = self._task(name, is_new="new" in line.given)
        settings = self._options(line.given)(task.settings)
        if line.given or is_new:
            task.change(settings)
        if is_new:
            self._session.register(task)
        return task, self._note_on_name(name) if is_new else ""

    def existing(self, name: str | None) -> Task:
        """Return the task of that name or the one used last; raise ConfigurationError if none."""
        wanted = name or self._session.last_used
        if wanted is None:
            raise ConfigurationError("there is no task yet; start one with %%claude_task")
        found = self._session.tasks.get(wanted)
        if found is None:
            close = difflib.get_close_matches(wanted, list(self._session.tasks), n=2)
            hint = f"did you mean {' or '.join(close)}?" if close else "%claude_tasks lists them"
            raise ConfigurationError(f"there is no task {wanted}; {hint}")
        return found

    def bind(self, out: str | None, outcome: Outcome | None) -> None:
        """Bind the outcome in the notebook if a variable was named."""
        if out is not None and outcome is not None:
            self._shell_context.shell.push({out: outcome})

    def _cell_turn(
        self, task: Task, asked: Prompt | Turn, start: Start, given: Mapping[str, Any]
    ) -> CellTurn:
        # Without an interactive user the cell waits anyway.
        background = "background" in given and self._shell_context.has_stdin()
        settings = start.settings or task.settings
        show = make_display(
            self._shell_context, task, settings, self.ended_panels, background=background
        )
        start = replace(
            start, sinks=show.sinks, approver=show.approver, background="background" in given
        )

        def begin(run: Run) -> None:
            start_turn(task, asked, start, run)
            prompt = asked.prompt if isinstance(asked, Turn) else asked
            if prompt.cell_id is not None:
                self._tasks_of_cells[prompt.cell_id] = task.name

        return CellTurn(
            task=task,
            run=task.new_run(),
            begin=begin,
            display=show,
            out=given.get("out"),
            background=background,
        )

    def _show_again(self, task: Task, turn: Turn, out: str | None) -> None:
        display(shown_again(task, turn), raw=True)
        self.bind(out, turn.outcome)

    def _task(self, name: str, *, is_new: bool) -> tuple[Task, bool]:
        known = self._session.tasks.get(name)
        if known is not None and not is_new:
            return known, False
        if known is not None:
            known.refuse_while_running()
        return Task.from_settings(name, self._session.defaults.settings, self._session), True

    def _note_on_name(self, name: str) -> str:
        # Not a slip: run-1, run-2, and audit, audit-2.
        others = [one for one in self._session.tasks if _unnumbered(one) != _unnumbered(name)]
        close = difflib.get_close_matches(name, others, n=1)
        return f"new task {name} (not {close[0]})" if close else ""

    def _task_of_cell(self, cell_id: str | None) -> str | None:
        name = self._tasks_of_cells.get(cell_id or "")
        return name if name in self._session.tasks else None

    def _options(self, given: Mapping[str, Any]) -> Callable[[Settings], Settings]:
        return partial(options.apply, given=given, lookup=self._shell_context.lookup)

    def _confirm_insertion(self, filled: Filled, task: Task, settings: Settings) -> None:
        """Report what a large insertion costs; an interactive user must confirm it."""
        prices = price_table(settings.model, settings.prices)
        sentence = insert_sentence(filled, task.ratios(), prices)
        if not sentence:
            return
        if not self._shell_context.has_stdin():
            print(sentence)
            return
        try:
            with interrupts_raise():
                said = input(f"{sentence}; send it? [y]es, [n]o: ")
        except (KeyboardInterrupt, EOFError):
            said = ""
        if said.strip().lower() not in YES:
            raise ConfigurationError(f"not sent: {sentence}; insert less text, or answer y")


def _refuse_second_magic(body: str) -> None:
    """Raise ConfigurationError if a line of the prompt begins as another cell would."""
    found = _SECOND_MAGIC.search(body)
    if found is not None:
        raise ConfigurationError(
            f"the prompt holds a line that begins with {found[0]}: move it to a cell of its own, or"
            " indent it to send it as text"
        )


def _unnumbered(name: str) -> str:
    return _NUMBER.sub("", name)

"""Whatever fails above the loop: the turn is stopped, booked and ended, and the task goes on."""

from __future__ import annotations

import asyncio
import contextlib
import io
import random
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytest

import budget_magic
from budget_magic import Task, tasks
from budget_magic.errors import TaskInterrupted
from budget_magic.events import (
    AttemptFailed,
    Live,
    Record,
    StepFinished,
    StepStarted,
    ToolFinished,
    TurnStarted,
)
from budget_magic.magics.actions import Actions
from budget_magic.magics.cells import CellTurn
from budget_magic.magics.display import TurnDisplay
from budget_magic.session import default_session
from budget_magic.session.start import Start, start_turn
from budget_magic.session.turns import Prompt
from budget_magic.simulator import Call, Reply, SceneContext, Signal, Simulator, hold
from budget_magic.wire.sdk import simulated_client
from tests.loop.running import LOOK, facts, lookup, note, task_on
from tests.magics.conftest import Notebook
from tests.support import examples

ROOMS: Final = tuple(
    str(Path(budget_magic.__file__).parent / room) for room in ("session", "magics")
)
RUNS: Final = examples(100)


def scene(context: SceneContext) -> Reply:
    """A model that calls two functions and then answers."""
    if context.last_calls:
        return Reply(text="Done.", output_tokens=20)
    return Reply(calls=[Call("note", {"text": "x"}), LOOK], output_tokens=20)


class AtLine:
    """Does something at the n-th line of our own code that this thread runs."""

    def __init__(self, number: int, what: Callable[[], None]) -> None:
        self.left, self._what = number, what

    def __call__(self, frame: FrameType, event: str, _argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(ROOMS):
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                self._what()
        return self

    def __enter__(self) -> None:
        self._before = sys.gettrace()
        sys.settrace(self)

    def __exit__(self, *_error: object) -> None:
        sys.settrace(self._before)


class BrokenScreen(io.StringIO):
    """A screen that fails at the n-th write."""

    def __init__(self, number: int, error: BaseException) -> None:
        super().__init__()
        self._left, self._error = number, error

    def write(self, text: str, /) -> int:
        self._left -= 1
        if self._left == 0:
            raise self._error
        return super().write(text)


class Failing:
    """A sink that raises at the n-th thing it is told."""

    def __init__(self, number: int, error: BaseException) -> None:
        self._left, self._error = number, error

    def record(self, _record: Record) -> None:
        self._left -= 1
        if self._left == 0:
            raise self._error

    def live(self, _event: Live) -> None:
        self.record(_event)  # type: ignore[arg-type] # what it is does not matter


def raise_interrupt() -> None:
    raise KeyboardInterrupt


def press_ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


class Faults:
    """One task after the other, each hit once by a fault."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self._shell = notebook.shell
        self._shell.user_ns.update(lookup=lookup, note=note)
        self.use_simulator(Simulator(scene, keeps_bodies=False))

    def use_simulator(self, simulator: Simulator) -> None:
        """Play the scene on this simulator."""
        self._client = simulated_client(simulator.transport())
        self._shell.user_ns["mine"] = self._client

    def cell(self, name: str) -> None:
        """The door of a cell."""
        line = f"{name} --client mine -t note,lookup --approve all -o out"
        self._shell.run_line_magic("config", "ClaudeTaskMagics.client = 'simulator'")
        self._shell.run_cell_magic("claude_task", line, "Look.")

    def python(self, name: str) -> None:
        """The door of Python."""
        self.task(name).run("Look.")

    def awaited(self, name: str) -> None:
        """The door of a cell in a kernel, which awaits its turn."""
        line = f"{name} --client mine -t note,lookup --approve all -o out"
        asyncio.run(self.actions.run_cell_awaited(line, "Look."))

    def arun(self, name: str) -> None:
        """The door of async code."""
        asyncio.run(self.task(name).arun("Look."))

    def task(self, name: str, approve: Any = "all") -> Task:
        """A task of that name, made or found."""
        return tasks().get(name) or Task(
            name, client=self._client, tools=[note, lookup], approve=approve
        )

    @property
    def actions(self) -> Actions:
        """What the magics of the shell do."""
        registered = self._shell.magics_manager.registry["ClaudeTaskMagics"]
        found: Actions = registered.actions
        return found

    def use_namespace(self, kind: type[dict[str, Any]]) -> None:
        """Give the shell a namespace of this kind, with what the old one holds."""
        self._shell.user_ns = kind(self._shell.user_ns)

    def lines(self, name: str, door: Callable[[str], None]) -> int:
        """How many lines of ours a door takes on this thread."""
        counter = AtLine(10**9, raise_interrupt)
        with counter:
            door(name)
        return 10**9 - counter.left

    def check(self, name: str) -> None:
        """Assert that nothing runs on, nothing is held, all is booked, and the task goes on."""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        task = tasks().get(name)
        if task is None:  # it was stopped before it was recorded
            assert default_session().account.requests_held == 0
            return
        assert not task.is_running
        assert default_session().account.requests_held == 0
        if task.context is not None:
            assert task.context.account.requests_held == 0
        assert all(turn.outcome is not None for turn in task.turns)
        assert len({fact.turn for fact in facts(task, TurnStarted)}) == len(task.turns)
        ended: list[StepFinished | AttemptFailed] = [
            *facts(task, StepFinished),
            *facts(task, AttemptFailed),
        ]
        booked = {(fact.turn, fact.step) for fact in ended}
        assert {(fact.turn, fact.step) for fact in facts(task, StepStarted)} <= booked
        assert task.run("Once more.").text == "Done."


@pytest.fixture
def faults(notebook: Notebook) -> Iterator[Faults]:
    before = signal.getsignal(signal.SIGINT)
    with contextlib.redirect_stdout(io.StringIO()):
        yield Faults(notebook)
    signal.signal(signal.SIGINT, before)


def quietly(work: Callable[[], object]) -> BaseException | None:
    """What a door raised."""
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - any way out is fine here
        return error
    return None


@pytest.mark.parametrize("what", [raise_interrupt, press_ctrl_c])
@pytest.mark.parametrize("door", ["cell", "awaited", "python", "arun"])
def test_an_interrupt_at_any_line_of_ours_leaves_nothing_behind(
    faults: Faults, what: Callable[[], None], door: str
) -> None:
    enter = getattr(faults, door)
    enter("warm")
    count = faults.lines("counted", enter)
    chance = random.Random(f"{what.__name__} {door}")  # noqa: S311 - a seed
    for number in range(RUNS // 5):
        name = f"task-{number}"
        with AtLine(chance.randint(1, count), what):
            quietly(lambda name=name: enter(name))  # type: ignore[misc] # bound at once
        faults.check(name)


@pytest.mark.parametrize("error", [OSError("broken"), KeyboardInterrupt(), SystemExit(3)])
def test_a_fault_in_a_view_stops_the_turn_only_where_it_is_an_interrupt(
    faults: Faults, error: BaseException
) -> None:
    for number in range(RUNS // 18):
        task = faults.task(f"task-{number}")
        sinks = [Failing(number % 6 + 1, error)]
        task.start("x", sinks=sinks)
        raised = quietly(task.wait)
        assert isinstance(raised, TaskInterrupted) == isinstance(error, KeyboardInterrupt)
        faults.check(task.name)


@pytest.mark.parametrize("error", [OSError("broken"), KeyboardInterrupt(), SystemExit(3)])
def test_a_fault_in_an_approval_function_never_runs_the_call(
    faults: Faults, error: BaseException
) -> None:
    def decide(_call: object) -> bool:
        raise error

    task = faults.task("audit", approve=decide)

    raised = quietly(lambda: task.run("Look."))

    assert isinstance(raised, TaskInterrupted) == isinstance(error, KeyboardInterrupt)
    assert not any(fact.ran for fact in facts(task, ToolFinished) if fact.name == "note")
    task.change(replace(task.settings, approve="all"))
    faults.check("audit")


@pytest.mark.parametrize("error", [OSError("broken pipe"), KeyboardInterrupt()])
def test_a_broken_screen_ends_the_turn(faults: Faults, error: BaseException) -> None:
    for number in range(RUNS // 18):
        name = f"task-{number}"
        with contextlib.redirect_stdout(BrokenScreen(number % 6 + 1, error)):
            quietly(lambda name=name: faults.cell(name))  # type: ignore[misc] # bound at once
        faults.check(name)


def test_the_error_of_a_display_reaches_the_user_and_the_outcome_names_it(faults: Faults) -> None:
    faults.use_simulator(Simulator(scene, faults=[hold(Signal(), on=1)]))
    with contextlib.redirect_stdout(BrokenScreen(1, OSError("broken pipe"))):
        raised = quietly(lambda: faults.cell("audit"))

    assert isinstance(raised, OSError)
    outcome = tasks()["audit"].outcome
    assert outcome is not None
    assert outcome.state == "interrupted"
    assert "the display failed with OSError: broken pipe" in outcome.detail


class Unbindable(dict[str, Any]):
    """A namespace that takes no outcome."""

    def update(self, *args: Any, **kwargs: Any) -> None:
        if args and "out" in args[0]:
            raise RuntimeError("no more variables")
        super().update(*args, **kwargs)


def test_a_variable_that_cannot_be_bound_is_told_and_the_turn_stands(faults: Faults) -> None:
    faults.use_namespace(Unbindable)

    raised = quietly(lambda: faults.cell("audit"))

    assert isinstance(raised, RuntimeError)
    outcome = tasks()["audit"].outcome
    assert outcome is not None
    assert outcome.state == "completed"
    faults.check("audit")


class FailingDisplay(TurnDisplay):
    """A display that fails at one place."""

    def __init__(self, task: Task, place: str, error: BaseException) -> None:
        super().__init__(task)
        self._place, self._error = place, error
        self.done: list[str] = []

    def start(self, turn: int) -> None:
        self._at("start", turn)

    def show_here(self) -> None:
        self._at("show_here", 0)

    def beat(self) -> None:
        self._at("beat", 0)

    def finish(self) -> None:
        self._at("finish", 0)

    def _at(self, place: str, turn: int) -> None:
        self.done.append(f"{place} {turn}")
        if place == self._place:
            raise self._error


@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("error", [ValueError("no pixels"), KeyboardInterrupt()])
@pytest.mark.parametrize("place", ["start", "beat", "finish"])
def test_a_display_that_fails_anywhere_leaves_no_turn_running(
    faults: Faults, place: str, error: BaseException, *, background: bool
) -> None:
    if background and isinstance(error, KeyboardInterrupt) and place != "start":
        return  # no interrupt arrives in the thread that looks after the display
    go_on = Signal()
    if place == "finish":
        go_on.set()
    task = task_on(Simulator(scene, faults=[hold(go_on, on=0)]))
    show = FailingDisplay(task, place, error)
    prompt = Prompt(typed="x", sent="x")
    cell = CellTurn(
        task=task,
        run=task.new_run(),
        begin=lambda run: start_turn(task, prompt, Start(), run),
        display=show,
    )
    actions = faults.actions

    raised = quietly(lambda: (actions.leave_running if background else actions.wait_for)(cell))

    assert cell.run.done.wait(10)
    stops = place != "finish"
    outcome = task.outcome
    assert outcome is not None
    assert outcome.state == ("interrupted" if stops else "completed")
    if background and place != "start":
        assert raised is None
    elif isinstance(error, KeyboardInterrupt) and stops:
        assert isinstance(raised, TaskInterrupted)
        assert show.done[-1] == "finish 0"
    else:
        assert raised is error
    if isinstance(error, ValueError) and stops:
        assert "the display failed with ValueError: no pixels" in outcome.detail
    go_on.set()
    faults.check("audit")

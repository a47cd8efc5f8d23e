"""Start a turn: prepare everything it needs, then apply it in one step of the loop."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from budget_magic.errors import ConfigurationError
from budget_magic.events import NoticePosted, ToolsOffered, ToolStarted, TurnFinished, TurnStarted
from budget_magic.loop import Approver, Stopwatch, TurnContext
from budget_magic.meter import Spend
from budget_magic.session.approvers import by_input
from budget_magic.session.background import left_out_notice
from budget_magic.session.bus import Sink
from budget_magic.session.low_budget import low_budget_warning
from budget_magic.session.prepare import Prepared, prepare
from budget_magic.session.redaction import no_secrets_in_errors
from budget_magic.session.runner import Run
from budget_magic.session.turns import Prompt, Turn, turn_key
from budget_magic.settings import Settings
from budget_magic.tools.context import CURRENT_CALL

if TYPE_CHECKING:
    from budget_magic.session.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How a turn starts."""

    settings: Settings | None = None
    """Applied to the task if the turn can run; None keeps those of the task."""
    sinks: Sequence[Sink] = ()
    """Views that watch this turn only."""
    approver: Approver | None = None
    """Asks about calls; None uses `input()`."""
    background: bool = False
    """Whether nobody waits for the turn: only tools that read are offered."""
    rewind_to: Turn | None = None
    """The task goes back to before this turn; it and later ones are superseded."""
    note: str = ""
    """A notice that is recorded with the start."""


def start_turn(task: Task, asked: Prompt | Turn, start: Start, run: Run) -> None:
    """Start a new turn for a prompt, or resume a turn that did not complete.

    Raise ConfigurationError if it cannot run; then nothing was sent and nothing changed.
    """
    if isinstance(asked, Prompt) and not isinstance(asked.sent, str):
        raise ConfigurationError(f"the prompt is {asked.sent!r}; pass a text")
    if isinstance(asked, Prompt) and not asked.sent.strip():
        raise ConfigurationError("the prompt is empty; write what Claude should do")
    task.refuse_while_running()
    settings = start.settings or task.settings
    task.refuse_another_system(settings, start.rewind_to)
    run.caller.is_attended = not start.background
    call = CURRENT_CALL.get()
    if call is not None:
        call.cancel.on_cancel(partial(run.stop, "stop_button"))
    before = task.settings if start.rewind_to is None else start.rewind_to.settings_before
    with no_secrets_in_errors(task.bus.redactor.redact):
        prepared = prepare(
            task,
            settings,
            caller=run.caller,
            approver=start.approver or by_input(run.caller, task.session.host),
            reads_only=start.background,
        )

    def enter() -> TurnContext:
        task.put_in_force(prepared, run, start.sinks)
        if isinstance(asked, Turn):
            turn = asked
        else:
            turn = _add_turn(task, prepared, asked, start.rewind_to, before)
        run.turn = turn
        return _record_start(task, prepared, turn, start, resumed=isinstance(asked, Turn))

    def keep(finished: TurnFinished) -> None:
        for record in reversed(task.bus.records):
            if isinstance(record.fact, ToolStarted) and run.turn is not None:
                run.turn.note_call(record.fact.name, prepared.context.toolbox)
            elif isinstance(record.fact, TurnStarted):
                break
        task.keep_outcome(finished, task.bus.reading, datetime.now(UTC))

    run.start(enter, keep)


def _add_turn(
    task: Task, prepared: Prepared, prompt: Prompt, rewind_to: Turn | None, before: Settings
) -> Turn:
    if rewind_to is not None:
        for superseded in task.turns[task.turns.index(rewind_to) :]:
            superseded.is_superseded = True
    turn = Turn(
        number=len(task.turns) + 1,
        prompt=prompt,
        shown_prompt=prepared.context.redactor.redact(prompt.typed),
        settings_before=before,
        key=turn_key(prepared.settings),
    )
    task.turns.append(turn)
    return turn


def _record_start(
    task: Task, prepared: Prepared, turn: Turn, start: Start, *, resumed: bool
) -> TurnContext:
    """Record the start, so that views know the turn's budget and model from the beginning."""
    bus, context, call = task.bus, prepared.context, CURRENT_CALL.get()
    bus.outer = None if call is None else call.parent
    task.session.register(task)
    if call is None:  # otherwise a tool runs this task, and the cell runs the tool's task
        task.session.note_used(task)
    spent = bus.reading.this_turn if resumed else Spend()
    if context.definitions != bus.history.definitions:
        bus.emit(ToolsOffered(turn=turn.number, definitions=context.definitions))
    bus.emit(
        TurnStarted(
            turn=turn.number,
            settings=prepared.sent,
            prompt_typed=turn.prompt.typed,
            prompt_sent=turn.prompt.sent,
            inserted=turn.prompt.inserted,
            cell_id=turn.prompt.cell_id,
            resumed=resumed,
            rewinds_to=None if start.rewind_to is None else start.rewind_to.number,
            tags=dict(prepared.settings.tags),
        )
    )
    task.context = context
    if start.note:
        bus.emit(NoticePosted(turn=turn.number, text=start.note))
    if prepared.left_out:
        bus.emit(left_out_notice(prepared.left_out, turn.number))
    warning = low_budget_warning(context, turn.number, task.remaining)
    if warning is not None:
        bus.emit(warning)
    watch = Stopwatch(time.monotonic, spent.elapsed_s)
    return TurnContext(task=context, turn=turn.number, watch=watch, step=spent.steps)

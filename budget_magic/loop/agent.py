"""The agent loop: step, reply, calls, and again, until something ends the turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from budget_magic.events import Reason, TurnFinished
from budget_magic.loop import endings
from budget_magic.loop.admit import next_step_needs
from budget_magic.loop.attempt import book_what_is_held
from budget_magic.loop.calls import answer_open_calls, run_calls
from budget_magic.loop.compaction import compact, is_due, withdraw
from budget_magic.loop.contexts import TurnContext
from budget_magic.loop.no_room import out_of_room
from budget_magic.loop.step import Answered, take_step
from budget_magic.report.text import one_line

CUT_OFF: Final = "the reply was cut off"
LONGEST_DETAIL: Final = 600

StoppedBy = Callable[[], endings.Stopped | None]


async def run_turn(turn: TurnContext, stopped_by: StoppedBy) -> TurnFinished:
    """Run one turn to its end, whatever ends it, and return its last fact, already emitted.

    The history stays valid, so that the turn can be resumed. After a cancellation, `stopped_by`
    returns who stopped the turn and how.
    """
    try:
        async with turn.task.toolbox:
            ending = await _run_to_the_end(turn)
    except endings.Halted as halted:
        ending = halted.ending
    except asyncio.CancelledError:
        # If nobody stopped it, the process ends, or a tool cancelled its own task.
        ending = endings.interrupted(turn, stopped_by() or endings.Stopped(reason="stop_button"))
    except KeyboardInterrupt:
        ending = endings.interrupted(turn, endings.Stopped(reason="keyboard"))
    except BaseException as error:  # noqa: BLE001 - a turn ends, whatever broke it
        ending = endings.broken(turn, error)
    book_what_is_held(turn)
    answer_open_calls(turn, _why_not_run(turn, ending))
    return turn.task.emit(
        TurnFinished(
            turn=turn.turn,
            step=turn.step,
            state=ending.state,
            reason=ending.reason,
            # Redacted first, or the cut could leave a part of a secret.
            detail=one_line(turn.task.redactor.redact(ending.detail), LONGEST_DETAIL),
            text=turn.task.history.text.final(is_complete=ending.state == "completed"),
            elapsed_s=turn.watch.elapsed_s,
            suggestions=ending.suggestions,
        )
    )


async def _run_to_the_end(turn: TurnContext) -> endings.Ending:
    while True:
        ceilings = turn.task.settings.ceilings
        if ceilings.steps is not None and turn.step >= ceilings.steps:
            return endings.step_ceiling(turn)
        if turn.left_s is not None and turn.left_s <= 0:
            return endings.time_ceiling(turn)
        answered = await (compact(turn) if is_due(turn) else take_step(turn))
        if answered is None:
            continue
        ending = _ending_after(turn, answered)
        if ending is not None:
            return ending
        await run_calls(turn)


def _ending_after(  # noqa: C901, PLR0911 - one branch and one return per way to end
    turn: TurnContext, answered: Answered
) -> endings.Ending | None:
    """Return how a reply ends the turn; None if the loop continues."""
    reply, granted = answered.reply, answered.granted
    turn.cut_by = None
    turn.reply_was_cut = reply.stop_reason in {"max_tokens", "model_context_window_exceeded"}
    if reply.stop_reason == "refusal":
        withdraw(turn, "refusal")
        return endings.refusal(turn, reply.refusal)
    if answered.last_before is not None:
        was_raised = turn.task.settings.ceilings != answered.ceilings
        if was_raised and reply.stop_reason in {"tool_use", "end_turn"}:
            return None
        return _ceiling(turn, answered.last_before)
    match reply.stop_reason:
        case "model_context_window_exceeded":
            return endings.context_window(turn)
        case "max_tokens" if granted.shrunk_by is not None and turn.task.settings.wrap_up:
            turn.cut_by = granted.shrunk_by
            answer_open_calls(turn, CUT_OFF)
            return None
        case "max_tokens" if granted.shrunk_by is not None:
            return _ceiling(turn, granted.shrunk_by)
        case "max_tokens" if granted.max_tokens < turn.task.settings.max_tokens:
            return endings.context_window(turn)
        case "max_tokens":
            return endings.max_tokens(turn, granted.max_tokens)
    if reply.stop_reason == "compaction":
        withdraw(turn, "refusal")
        return endings.server_compaction(turn)
    if reply.stop_reason == "pause_turn":
        return None
    if turn.task.conversation.open_calls and reply.stop_reason == "tool_use":
        return None
    reason: Reason = "stop_sequence" if reply.stop_reason == "stop_sequence" else "end_turn"
    return endings.completed(turn, reason)


def _ceiling(turn: TurnContext, reason: Reason) -> endings.Ending:
    """Return the ending for a ceiling that cut a reply, or before which the last answer came."""
    match reason:
        case "step_ceiling":
            return endings.step_ceiling(turn)
        case "time_ceiling":
            return endings.time_ceiling(turn)
        case _:
            return out_of_room(turn, reason, next_step_needs(turn))


def _why_not_run(turn: TurnContext, ending: endings.Ending) -> str:
    if turn.reply_was_cut:
        return CUT_OFF
    if ending.reason.endswith("_ceiling"):
        return f"the {ending.reason.replace('_', ' ')} ended the turn"
    return "the turn ended first"

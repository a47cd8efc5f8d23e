"""The calls of one reply: asked for where they must be, run, and answered in their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from itertools import groupby

import anyio

from budget_magic.events import (
    ApprovalAsked,
    ApprovalGiven,
    TasksRun,
    ToolFinished,
    ToolStarted,
)
from budget_magic.loop import stop
from budget_magic.loop.calling import calling
from budget_magic.loop.conversation import NOT_RUN, OpenCall
from budget_magic.loop.stuck import is_stuck, made
from budget_magic.loop.task import Decision, TaskContext, TurnContext
from budget_magic.meter.reserve import Amount
from budget_magic.tools.approval import (
    Call,
    Denied,
    decide,
    is_same,
    read_verdict,
    verdict,
    why_asked,
)
from budget_magic.tools.tool import Tool, answer, sendable

_APPROVED = Decision(kind="once", by="function")


async def run_calls(turn: TurnContext) -> None:
    """Answer every open call; read-only ones that follow each other run side by side.

    Raises
    ------
    Halted
        The time ceiling was reached, and calls that had not finished are answered so; or the
        same call came too often.
    """
    for call in turn.task.conversation.unanswered():
        if call.fault is not None:
            _finish(turn, call, f"not run: {call.fault}", ran=False)
    for is_reading, calls in _in_groups(turn.task):
        if is_reading:
            await _run_beside_each_other(turn, calls)
        else:
            for call in calls:
                if await _is_allowed(turn, call):
                    await _run(turn, call)
        if turn.left_s is not None and turn.left_s <= 0:
            raise stop.Halted(stop.time_ceiling(turn))
    # A tool that was cancelled though nobody stopped the turn leaves its call open: the task group
    # keeps such a cancellation to itself.
    answer_open_calls(turn, "its tool was cancelled")
    if turn.repeated is not None:
        raise stop.Halted(stop.stuck_loop(turn, turn.repeated))


def answer_open_calls(turn: TurnContext, why: str) -> None:
    """Answer what is still open without running it, so that the history stays valid."""
    _note_tasks_run(turn)
    for call in turn.task.conversation.unanswered():
        was_started = call.id in turn.started_calls
        not_run = f"{NOT_RUN}: {why}" if why else NOT_RUN
        _finish(turn, call, "interrupted" if was_started else not_run, ran=was_started)


def _in_groups(task: TaskContext) -> Iterator[tuple[bool, list[OpenCall]]]:
    """Runs of calls that may go beside each other, in the order of the reply."""

    def reads(call: OpenCall) -> bool:
        tool = task.toolbox.get(call.name)
        return tool is None or (tool.reads_only and not task.redactor.names_in(call.input))

    for is_reading, calls in groupby(task.conversation.unanswered(), key=reads):
        yield is_reading, list(calls)


async def _run_beside_each_other(turn: TurnContext, calls: list[OpenCall]) -> None:
    with turn.until_time_is_up() as scope:
        async with anyio.create_task_group() as group:
            for call in calls:
                group.start_soon(_run, turn, call)
    if scope.cancelled_caught:
        raise stop.Halted(stop.time_ceiling(turn))


async def _is_allowed(turn: TurnContext, call: OpenCall) -> bool:
    task, tool = turn.task, turn.task.toolbox.get(call.name)
    if tool is None:
        return True
    known = call.name in task.approved_tools
    approved = known and is_same(task.approved_tools[call.name], tool.runs)
    secrets = task.redactor.names_in(call.input)
    first = decide(task.policy, tool, already_approved=approved, secrets=secrets)
    if first == "run":
        return True
    if first == "ask":
        decision = await _asked(turn, call, tool, secrets)
        task.redactor.refresh()  # an approval function is the user's code
    else:
        decision = _denied(first, by="policy")
    _note_decision(turn, call, decision)
    if decision.kind == "task":
        task.approved_tools[call.name] = tool.runs
    if decision.kind == "denied":
        told = read_verdict(decision.reason or False) if decision.by == "person" else None
        why = told.reason if isinstance(told, Denied) else decision.reason
        _finish(turn, call, sendable(why, task.redactor).content, ran=False)
    return decision.kind != "denied"


async def _asked(turn: TurnContext, call: OpenCall, tool: Tool, secrets: Sequence[str]) -> Decision:
    """Return what the person, or the function in their place, says; the clock stands still."""
    task = turn.task
    redact = task.redactor.redact
    asked = Call(
        id=redact(call.id),
        name=redact(call.name),
        arguments=redact(call.input),
        secrets=tuple(secrets),
        why=why_asked(tool, secrets),
    )
    with turn.watch.paused():
        if callable(task.policy):
            said = await verdict(task.policy, asked, task.run_in_caller)
            return _denied(said, by="function") if isinstance(said, Denied) else _APPROVED
        task.emit(
            ApprovalAsked(
                turn=turn.turn,
                step=turn.step,
                call_id=call.id,
                name=call.name,
                input=call.input,
                why=asked.why,
            )
        )
        return await task.approver(asked)


def _denied(said: Denied, *, by: str) -> Decision:
    return Decision(kind="denied", reason=said.reason, by=by)


def _note_decision(turn: TurnContext, call: OpenCall, decision: Decision) -> None:
    turn.task.emit(
        ApprovalGiven(
            turn=turn.turn,
            step=turn.step,
            call_id=call.id,
            name=call.name,
            decision=decision.kind,
            by=decision.by,
            reason=decision.reason,
        )
    )


async def _run(turn: TurnContext, call: OpenCall) -> None:
    task, started_s = turn.task, turn.task.now()
    tool = task.toolbox.get(call.name)
    if tool is None:
        offered = ", ".join(task.toolbox.names) or "none"
        _finish(turn, call, f"there is no tool {call.name}; offered: {offered}", ran=False)
        return
    turn.started_calls.add(call.id)
    task.emit(
        ToolStarted(
            turn=turn.turn,
            step=turn.step,
            call_id=call.id,
            name=call.name,
            input=call.input,
        )
    )
    if task.recording_failure():  # the next step ends the turn
        _finish(turn, call, "not run: the call could not be recorded", ran=False)
        return
    # A copy runs: what a tool does to its arguments must not change what is sent and shown.
    with calling(task.session, task.record_of_call(call.id), task.around):
        result = await answer(tool, deepcopy(call.input), task.run_in_caller, task.redactor)
    _note_tasks_run(turn)
    turn.completed_calls.append(made(call.name, call.input, result.content))
    if is_stuck(turn.completed_calls, task.stuck_rule):
        turn.repeated = turn.completed_calls[-1]
    _finish(
        turn,
        call,
        result.content,
        is_error=result.is_error,
        cut_bytes=result.cut_bytes,
        elapsed_s=task.now() - started_s,
    )


def _note_tasks_run(turn: TurnContext) -> None:
    """Record what tasks that tools ran have used since it was recorded last."""
    reading, account = turn.task.reading(), turn.task.account
    used = account.spent_below - Amount(usd=reading.tasks_usd, tokens=reading.tasks_tokens)
    unsure = account.unconfirmed_below - Amount(
        usd=reading.tasks_unconfirmed_usd, tokens=reading.tasks_unconfirmed_tokens
    )
    if used != Amount() or unsure != Amount():
        turn.task.emit(
            TasksRun(
                turn=turn.turn,
                step=turn.step,
                cost_usd=used.usd,
                tokens=used.tokens,
                unconfirmed_usd=unsure.usd,
                unconfirmed_tokens=unsure.tokens,
            )
        )


def _finish(  # noqa: PLR0913 - one keyword per field of the fact
    turn: TurnContext,
    call: OpenCall,
    content: str,
    *,
    ran: bool = True,
    is_error: bool = True,
    cut_bytes: int = 0,
    elapsed_s: float = 0.0,
) -> None:
    turn.task.emit(
        ToolFinished(
            turn=turn.turn,
            step=turn.step,
            call_id=call.id,
            name=call.name,
            content=content,
            is_error=is_error,
            ran=ran,
            cut_bytes=cut_bytes,
            elapsed_s=elapsed_s,
        )
    )

"""The calls of one reply: approved if need be, run, and answered in order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from itertools import groupby
from typing import Any, Final

import anyio

from budget_magic.events import (
    ApprovalAsked,
    ApprovalGiven,
    TasksRun,
    ToolFinished,
    ToolStarted,
)
from budget_magic.loop import endings
from budget_magic.loop.contexts import Decision, TaskContext, TurnContext
from budget_magic.loop.conversation import NOT_RUN, OpenCall
from budget_magic.loop.stuck import CompletedCall, is_stuck
from budget_magic.loop.tool_context import tool_context
from budget_magic.meter.account import Amount
from budget_magic.tools.approval import (
    Call,
    Denied,
    decide,
    is_same,
    read_verdict,
    verdict,
    why_asked,
)
from budget_magic.tools.result import ToolAnswer, ToolResult, to_answer
from budget_magic.tools.run_tool import run_tool
from budget_magic.tools.tool import Tool

MOST_PARALLEL_CALLS: Final = 40


async def run_calls(turn: TurnContext) -> None:
    """Answer every open call; consecutive parallel ones run side by side.

    Raises
    ------
    Halted
        The time ceiling was reached, or the same call came too often.
    """
    for call in turn.task.conversation.unanswered():
        if call.fault is not None:
            _answer_unrun(turn, call, f"not run: {call.fault}")
    for is_parallel, calls in _in_groups(turn.task):
        if is_parallel:
            await _run_together(turn, calls)
        else:
            for call in calls:
                if await _is_allowed(turn, call):
                    await _run_alone(turn, call)
        if turn.left_s is not None and turn.left_s <= 0:
            raise endings.Halted(endings.time_ceiling(turn))
    # A tool that cancelled itself leaves its call open: the task group swallows the cancellation.
    answer_open_calls(turn, "its tool was cancelled")
    if turn.repeated is not None:
        raise endings.Halted(endings.stuck_loop(turn, turn.repeated))


def answer_open_calls(turn: TurnContext, why: str) -> None:
    """Answer the open calls without running them, so that the history stays valid."""
    _note_tasks_run(turn)
    for call in turn.task.conversation.unanswered():
        if call.id in turn.started_calls:
            _finish(turn, call, ToolAnswer(content="interrupted", is_error=True))
        else:
            _answer_unrun(turn, call, f"{NOT_RUN}: {why}" if why else NOT_RUN)


def _in_groups(task: TaskContext) -> Iterator[tuple[bool, list[OpenCall]]]:
    """Yield groups of calls that may run side by side, in the order of the reply.

    A call that needs approval runs alone, so that its result is known before the next is asked.
    """

    def is_parallel(call: OpenCall) -> bool:
        tool = task.toolbox.get(call.name)
        return tool is None or (tool.is_parallel and _decide(task, tool, call) == "run")

    for together, calls in groupby(task.conversation.unanswered(), key=is_parallel):
        yield together, list(calls)


def _decide(task: TaskContext, tool: Tool, call: OpenCall) -> str | Denied:
    known = call.name in task.approved_tools
    approved = known and is_same(task.approved_tools[call.name], tool.approval_key)
    secrets = task.redactor.names_in(call.input)
    return decide(task.policy, tool, already_approved=approved, secrets=secrets)


async def _run_alone(turn: TurnContext, call: OpenCall) -> None:
    tool = turn.task.toolbox.get(call.name)
    if tool is not None and tool.thread == "caller":
        await _run(turn, call)  # what runs on the caller's thread cannot be cut short
    else:
        await _run_together(turn, [call])


async def _run_together(turn: TurnContext, calls: list[OpenCall]) -> None:
    limiter = anyio.CapacityLimiter(MOST_PARALLEL_CALLS)

    async def run(call: OpenCall) -> None:
        async with limiter:
            await _run(turn, call)

    with turn.until_time_is_up() as scope:
        async with anyio.create_task_group() as group:
            for call in calls:
                group.start_soon(run, call)
    if scope.cancelled_caught:
        raise endings.Halted(endings.time_ceiling(turn))


async def _is_allowed(turn: TurnContext, call: OpenCall) -> bool:
    task, tool = turn.task, turn.task.toolbox.get(call.name)
    if tool is None:
        return True
    first = _decide(task, tool, call)
    if first == "run":
        return True
    if isinstance(first, Denied):
        decision = Decision(kind="denied", reason=first.reason, by="policy")
    else:
        decision = await _asked(turn, call, tool, task.redactor.names_in(call.input))
        task.redactor.refresh()  # an approval function is the user's code
    kind, by, reason = decision.kind, decision.by, decision.reason
    task.emit(ApprovalGiven(**_place(turn, call), decision=kind, by=by, reason=reason))
    if kind == "task":
        task.approved_tools[call.name] = tool.approval_key
    if kind == "denied":
        told = read_verdict(reason or False) if by == "person" else None
        why = told.reason if isinstance(told, Denied) else reason
        turn.was_denied = True
        if by == "nobody":
            turn.unattended = reason
        _answer_unrun(turn, call, why)
    return kind != "denied"


async def _asked(turn: TurnContext, call: OpenCall, tool: Tool, secrets: Sequence[str]) -> Decision:
    """Return what the person or approval function decides; the clock is stopped."""
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
            if isinstance(said, Denied):
                return Decision(kind="denied", reason=said.reason, by="function")
            return Decision(kind="once", by="function")
        behind = _still_to_ask(task, call)
        task.emit(
            ApprovalAsked(**_place(turn, call), input=call.input, why=asked.why, behind=behind)
        )
        return await task.approver(asked)


def _still_to_ask(task: TaskContext, call: OpenCall) -> int:
    """Return how many calls after this one need approval, as things are."""
    open_calls = task.conversation.unanswered()
    ids = [later.id for later in open_calls]
    later = open_calls[ids.index(call.id) + 1 :] if call.id in ids else []
    tools = ((task.toolbox.get(one.name), one) for one in later)
    return sum(tool is not None and _decide(task, tool, one) == "ask" for tool, one in tools)


def _place(turn: TurnContext, call: OpenCall) -> dict[str, Any]:
    """Return the common fields of the facts of a call."""
    return {"turn": turn.turn, "step": turn.step, "call_id": call.id, "name": call.name}


async def _run(turn: TurnContext, call: OpenCall) -> None:
    task, started_s = turn.task, turn.task.now()
    tool = task.toolbox.get(call.name)
    if tool is None:
        offered = ", ".join(task.toolbox.names) or "none"
        _answer_unrun(turn, call, f"there is no tool {call.name}; offered: {offered}")
        return
    turn.started_calls.add(call.id)
    task.emit(ToolStarted(**_place(turn, call), input=call.input))
    if task.recording_failure():  # the next step ends the turn
        _answer_unrun(turn, call, "not run: the call could not be recorded")
        return
    context = tool_context(turn, call)
    # On a copy: a tool that changes its arguments must not change what is sent and shown.
    answer = await run_tool(tool, deepcopy(call.input), context, task.redactor)
    _note_tasks_run(turn)
    content = answer.content
    turn.completed_calls.append(
        CompletedCall(
            name=call.name,
            input=json.dumps(call.input, sort_keys=True, ensure_ascii=False),
            result=content if isinstance(content, str) else json.dumps(content),
        )
    )
    if is_stuck(turn.completed_calls, task.stuck_rule):
        turn.repeated = turn.completed_calls[-1]
    _finish(turn, call, answer, elapsed_s=task.now() - started_s)


def _note_tasks_run(turn: TurnContext) -> None:
    """Record what tools have spent since last time, by tasks that they ran or on their own."""
    reading, account = turn.task.reading(), turn.task.account
    used = account.spent_below - reading.tasks
    unsure = account.unconfirmed_below - reading.tasks_unconfirmed
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


def _answer_unrun(turn: TurnContext, call: OpenCall, why: str) -> None:
    answer = to_answer(ToolResult(content=why, is_error=True), turn.task.redactor)
    _finish(turn, call, answer, ran=False)


def _finish(
    turn: TurnContext,
    call: OpenCall,
    answer: ToolAnswer,
    *,
    ran: bool = True,
    elapsed_s: float = 0.0,
) -> None:
    turn.task.emit(
        ToolFinished(
            **_place(turn, call),
            content=answer.content,
            summary=answer.summary,
            is_error=answer.is_error,
            ran=ran,
            cut_bytes=answer.cut_bytes,
            elapsed_s=elapsed_s,
        )
    )

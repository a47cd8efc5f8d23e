"""One step: admit a request, stream it, and try again if that is worth it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import anyio
import anyio.lowlevel

from budget_magic.errors import WireError
from budget_magic.events import Ceilings, Reason, RetryScheduled, StepStarted
from budget_magic.loop import endings
from budget_magic.loop.admit import admit
from budget_magic.loop.attempt import stream_once
from budget_magic.loop.contexts import TurnContext
from budget_magic.meter.reserve import Granted
from budget_magic.report.numbers import plural
from budget_magic.wire import MAX_ATTEMPTS, Reply, retry_wait_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A reply, complete and billed."""

    reply: Reply
    granted: Granted
    last_before: Reason | None
    """The ceiling for which Claude was asked for a last answer; None for an ordinary step."""
    ceilings: Ceilings
    """In force when it was sent; a person may have raised them since."""


async def take_step(turn: TurnContext, ask: str | None = None) -> Answered:
    """Send the next request and return its reply, already billed.

    `ask` asks for a summary of the history in place of the prompt. `Halted` is raised if there is
    no room or time for the request, or if it failed for good.
    """
    task, attempt, last_before = turn.task, 0, None
    started_s = turn.watch.elapsed_s
    while True:
        attempt += 1
        turn.attempt = attempt
        # A stop that came meanwhile takes effect here, before anything is held.
        await anyio.lowlevel.checkpoint()
        granted, last_before = await admit(turn, last_before=last_before, ask=ask)
        ceilings, turn.is_sending = task.settings.ceilings, True
        if attempt == 1:
            task.emit(_started(turn, granted, is_last=last_before is not None))
        if task.recording_failure():
            task.gate.settle(granted, task.accounts)
            raise endings.Halted(endings.cannot_record(turn))
        try:
            reply = await stream_once(turn, granted, attempt=attempt, started_s=started_s)
        except WireError as error:
            await _wait_before_retry(turn, error, attempt)
        else:
            return Answered(
                reply=reply, granted=granted, last_before=last_before, ceilings=ceilings
            )


def _started(turn: TurnContext, granted: Granted, *, is_last: bool) -> StepStarted:
    task = turn.task
    return StepStarted(
        turn=turn.turn,
        step=turn.step + 1,
        effort=task.conversation.spoken_effort or task.settings.effort,
        max_tokens=granted.max_tokens,
        last_answer=is_last,
        held_usd=None if task.prices is None else granted.hold.usd,
        held_tokens=granted.hold.tokens,
    )


async def _wait_before_retry(turn: TurnContext, error: WireError, attempt: int) -> None:
    wait_s = retry_wait_s(error, attempt=attempt, jitter=turn.task.jitter())
    if wait_s is None:
        raise endings.Halted(endings.failed(turn, error, attempt)) from error
    left_s = turn.left_s
    if left_s is not None and wait_s >= left_s:
        why = f"the next attempt is {plural(math.ceil(wait_s), 'second')} away"
        raise endings.Halted(endings.time_ceiling(turn, why, wait_s)) from error
    turn.task.emit(
        RetryScheduled(
            turn=turn.turn,
            step=turn.step + 1,
            attempt=attempt + 1,
            attempts=MAX_ATTEMPTS,
            wait_s=wait_s,
            why=str(error),
        )
    )
    await anyio.sleep(wait_s)

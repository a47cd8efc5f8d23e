"""One attempt of a step: stream the reply, and book what it cost whatever becomes of it."""

from __future__ import annotations

import json
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from decimal import Decimal

from budget_magic.errors import ApiError, ConfigurationError, ConnectionBroken, WireError
from budget_magic.events import (
    AttemptFailed,
    BlockStarted,
    Delta,
    DeltaKind,
    StepFinished,
    Usage,
)
from budget_magic.loop import stop
from budget_magic.loop.admit import request
from budget_magic.loop.conversation import Baseline
from budget_magic.loop.task import TaskContext, TurnContext
from budget_magic.meter.cost import MTOK, US_INFERENCE, step_cost_usd
from budget_magic.meter.estimate import split_output
from budget_magic.meter.reserve import Amount, Granted
from budget_magic.models import find_model
from budget_magic.wire import Begun, BlockBegun, Piece, Reply


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What one attempt has shown so far."""

    begun: Usage | None = None
    reply: Reply | None = None
    characters: dict[DeltaKind, int] = field(default_factory=dict)
    blocks: int = 0
    """Blocks of text and calls."""


async def stream_once(
    turn: TurnContext, granted: Granted, *, attempt: int, started_s: float
) -> Reply:
    """The reply to the history as it stands; booked before anything reads it.

    Parameters
    ----------
    turn, granted
        What is running, and what was held for it.
    attempt
        Number of the attempt within the step, from 1.
    started_s
        Running time of the turn when the step began.

    Raises
    ------
    WireError
        The attempt failed; it is booked already.
    Halted
        The time ceiling was reached in mid-reply.
    """
    seen, task = _Seen(), turn.task
    if turn.left_s is not None and turn.left_s <= 0:
        task.room.settle(granted, task.accounts)
        raise stop.Halted(stop.time_ceiling(turn))
    try:
        with turn.until_time_is_up():
            await _read(turn, granted, seen)
    except ConfigurationError as error:
        task.room.settle(granted, task.accounts)
        raise stop.Halted(stop.cannot_send(turn, error)) from error
    except WireError as error:
        # A complete stream can still break while it is being closed: then the reply stands.
        if seen.reply is None:
            _book_failure(turn, granted, seen, attempt, str(error), billed=_may_be_billed(error))
            raise
    except BaseException:
        if seen.reply is not None:
            _book(turn, granted, seen, seen.reply, took_s=turn.watch.elapsed_s - started_s)
        else:
            turn.cut_off = _book_failure(turn, granted, seen, attempt, "cut off")
        raise
    if seen.reply is None:
        _book_failure(turn, granted, seen, attempt, "cut off by the time ceiling")
        raise stop.Halted(stop.time_ceiling(turn, ", in mid-reply"))
    _book(turn, granted, seen, seen.reply, took_s=turn.watch.elapsed_s - started_s)
    return seen.reply


def book_what_is_held(turn: TurnContext) -> None:
    """Book a request that something broke between its reservation and its own booking."""
    granted, task = turn.granted, turn.task
    if granted is None or not task.room.settle(granted, task.accounts, unconfirmed=granted.hold):
        return
    task.emit(
        AttemptFailed(
            turn=turn.turn,
            step=turn.step + 1,
            attempt=1,
            why="cut off",
            unconfirmed_usd=granted.hold.usd,
            unconfirmed_tokens=granted.hold.tokens,
            at_least_usd=Decimal(0),
        )
    )


async def _read(turn: TurnContext, granted: Granted, seen: _Seen) -> None:
    task, place = turn.task, {"turn": turn.turn, "step": turn.step + 1}
    sent = request(turn, extra=[], max_tokens=granted.max_tokens)
    async with aclosing(task.client.stream(sent)) as events:
        async for event in events:
            match event:
                case Begun():
                    seen.begun = event.usage
                case BlockBegun():
                    seen.blocks += event.kind != "thinking"
                    started = BlockStarted(
                        **place, block=event.block, kind=event.kind, name=event.name
                    )
                    task.live(started)
                case Piece():
                    seen.characters[event.kind] = seen.characters.get(event.kind, 0) + len(
                        event.text
                    )
                    task.live(Delta(**place, block=event.block, kind=event.kind, text=event.text))
                case Reply():
                    seen.reply = event
    if seen.reply is None:
        raise ConnectionBroken("the stream ended without a reply", reached=True)


def _may_be_billed(error: WireError) -> bool:
    """False where the server refused by status, or no connection was made."""
    match error:
        case ApiError():
            return error.in_mid_stream
        case ConnectionBroken():
            return error.reached
        case _:
            return True


def _book(turn: TurnContext, granted: Granted, seen: _Seen, reply: Reply, *, took_s: float) -> None:
    """Bill a complete reply, and only then enter it into the history."""
    task, usage = turn.task, reply.usage
    cost = step_cost_usd(usage, _billed_model(task, reply.model), task.own_prices)
    taken = granted.hold.usd if cost is None else cost
    tokens = usage.input_tokens + usage.cache_creation_input_tokens + usage.output_tokens
    task.room.settle(granted, task.accounts, spent=Amount(usd=taken, tokens=tokens))
    if usage.inference_geo is not None:
        task.factor = US_INFERENCE if usage.inference_geo == "us" else Decimal(1)
    results, estimated = _result_tokens(task, usage)
    text, calls, is_split = split_output(
        usage,
        task.ratios,
        text=seen.characters.get("text", 0),
        call=seen.characters.get("call", 0),
    )
    task.ratios = task.ratios.calibrated(seen.characters, usage, blocks=seen.blocks)
    counted = usage.output_tokens + results
    before = task.reading().remaining
    turn.step += 1
    turn.is_first_request = False
    turn.longest_step_s = max(turn.longest_step_s, took_s)
    task.emit(
        StepFinished(
            turn=turn.turn,
            step=turn.step,
            model=reply.model,
            stop_reason=reply.stop_reason,
            content=task.redactor.redact(reply.content),
            usage=usage,
            tool_result_tokens=results,
            tool_result_tokens_estimated=estimated,
            call_tokens=calls,
            text_tokens=text,
            split_estimated=is_split,
            budget_tokens=counted,
            remaining=None if before is None else before - counted,
            cost_usd=cost,
            elapsed_s=took_s,
            request_id=reply.request_id,
        )
    )
    _enter(task, reply, results)


def _billed_model(task: TaskContext, answered: str) -> str:
    """Whose prices hold: those of the model asked for, unless another known one answered.

    A reply may name the model by a dated id, or by its plain one where a cloud's was asked for.
    """
    asked = task.settings.model
    row = find_model(answered)
    is_other = answered in task.own_prices or (row is not None and row is not find_model(asked))
    return answered if is_other else asked


def _enter(task: TaskContext, reply: Reply, results: int) -> None:
    conversation = task.conversation
    sent = len(conversation.messages)
    if sent == 1:
        conversation.first_prompt_tokens = reply.usage.prompt_tokens
    conversation.counted_tokens += results
    conversation.requests = (*conversation.requests[-1:], sent)
    is_kept = conversation.commit_reply(reply.content, paused=reply.stop_reason == "pause_turn")
    if is_kept:
        conversation.hidden_tokens += reply.usage.thinking_tokens
        conversation.counted_tokens += reply.usage.output_tokens
    conversation.measured = len(conversation.messages)
    conversation.baseline = Baseline(
        prompt_tokens=reply.usage.prompt_tokens,
        reply_tokens=reply.usage.output_tokens if is_kept else 0,
        messages=len(conversation.messages),
    )


def _result_tokens(task: TaskContext, usage: Usage) -> tuple[int, bool]:
    """Tokens of the tool results that this prompt brought in, and whether that is an estimate."""
    conversation = task.conversation
    new = conversation.unmeasured_blocks()
    results = [block for block in new if block["type"] == "tool_result"]
    if not results:
        return 0, False
    others = [block for block in new if block["type"] == "text"]
    beside = sum(task.ratios.tokens("text", len(block["text"])) for block in others)
    baseline = conversation.baseline
    if baseline is None:
        size = sum(len(json.dumps(block["content"], ensure_ascii=False)) for block in results)
        return task.ratios.tokens("text", size), True
    measured = usage.prompt_tokens - baseline.prompt_tokens - baseline.reply_tokens
    return max(measured - beside, 0), bool(beside)


def _book_failure(  # noqa: PLR0913 - one argument per thing that is booked
    turn: TurnContext,
    granted: Granted,
    seen: _Seen,
    attempt: int,
    why: str,
    *,
    billed: bool = True,
) -> AttemptFailed:
    task = turn.task
    most = _most(task, granted, seen.begun) if billed else Amount()
    task.room.settle(granted, task.accounts, unconfirmed=most)
    fact = AttemptFailed(
        turn=turn.turn,
        step=turn.step + 1,
        attempt=attempt,
        why=why,
        unconfirmed_usd=most.usd,
        unconfirmed_tokens=most.tokens,
        at_least_usd=min(_least_usd(task, seen), most.usd),
    )
    task.emit(fact)
    return fact


def _most(task: TaskContext, granted: Granted, begun: Usage | None) -> Amount:
    """Worst case of a request that broke; its input figures are exact once it began."""
    if begun is None:
        return granted.hold
    usd = granted.hold.usd
    input_usd = step_cost_usd(_input_only(begun), task.settings.model, task.own_prices)
    if input_usd is not None and task.prices is not None:
        output = task.prices.for_prompt(begun.prompt_tokens).output * granted.max_tokens / MTOK
        usd = input_usd + output * _factor(task, begun)
    tokens = begun.input_tokens + begun.cache_creation_input_tokens + granted.max_tokens
    return Amount(usd=min(usd, granted.hold.usd), tokens=min(tokens, granted.hold.tokens))


def _least_usd(task: TaskContext, seen: _Seen) -> Decimal:
    """What a broken request cost at least: its input, and the text that had streamed."""
    if seen.begun is None:
        return Decimal(0)
    streamed = sum(task.ratios.tokens(kind, size) for kind, size in seen.characters.items())
    usage = replace(_input_only(seen.begun), output_tokens=streamed)
    return step_cost_usd(usage, task.settings.model, task.own_prices) or Decimal(0)


def _input_only(usage: Usage) -> Usage:
    return replace(usage, output_tokens=0, iterations=())


def _factor(task: TaskContext, begun: Usage) -> Decimal:
    if begun.inference_geo is None:
        return task.factor
    return US_INFERENCE if begun.inference_geo == "us" else Decimal(1)

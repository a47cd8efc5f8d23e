"""One attempt of a step: stream the reply, and book what it cost whatever becomes of it."""

from __future__ import annotations

import json
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from budget_magic.errors import ApiError, ConfigurationError, ConnectionBroken, WireError
from budget_magic.events import (
    AttemptFailed,
    BlockStarted,
    Delta,
    DeltaKind,
    MessageAppended,
    StepFinished,
    Usage,
)
from budget_magic.loop import stop
from budget_magic.loop.admit import request
from budget_magic.loop.conversation import left_out
from budget_magic.loop.learning import learn
from budget_magic.loop.malformed import mended
from budget_magic.loop.task import TaskContext, TurnContext
from budget_magic.meter.cost import (
    MTOK,
    REGION_FACTORS,
    US_INFERENCE,
    WEB_SEARCH_USD,
    billed_model,
    billing_factor,
    prices_in_force,
    pricing_doubts,
    step_cost_usd,
)
from budget_magic.meter.estimate import split_output
from budget_magic.meter.plausible import is_prompt_possible, is_reply_possible
from budget_magic.meter.reserve import Amount, Granted
from budget_magic.models import find_model
from budget_magic.tools.text import without_lone_surrogates
from budget_magic.wire import BlockStart, ContentDelta, MessageStart, Reply

GAVE_UP: Final = frozenset({408, 499, 502, 504})
"""Statuses with which a gateway ends a request that the server behind it may have served."""


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What one attempt has shown so far."""

    inference_geo: str | None = None
    """Region that the request named."""
    begun: Usage | None = None
    reply: Reply | None = None
    faults: dict[str, str] = field(default_factory=dict)
    """Why calls of the reply cannot be run, by their ids."""
    characters: dict[DeltaKind, int] = field(default_factory=dict)
    blocks: int = 0
    """Blocks of text and calls."""


async def stream_once(
    turn: TurnContext, granted: Granted, *, attempt: int, started_s: float
) -> Reply:
    """Return the reply to the history as it stands; booked before anything reads it.

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
        task.gate.settle(granted, task.accounts)
        raise stop.Halted(stop.time_ceiling(turn))
    try:
        with turn.until_time_is_up():
            await _read(turn, granted, seen)
    except ConfigurationError as error:
        task.gate.settle(granted, task.accounts)
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
        raise stop.Halted(stop.time_ceiling(turn))
    _book(turn, granted, seen, seen.reply, took_s=turn.watch.elapsed_s - started_s)
    return seen.reply


def book_what_is_held(turn: TurnContext) -> None:
    """Book a request that something broke between its reservation and its own booking."""
    granted, task = turn.granted, turn.task
    if granted is None or not task.gate.settle(granted, task.accounts, unconfirmed=granted.hold):
        return
    task.emit(
        AttemptFailed(
            turn=turn.turn,
            step=turn.step + 1,
            attempt=turn.attempt,
            why="cut off",
            unconfirmed_usd=granted.hold.usd,
            unconfirmed_tokens=granted.hold.tokens,
            at_least_usd=Decimal(0),
        )
    )


async def _read(turn: TurnContext, granted: Granted, seen: _Seen) -> None:
    task, place = turn.task, {"turn": turn.turn, "step": turn.step + 1}
    sent = request(turn, extra=[], max_tokens=granted.max_tokens)
    seen.inference_geo = sent.inference_geo
    async with aclosing(task.client.stream(sent)) as events:
        async for event in events:
            match event:
                case MessageStart():
                    is_possible = event.usage and is_prompt_possible(event.usage, task.model)
                    seen.begun = event.usage if is_possible else None
                case BlockStart():
                    seen.blocks += event.kind != "thinking"
                    name = without_lone_surrogates(event.name)
                    started = BlockStarted(**place, block=event.block, kind=event.kind, name=name)
                    task.live(started)
                case ContentDelta():
                    text = without_lone_surrogates(event.text)
                    seen.characters[event.kind] = seen.characters.get(event.kind, 0) + len(text)
                    task.live(Delta(**place, block=event.block, kind=event.kind, text=text))
                case Reply():
                    whole = mended(event, task.conversation.call_ids)
                    seen.reply, seen.faults = whole.reply, whole.faults
                    if not _is_usage_possible(task, granted, seen, whole.reply):
                        seen.reply = replace(whole.reply, usage=None)
    if seen.reply is None:
        raise ConnectionBroken("the stream ended without a reply", reached=True)


def _is_usage_possible(task: TaskContext, granted: Granted, seen: _Seen, reply: Reply) -> bool:
    return reply.usage is not None and is_reply_possible(
        reply.usage,
        find_model(reply.model or "") or task.model,
        max_tokens=granted.max_tokens,
        characters=seen.characters.get("text", 0) + seen.characters.get("call", 0),
        searches=sum(block.get("type") == "server_tool_use" for block in reply.content),
    )


def _may_be_billed(error: WireError) -> bool:
    """False where the server refused by status, or no connection was made.

    A gateway that gave up may have cut off a reply that was written and billed behind it.
    """
    match error:
        case ApiError():
            return error.in_mid_stream or error.status in GAVE_UP
        case ConnectionBroken():
            return error.reached
        case _:
            return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bill:
    """What a complete reply cost, as far as its figures tell."""

    usage: Usage | None
    cost_usd: Decimal | None
    spent: Amount
    unconfirmed: Amount
    at_least: Amount
    """The part of `unconfirmed` that the streamed reply took surely."""
    is_cost_estimated: bool


def _book(turn: TurnContext, granted: Granted, seen: _Seen, reply: Reply, *, took_s: float) -> None:
    """Bill a complete reply, and enter it into the history."""
    task = turn.task
    bill = _bill(turn, granted, seen, reply)
    task.gate.settle(
        granted,
        task.accounts,
        spent=bill.spent,
        unconfirmed=bill.unconfirmed,
        at_least=bill.at_least,
        is_cut_off=bill.usage is None,
        is_reply=True,
    )
    usage = bill.usage or Usage()
    results, is_estimated = _result_tokens(task, bill.usage)
    text, calls, is_split = _split(task, seen, bill.usage)
    counted = usage.thinking_tokens + text + calls + results
    before = task.reading().remaining
    turn.step, turn.is_sending = turn.step + 1, False
    turn.is_first_request = False
    turn.longest_step_s = max(turn.longest_step_s, took_s)
    settings = task.settings
    task.emit(
        MessageAppended(
            turn=turn.turn,
            step=turn.step,
            message={"role": "assistant", "content": list(reply.content)},
            left_out=left_out(reply.content, paused=reply.stop_reason == "pause_turn"),
            faults=seen.faults,
        )
    )
    finished = StepFinished(
        turn=turn.turn,
        step=turn.step,
        model=reply.model or settings.model,
        stop_reason=reply.stop_reason,
        usage=usage,
        usage_known=bill.usage is not None,
        tool_result_tokens=results,
        tool_result_tokens_estimated=is_estimated,
        call_tokens=calls,
        text_tokens=text,
        split_estimated=is_split,
        budget_tokens=counted,
        remaining=None if before is None else before - counted,
        cost_usd=bill.cost_usd,
        cost_estimated=bill.is_cost_estimated,
        unconfirmed_usd=bill.unconfirmed.usd,
        unconfirmed_tokens=bill.unconfirmed.tokens,
        at_least_usd=bill.at_least.usd,
        at_least_tokens=bill.at_least.tokens,
        elapsed_s=took_s,
        request_id=reply.request_id,
        max_tokens=granted.max_tokens,
        requested_geo=seen.inference_geo,
        counted_prompt_tokens=turn.counted_tokens,
        streamed_characters=dict(seen.characters),
        streamed_blocks=seen.blocks,
    )
    task.emit(finished)
    learn(task.client.learned, finished, asked_model=settings.model)


def _bill(turn: TurnContext, granted: Granted, seen: _Seen, reply: Reply) -> _Bill:
    task = turn.task
    if reply.usage is None:
        most = _most(task, granted, seen.begun)
        task.note_once(
            turn.turn,
            "a reply came with invalid usage: its worst-case cost is unconfirmed and its token"
            " counts are estimates",
        )
        return _Bill(
            usage=None,
            cost_usd=None if task.prices is None else Decimal(0),
            spent=Amount(),
            unconfirmed=most,
            at_least=_least(task, seen, most),
            is_cost_estimated=True,
        )
    usage = replace(reply.usage, inference_geo=reply.usage.inference_geo or seen.inference_geo)
    model, own = task.settings.model, task.own_prices
    doubts = list(pricing_doubts(usage, asked=model, answered=reply.model, own=own))
    for doubt in doubts:
        task.note_once(turn.turn, doubt)
    answered = billed_model(model, reply.model, own)
    if answered != model:
        task.note_once(turn.turn, f"{answered} answered instead of {model} and is priced as such")
    cost = step_cost_usd(usage, answered, own)
    taken = granted.hold.usd if cost is None else cost
    return _Bill(
        usage=usage,
        cost_usd=cost,
        spent=Amount(usd=taken, tokens=usage.ceiling_tokens),
        unconfirmed=Amount(usd=_extra_of_unknown_region(turn, usage, cost)),
        at_least=Amount(),
        is_cost_estimated=bool(doubts),
    )


def _extra_of_unknown_region(turn: TurnContext, usage: Usage, cost: Decimal | None) -> Decimal:
    """Return what a reply costs more if the region that it does not name is the dearer one."""
    task = turn.task
    has_regions = task.model is None or task.model.takes_inference_geo
    if cost is None or not has_regions or usage.inference_geo in REGION_FACTORS:
        return Decimal(0)
    task.note_once(
        turn.turn,
        "the replies do not name their inference region: the 10 % surcharge for US-only inference"
        " counts as unconfirmed",
    )
    searches = WEB_SEARCH_USD * usage.web_search_requests
    return (cost - searches) * (US_INFERENCE - 1)


def _split(task: TaskContext, seen: _Seen, usage: Usage | None) -> tuple[int, int, bool]:
    """Return tokens of text and of calls, and whether they are an estimate."""
    text, call = seen.characters.get("text", 0), seen.characters.get("call", 0)
    if usage is not None:
        return split_output(usage, task.ratios, text=text, call=call)
    thinking = task.ratios.tokens("thinking", seen.characters.get("thinking", 0))
    return task.ratios.tokens("text", text) + thinking, task.ratios.tokens("call", call), True


def _result_tokens(task: TaskContext, usage: Usage | None) -> tuple[int, bool]:
    """Return the tokens of the new tool results, and whether that is an estimate."""
    conversation = task.conversation
    new = conversation.unmeasured_blocks()
    results = [block for block in new if block["type"] == "tool_result"]
    if not results:
        return 0, False
    others = [block for block in new if block["type"] == "text"]
    beside = sum(task.ratios.tokens("text", len(block["text"])) for block in others)
    baseline = conversation.baseline
    if baseline is None or usage is None:
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
    least = _least(task, seen, most)
    task.gate.settle(granted, task.accounts, unconfirmed=most, at_least=least)
    fact = AttemptFailed(
        turn=turn.turn,
        step=turn.step + 1,
        attempt=attempt,
        why=why,
        unconfirmed_usd=most.usd,
        unconfirmed_tokens=most.tokens,
        at_least_usd=least.usd,
        at_least_tokens=least.tokens,
    )
    return task.emit(fact)


def _most(task: TaskContext, granted: Granted, begun: Usage | None) -> Amount:
    """Worst case of a request that broke; its input figures are exact once it began."""
    if begun is None:
        return granted.hold
    usd = granted.hold.usd
    input_usd = step_cost_usd(_input_only(begun), task.settings.model, task.own_prices)
    if input_usd is not None and task.worst_prices is not None:
        prices = prices_in_force(task.worst_prices, begun.prompt_tokens, begun.speed)
        factor = REGION_FACTORS.get(begun.inference_geo or "", task.factor)
        usd = input_usd * factor / billing_factor(begun)
        usd += prices.output * granted.max_tokens / MTOK * factor
    tokens = begun.input_tokens + begun.cache_creation_input_tokens + granted.max_tokens
    return Amount(usd=min(usd, granted.hold.usd), tokens=min(tokens, granted.hold.tokens))


def _least(task: TaskContext, seen: _Seen, most: Amount) -> Amount:
    """Return what a broken request took at least: its input, and the text that had streamed."""
    if seen.begun is None:
        return Amount()
    streamed = sum(task.ratios.tokens(kind, size) for kind, size in seen.characters.items())
    usage = replace(_input_only(seen.begun), output_tokens=streamed)
    usd = step_cost_usd(usage, task.settings.model, task.own_prices) or Decimal(0)
    tokens = usage.input_tokens + usage.cache_creation_input_tokens + streamed
    return Amount(usd=min(usd, most.usd), tokens=min(tokens, most.tokens))


def _input_only(usage: Usage) -> Usage:
    return replace(usage, output_tokens=0, iterations=())

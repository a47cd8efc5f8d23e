"""One attempt of a step: stream the reply, and book what it cost however it ends."""

from __future__ import annotations

import json
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from budget_magic.characters import without_lone_surrogates
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
from budget_magic.loop import endings
from budget_magic.loop.admit import request
from budget_magic.loop.contexts import TaskContext, TurnContext
from budget_magic.loop.malformed import left_out, repair_reply
from budget_magic.meter.account import Amount
from budget_magic.meter.cost import (
    MTOK,
    WEB_SEARCH_USD,
    billed_model,
    billing_factor,
    prices_in_force,
    pricing_doubts,
    step_cost_usd,
)
from budget_magic.meter.estimate import split_output
from budget_magic.meter.plausible import is_prompt_possible, is_reply_possible
from budget_magic.meter.reserve import Granted
from budget_magic.models import REGION_FACTORS, US_INFERENCE, find_model
from budget_magic.tools.result import without_media
from budget_magic.wire import BlockStart, ContentDelta, MessageStart, Reply

TYPICAL_IMAGE_TOKENS: Final = 1_600
TYPICAL_DOCUMENT_TOKENS: Final = 3_000
"""One page (platform.claude.com, "PDF support": 1,500 to 3,000 tokens of text a page)."""
GAVE_UP: Final = frozenset({408, 499, 502, 504})
"""Statuses with which a gateway ends a request that the server behind it may have served."""


async def stream_once(
    turn: TurnContext, granted: Granted, *, attempt: int, started_s: float
) -> Reply:
    """Return the reply to the current history; it is booked before anything reads it.

    `attempt` counts from 1 within the step; `started_s` is the turn's running time when it began.

    Raises
    ------
    WireError
        The attempt failed; it is booked already.
    Halted
        The time ceiling was reached during the reply.
    """
    task = turn.task
    this = _Attempt(turn=turn, granted=granted, number=attempt, started_s=started_s)
    if turn.left_s is not None and turn.left_s <= 0:
        task.gate.settle(granted, task.accounts)
        raise endings.Halted(endings.time_ceiling(turn))
    try:
        with turn.until_time_is_up():
            await this.read()
    except ConfigurationError as error:
        task.gate.settle(granted, task.accounts)
        raise endings.Halted(endings.cannot_send(turn, error)) from error
    except WireError as error:
        # A complete stream can still break while it is being closed: then the reply counts.
        if this.reply is None:
            this.book_failure(str(error), may_be_billed=_may_be_billed(error))
            raise
    except BaseException:
        if this.reply is not None:
            this.book(this.reply)
        else:
            turn.cut_off = this.book_failure("cut off")
        raise
    if this.reply is None:
        this.book_failure("cut off by the time ceiling")
        raise endings.Halted(endings.time_ceiling(turn))
    this.book(this.reply)
    return this.reply


def book_what_is_held(turn: TurnContext) -> None:
    """Book a request that something broke between its reservation and its own booking."""
    granted, task = turn.granted, turn.task
    if granted is None:
        return
    fact = AttemptFailed(
        turn=turn.turn,
        step=turn.step + 1,
        attempt=turn.attempt,
        why="cut off",
        unconfirmed_usd=granted.hold.usd,
        unconfirmed_tokens=granted.hold.tokens,
    )
    if task.gate.settle(granted, task.accounts, fact):
        task.emit(fact)


def _may_be_billed(error: WireError) -> bool:
    """Return False if the server refused by status, or no connection was made.

    A gateway that gave up may have cut off a reply that was written and billed behind it.
    """
    match error:
        case ApiError():
            return error.in_mid_stream or error.status in GAVE_UP
        case ConnectionBroken():
            return error.reached
        case _:
            return True


@dataclass(slots=True, kw_only=True)
class _Attempt:
    """A request, and what its stream has shown so far."""

    turn: TurnContext
    granted: Granted
    number: int
    started_s: float
    requested_geo: str | None = None
    begun: Usage | None = None
    reply: Reply | None = None
    faults: dict[str, str] = field(default_factory=dict)
    characters: dict[DeltaKind, int] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    """The text that has streamed, in pieces."""
    blocks: int = 0
    """Blocks of text and calls."""

    @property
    def task(self) -> TaskContext:
        return self.turn.task

    async def read(self) -> None:
        """Stream the reply, and show it as it comes."""
        task, place = self.task, {"turn": self.turn.turn, "step": self.turn.step + 1}
        sent = request(self.turn, max_tokens=self.granted.max_tokens)
        self.requested_geo = sent.inference_geo
        async with aclosing(task.client.stream(sent)) as events:
            async for event in events:
                match event:
                    case MessageStart():
                        is_possible = event.usage and is_prompt_possible(event.usage, task.model)
                        self.begun = event.usage if is_possible else None
                    case BlockStart(block=block, kind=kind):
                        self.blocks += kind != "thinking"
                        name = without_lone_surrogates(event.name)
                        task.live(BlockStarted(**place, block=block, kind=kind, name=name))
                    case ContentDelta(block=block, kind=kind):
                        text = without_lone_surrogates(event.text)
                        self.characters[kind] = self.characters.get(kind, 0) + len(text)
                        if kind == "text":
                            self.said.append(text)
                        task.live(Delta(**place, block=block, kind=kind, text=text))
                    case Reply():
                        reply, self.faults = repair_reply(event, task.conversation.call_ids)
                        is_valid = self._is_usage_possible(reply)
                        self.reply = reply if is_valid else replace(reply, usage=None)
        if self.reply is None:
            raise ConnectionBroken("the stream ended without a reply", reached=True)

    def _is_usage_possible(self, reply: Reply) -> bool:
        return reply.usage is not None and is_reply_possible(
            reply.usage,
            find_model(reply.model or "") or self.task.model,
            max_tokens=self.granted.max_tokens,
            characters=self.characters.get("text", 0) + self.characters.get("call", 0),
            searches=sum(block.get("type") == "server_tool_use" for block in reply.content),
        )

    def book(self, reply: Reply) -> None:
        """Bill a complete reply, and enter it into the history."""
        turn, task = self.turn, self.task
        finished = self._priced(self._counted(reply), reply)
        task.gate.settle(self.granted, task.accounts, finished)
        turn.step, turn.is_sending = finished.step, False
        turn.is_first_request = False
        turn.longest_step_s = max(turn.longest_step_s, finished.elapsed_s)
        asked_model = task.settings.model
        task.emit(
            MessageAppended(
                turn=turn.turn,
                step=turn.step,
                message={"role": "assistant", "content": list(reply.content)},
                left_out=left_out(reply.content, paused=reply.stop_reason == "pause_turn"),
                faults=self.faults,
            )
        )
        task.emit(finished)
        task.client.learned.learn(finished, asked_model=asked_model)

    def book_failure(self, why: str, *, may_be_billed: bool = True) -> AttemptFailed:
        """Book a request that got no complete reply."""
        task = self.task
        fact = AttemptFailed(
            turn=self.turn.turn,
            step=self.turn.step + 1,
            attempt=self.number,
            why=why,
            # Its end may be the beginning of a secret, which no redaction would find.
            streamed_text=task.redactor.split("".join(self.said), last=False)[0],
            **(self._unconfirmed() if may_be_billed else {}),
        )
        task.gate.settle(self.granted, task.accounts, fact)
        return task.emit(fact)

    def _counted(self, reply: Reply) -> StepFinished:
        """Return the fact of a reply with its tokens, without what it cost."""
        turn, task, usage = self.turn, self.task, reply.usage
        if usage is not None:
            usage = replace(usage, inference_geo=usage.inference_geo or self.requested_geo)
        results, is_estimated = _result_tokens(task, usage)
        text, calls, is_split = self._split(usage)
        counted = (usage.thinking_tokens if usage else 0) + text + calls + results
        left = task.reading().remaining
        return StepFinished(
            turn=turn.turn,
            step=turn.step + 1,
            model=reply.model or task.settings.model,
            stop_reason=reply.stop_reason,
            usage=usage or Usage(),
            usage_known=usage is not None,
            tool_result_tokens=results,
            tool_result_tokens_estimated=is_estimated,
            call_tokens=calls,
            text_tokens=text,
            split_estimated=is_split,
            budget_tokens=counted,
            remaining=None if left is None else left - counted,
            cost_usd=None,
            elapsed_s=turn.watch.elapsed_s - self.started_s,
            turn_elapsed_s=turn.watch.elapsed_s,
            request_id=reply.request_id,
            max_tokens=self.granted.max_tokens,
            requested_geo=self.requested_geo,
            counted_prompt_tokens=turn.counted_tokens,
            streamed_characters=dict(self.characters),
            streamed_blocks=self.blocks,
        )

    def _split(self, usage: Usage | None) -> tuple[int, int, bool]:
        """Return the tokens of text and of calls, and whether they are an estimate."""
        ratios, shown = self.task.ratios, self.characters
        text, call = shown.get("text", 0), shown.get("call", 0)
        if usage is not None:
            return split_output(usage, ratios, text=text, call=call)
        thinking = ratios.tokens("thinking", shown.get("thinking", 0))
        return ratios.tokens("text", text) + thinking, ratios.tokens("call", call), True

    def _priced(self, fact: StepFinished, reply: Reply) -> StepFinished:
        """Return the fact with what the reply cost, as far as its usage is known."""
        task, turn = self.task, self.turn.turn
        if not fact.usage_known:
            task.note_once(
                turn,
                "a reply came with invalid usage: its worst-case cost is unconfirmed and its token"
                " counts are estimates",
            )
            cost = None if task.prices is None else Decimal(0)
            return replace(fact, cost_usd=cost, cost_estimated=True, **self._unconfirmed())
        asked, own = task.settings.model, task.own_prices
        doubts = list(pricing_doubts(fact.usage, asked=asked, answered=reply.model, own=own))
        for doubt in doubts:
            task.note_once(turn, doubt)
        answered = billed_model(asked, reply.model, own)
        if answered != asked:
            task.note_once(turn, f"{answered} answered instead of {asked} and is priced as such")
        cost = step_cost_usd(fact.usage, answered, own)
        extra = self._extra_of_unknown_region(fact.usage, cost)
        return replace(fact, cost_usd=cost, cost_estimated=bool(doubts), unconfirmed_usd=extra)

    def _extra_of_unknown_region(self, usage: Usage, cost: Decimal | None) -> Decimal:
        """Return the extra cost if the region that the reply does not name is the dearer one."""
        task = self.task
        has_regions = task.model is None or task.model.takes_inference_geo
        if cost is None or not has_regions or usage.inference_geo in REGION_FACTORS:
            return Decimal(0)
        task.note_once(
            self.turn.turn,
            "the replies do not name their inference region: the 10 % surcharge for US-only"
            " inference counts as unconfirmed",
        )
        searches = WEB_SEARCH_USD * usage.web_search_requests
        return (cost - searches) * (US_INFERENCE - 1)

    def _unconfirmed(self) -> dict[str, Any]:
        """Return the fields that book a request of unknown cost."""
        most, least = self._most(), self._least()
        return {
            "unconfirmed_usd": most.usd,
            "unconfirmed_tokens": most.tokens,
            "at_least_usd": min(least.usd, most.usd),
            "at_least_tokens": min(least.tokens, most.tokens),
        }

    def _most(self) -> Amount:
        """Return the worst case of the request; its input figures are exact once it began."""
        hold, task, begun = self.granted.hold, self.task, self.begun
        if begun is None:
            return hold
        usd = hold.usd
        input_usd = step_cost_usd(_input_only(begun), task.settings.model, task.own_prices)
        if input_usd is not None and task.worst_prices is not None:
            prices = prices_in_force(task.worst_prices, begun.prompt_tokens, begun.speed)
            factor = REGION_FACTORS.get(begun.inference_geo or "", task.factor)
            usd = input_usd * factor / billing_factor(begun)
            usd += prices.output * self.granted.max_tokens / MTOK * factor
        tokens = begun.input_tokens + begun.cache_creation_input_tokens + self.granted.max_tokens
        return Amount(usd=min(usd, hold.usd), tokens=min(tokens, hold.tokens))

    def _least(self) -> Amount:
        """Return what the request took at least: its input, and the text that had streamed."""
        task = self.task
        if self.begun is None:
            return Amount()
        streamed = sum(task.ratios.tokens(kind, size) for kind, size in self.characters.items())
        usage = replace(_input_only(self.begun), output_tokens=streamed)
        usd = step_cost_usd(usage, task.settings.model, task.own_prices) or Decimal(0)
        tokens = usage.input_tokens + usage.cache_creation_input_tokens + streamed
        return Amount(usd=usd, tokens=tokens)


def _input_only(usage: Usage) -> Usage:
    return replace(usage, output_tokens=0, iterations=())


def _result_tokens(task: TaskContext, usage: Usage | None) -> tuple[int, bool]:
    """Return the tokens of the new tool results, and whether that is an estimate."""
    new = task.conversation.blocks_since(task.conversation.measured)
    results = [block for block in new if block["type"] == "tool_result"]
    if not results:
        return 0, False
    baseline = task.conversation.baseline
    if baseline is None or usage is None:
        return sum(_estimated_tokens(task, block) for block in results), True
    texts = [block["text"] for block in new if block["type"] == "text"]
    beside = sum(task.ratios.tokens("text", len(text)) for text in texts)
    measured = usage.prompt_tokens - baseline.prompt_tokens - baseline.reply_tokens
    return max(measured - beside, 0), bool(beside)


def _estimated_tokens(task: TaskContext, result: dict[str, Any]) -> int:
    text, images, documents = without_media(result)
    size = len(json.dumps(text["content"], ensure_ascii=False))
    media = images * TYPICAL_IMAGE_TOKENS + documents * TYPICAL_DOCUMENT_TOKENS
    return task.ratios.tokens("text", size) + media

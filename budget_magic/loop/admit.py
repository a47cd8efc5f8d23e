"""Before a request is sent: how large it can be, whether it fits, and what it says."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from budget_magic.events import (
    EffortChanged,
    MessageAppended,
    NoticePosted,
    Reason,
    WaitFinished,
    WaitStarted,
)
from budget_magic.loop import stop
from budget_magic.loop.calls import answer_open_calls
from budget_magic.loop.conversation import (
    GO_ON,
    NOT_SHOWN,
    carries_results,
    prompt_bound,
    text_block,
    text_bytes,
)
from budget_magic.loop.effort import EffortUpdate, next_effort
from budget_magic.loop.task import TurnContext
from budget_magic.meter.account import Account
from budget_magic.meter.plausible import is_count_possible
from budget_magic.meter.reserve import (
    LAST_REPLY_TOKENS,
    Demand,
    Granted,
    Refused,
    needed_reply,
)
from budget_magic.wire import Request

LAST_ANSWER: Final = (
    "This is the last reply before a ceiling: write your final summary now, from what you know,"
    " and do not call tools."
)
FIRST_COUNT_MARGIN: Final = Decimal("0.06")
"""Added to the API's count, an estimate by its documentation, until its error is known."""
COUNT_MARGIN: Final = Decimal("0.02")
"""Added to the largest error that billed prompts have shown."""
LEAST_MARGIN_TOKENS: Final = 200
SENTENCE_TOKENS: Final = 20
"""At least what the last-answer sentence takes, which every count has in it."""

Blocks = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A request that may be sent."""

    granted: Granted
    last_before: Reason | None
    """The ceiling before which it asks for a last answer; None for an ordinary step."""


async def admit(
    turn: TurnContext, *, last_before: Reason | None, ask: str | None = None
) -> Admitted:
    """Reserve room for the next request and enter its message into the history.

    Parameters
    ----------
    turn
        The turn under way.
    last_before
        The ceiling for which an earlier attempt of this step asked for a last answer already.
    ask
        Asks for a summary of the history in place of the prompt.

    Raises
    ------
    Halted
        There is no room; nothing was held and the history is unchanged.
    """
    conversation, told = turn.task.conversation, last_before is not None
    must_be_last = told or turn.is_last_step or turn.cut_by is not None
    answer_open_calls(turn, "")  # the API refuses a history with an open call
    blocks, effort = next_effort(turn.task, conversation.outgoing(ask))
    granted = await _reserve(turn, blocks, effort, must_be_last=must_be_last)
    if isinstance(granted, Refused) and not turn.is_first_request and turn.task.settings.wrap_up:
        shortened = [_not_shown(block) for block in blocks]
        if shortened != blocks:
            blocks, last_before = shortened, granted.reason
            granted = await _reserve(turn, blocks, effort, must_be_last=True)
    if isinstance(granted, Refused):
        needs = stop.NextStep(alone=granted.needs, beside_last_answer=granted.needs)
        raise stop.Halted(stop.out_of_room(turn, granted.reason, needs, granted.account))
    if granted.last_answer and not told:
        blocks = [
            *(block for block in blocks if block != text_block(GO_ON)),
            text_block(LAST_ANSWER),
        ]
        by_count = turn.ceiling_of_last_step if turn.is_last_step else None
        last_before = last_before or by_count or turn.cut_by or granted.shrunk_by
    _append(turn, blocks, effort, asks_for_summary=ask is not None)
    return Admitted(granted=granted, last_before=last_before)


def _append(
    turn: TurnContext, blocks: Blocks, effort: EffortUpdate, *, asks_for_summary: bool
) -> None:
    """Enter what the request says beside the history; it is sent with the request."""
    task, step = turn.task, turn.step + 1
    if effort.at_top_level is not None:
        task.emit(EffortChanged(turn=turn.turn, step=step, effort=effort.at_top_level))
    if blocks:
        note = task.conversation.sent_budget(begins_user_turn=_begins_user_turn(blocks)).note
        if note and _begins_user_turn(blocks):
            task.emit(NoticePosted(turn=turn.turn, text=note))
        task.emit(
            MessageAppended(
                turn=turn.turn,
                step=step,
                message={"role": "user", "content": blocks},
                purpose="summary_request" if asks_for_summary else "turn",
            )
        )
    if effort.by_message is not None:
        config = {"output_config": {"effort": effort.by_message}}
        message = {"role": "system", "content": [], **config}
        task.emit(MessageAppended(turn=turn.turn, step=step, message=message))


def request(turn: TurnContext, *, extra: Blocks | None = None, max_tokens: int) -> Request:
    """Return the request for the history as it stands, with `extra` as one more user message."""
    task, conversation, model = turn.task, turn.task.conversation, turn.task.model
    budget = conversation.sent_budget(begins_user_turn=_begins_user_turn(extra or []))
    messages, marked = conversation.sent(
        with_effort_messages=model is not None and model.effort_per_message
    )
    if extra:
        messages = (*messages, {"role": "user", "content": extra})
    return Request(
        model=task.settings.model,
        max_tokens=max_tokens,
        system=task.settings.system,
        tools=task.definitions,
        messages=messages,
        effort=conversation.effort,
        budget=budget.total,
        remaining=budget.remaining,
        adaptive_thinking=model is None or model.adaptive_thinking,
        drops_bound_thinking=conversation.drops_bound_thinking
        and model is not None
        and model.binds_thinking,
        breakpoints=() if extra else marked,
        inference_geo=task.inference_geo,
    )


def next_step_needs(turn: TurnContext) -> stop.NextStep:
    """Return what the next ordinary step would have needed, alone and beside a last answer."""
    task, conversation = turn.task, turn.task.conversation
    preamble = (task.definitions, task.settings.system)
    bound = prompt_bound(conversation, conversation.outgoing(), preamble=preamble)
    known = conversation.known_tokens(conversation.sent_budget().total)
    demand = _demand(turn, bound, known, must_be_last=False)
    return stop.NextStep(
        alone=demand.worst(demand.reply_tokens),
        beside_last_answer=demand.with_last_answer(demand.reply_tokens, task.account),
    )


def _not_shown(block: dict[str, Any]) -> dict[str, Any]:
    return {**block, "content": NOT_SHOWN} if block["type"] == "tool_result" else block


def _begins_user_turn(blocks: Blocks) -> bool:
    return bool(blocks) and not carries_results(blocks)


async def _reserve(
    turn: TurnContext, blocks: Blocks, effort: EffortUpdate, *, must_be_last: bool
) -> Granted | Refused:
    task = turn.task
    with_sentence = [*blocks, text_block(LAST_ANSWER)]
    preamble = (task.definitions, task.settings.system)
    bound = prompt_bound(task.conversation, with_sentence, preamble=preamble)
    total = task.conversation.sent_budget(begins_user_turn=_begins_user_turn(blocks)).total
    known = 0 if effort.at_top_level else task.conversation.known_tokens(total)
    demand = _demand(turn, bound, known, must_be_last=must_be_last)
    turn.counted_tokens = None
    context_is_near = demand.wanted_tokens < min(LAST_REPLY_TOKENS, task.settings.max_tokens)
    if context_is_near or not _fits_whole(demand, task.accounts):
        counting = request(turn, extra=with_sentence, max_tokens=1)
        counted = await _count(turn, counting)
        if counted is not None and is_count_possible(counted, text_bytes(counting.messages)):
            turn.counted_tokens = counted - SENTENCE_TOKENS
            at_most = counted + _count_margin(turn, counted)
            demand = _demand(turn, min(bound, at_most), known, must_be_last=must_be_last)
        if demand.wanted_tokens < 1:
            raise stop.Halted(stop.context_window(turn))
    return await _wait_for_room(turn, demand)


async def _count(turn: TurnContext, counting: Request) -> int | None:
    """Return the API's count of a prompt in tokens; None where it cannot be had.

    Raises
    ------
    Halted
        The time ceiling was reached before the answer came.
    """
    with turn.until_time_is_up():
        return await turn.task.client.count_tokens(counting)
    raise stop.Halted(stop.time_ceiling(turn))


def _count_margin(turn: TurnContext, counted: int) -> int:
    error = turn.task.client.learned.count_errors.get(turn.task.settings.model)
    share = FIRST_COUNT_MARGIN if error is None else error + COUNT_MARGIN
    return max(math.ceil(counted * share), LEAST_MARGIN_TOKENS)


def _fits_whole(demand: Demand, accounts: tuple[Account, ...]) -> bool:
    """Return whether the whole demand fits by the rough bound, so that no count is needed."""
    wanted, own = demand.wanted_tokens, accounts[0]
    return (
        wanted > 0
        and all(account.has_room(demand.worst(wanted)) for account in accounts)
        and own.has_room(demand.with_last_answer(wanted, own))
    )


def _demand(turn: TurnContext, bound: int, known: int, *, must_be_last: bool) -> Demand:
    task, model = turn.task, turn.task.model
    wanted = task.settings.max_tokens
    if model is not None:
        wanted = min(wanted, model.max_output_tokens, model.context_tokens - bound)
    return Demand(
        prompt_tokens=bound,
        known_tokens=min(known, bound),
        wanted_tokens=wanted,
        prices=task.worst_prices,
        factor=task.factor,
        first=turn.is_first_request,
        wrap_up=task.settings.wrap_up,
        must_be_last=must_be_last,
        reply_tokens=needed_reply(_mean_reply_tokens(turn), task.settings.max_tokens),
    )


def _mean_reply_tokens(turn: TurnContext) -> float:
    spend = turn.task.reading().this_turn
    return spend.output_tokens / spend.steps if spend.steps else 0.0


async def _wait_for_room(turn: TurnContext, demand: Demand) -> Granted | Refused:
    task, since_s = turn.task, turn.task.now()
    waits = False

    def on_wait(account: Account) -> None:
        nonlocal waits
        waits = True
        task.emit(WaitStarted(turn=turn.turn, step=turn.step + 1, account=account.name))

    with turn.watch.paused():
        decision = await task.gate.reserve(demand, task.accounts, on_wait)
    turn.granted = decision if isinstance(decision, Granted) else None
    if waits:
        waited_s = task.now() - since_s
        task.emit(WaitFinished(turn=turn.turn, step=turn.step + 1, waited_s=waited_s))
    return decision

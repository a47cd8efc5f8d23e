"""Admit a request: how large it can be, whether it fits, and what it says."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, Final

from budget_magic.events import (
    EffortChanged,
    Fact,
    MessageAppended,
    NoticePosted,
    Reason,
    WaitFinished,
    WaitStarted,
)
from budget_magic.loop import endings
from budget_magic.loop.calls import answer_open_calls
from budget_magic.loop.contexts import TurnContext
from budget_magic.loop.conversation import GO_ON, NOT_SHOWN, carries_results, text_block
from budget_magic.loop.no_room import NextStep, out_of_room
from budget_magic.loop.prompt_size import prompt_bound, text_bytes
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
"""Margin on the API's count, an estimate by its documentation, until its error is known."""
COUNT_MARGIN: Final = Decimal("0.02")
"""Added to the largest error that billed prompts have shown."""
LEAST_MARGIN_TOKENS: Final = 200
SENTENCE_TOKENS: Final = 20
"""A lower bound of the last-answer sentence, which every count includes."""

Blocks = list[dict[str, Any]]


async def admit(
    turn: TurnContext, *, last_before: Reason | None, ask: str | None = None
) -> tuple[Granted, Reason | None]:
    """Reserve room for the next request and enter its message into the history.

    Return what was granted, and the ceiling before which the request asks for a last answer, None
    for an ordinary step. `last_before` is that ceiling if an earlier attempt asked already; `ask`
    asks for a summary in place of the prompt.

    Raises
    ------
    Halted
        There is no room; nothing was held and the history is unchanged.
    """
    conversation, told = turn.task.conversation, last_before is not None
    must_be_last = told or turn.last_step_by is not None or turn.cut_by is not None
    answer_open_calls(turn, "")  # the API refuses a history with an open call
    blocks, effort = _next_effort(turn, conversation.outgoing(ask))
    granted = await _reserve(turn, blocks, effort, must_be_last=must_be_last)
    if isinstance(granted, Refused) and not turn.is_first_request and turn.task.settings.wrap_up:
        shortened = [_not_shown(block) for block in blocks]
        if shortened != blocks:
            blocks, last_before = shortened, granted.reason
            granted = await _reserve(turn, blocks, effort, must_be_last=True)
    if isinstance(granted, Refused):
        needs = NextStep(alone=granted.needs, beside_last_answer=granted.needs)
        raise endings.Halted(out_of_room(turn, granted.reason, needs, granted.account))
    if granted.last_answer and not told:
        blocks = [block for block in blocks if block != text_block(GO_ON)]
        blocks.append(text_block(LAST_ANSWER))
        last_before = last_before or turn.last_step_by or turn.cut_by or granted.shrunk_by
    _append(turn, blocks, effort, asks_for_summary=ask is not None)
    return granted, last_before


def _next_effort(turn: TurnContext, blocks: Blocks) -> tuple[Blocks, Fact | None]:
    """Return the blocks of the next user message, and the fact that changes the effort, if any.

    A message keeps the cached prefix; naming the effort at the top level writes it anew.

    Notes
    -----
    platform.claude.com, "Effort per message" (2026-11): a message takes effect only after new
    input, which tool results are not; once one is in the history it outranks the top level.
    """
    task, model, conversation = turn.task, turn.task.model, turn.task.conversation
    wanted = task.settings.effort if model is None or model.effort_levels else None
    before, step = conversation.spoken_effort, turn.step + 1
    if wanted is None or wanted == before:
        return blocks, None
    by_message = model is not None and model.effort_per_message
    has_messages = by_message and conversation.message_effort() is not None
    is_new_input = any(block["type"] == "text" for block in blocks)
    if before is None or not (by_message and (is_new_input or has_messages)):
        return blocks, EffortChanged(turn=turn.turn, step=step, effort=wanted)
    message = {"role": "system", "content": [], "output_config": {"effort": wanted}}
    blocks = blocks if is_new_input else [*blocks, text_block(GO_ON)]
    return blocks, MessageAppended(turn=turn.turn, step=step, message=message)


def _append(
    turn: TurnContext, blocks: Blocks, effort: Fact | None, *, asks_for_summary: bool
) -> None:
    """Enter what the request adds to the history."""
    task = turn.task
    if isinstance(effort, EffortChanged):
        task.emit(effort)
    if blocks:
        note = task.conversation.sent_budget(begins_user_turn=_begins_user_turn(blocks)).note
        if note and _begins_user_turn(blocks):
            task.emit(NoticePosted(turn=turn.turn, text=note))
        task.emit(
            MessageAppended(
                turn=turn.turn,
                step=turn.step + 1,
                message={"role": "user", "content": blocks},
                purpose="summary_request" if asks_for_summary else "turn",
            )
        )
    if isinstance(effort, MessageAppended):
        task.emit(effort)


def request(turn: TurnContext, *, extra: Blocks | None = None, max_tokens: int) -> Request:
    """Return the request for the current history, with `extra` as one more user message."""
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


def next_step_needs(turn: TurnContext) -> NextStep:
    """Return what the next ordinary step would have needed, alone and beside a last answer."""
    task, conversation = turn.task, turn.task.conversation
    known = conversation.known_tokens(conversation.sent_budget().total)
    demand = _demand(turn, _bound(turn, conversation.outgoing()), known, must_be_last=False)
    return NextStep(
        alone=demand.worst(demand.reply_tokens),
        beside_last_answer=demand.with_last_answer(demand.reply_tokens, task.account),
    )


def _not_shown(block: dict[str, Any]) -> dict[str, Any]:
    return {**block, "content": NOT_SHOWN} if block["type"] == "tool_result" else block


def _begins_user_turn(blocks: Blocks) -> bool:
    return bool(blocks) and not carries_results(blocks)


async def _reserve(
    turn: TurnContext, blocks: Blocks, effort: Fact | None, *, must_be_last: bool
) -> Granted | Refused:
    task = turn.task
    with_sentence = [*blocks, text_block(LAST_ANSWER)]
    bound = _bound(turn, with_sentence)
    total = task.conversation.sent_budget(begins_user_turn=_begins_user_turn(blocks)).total
    rewrites = isinstance(effort, EffortChanged)
    known = 0 if rewrites else task.conversation.known_tokens(total)
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
            raise endings.Halted(endings.context_window(turn))
    return await _wait_for_room(turn, demand)


def _bound(turn: TurnContext, blocks: Blocks) -> int:
    preamble = (turn.task.definitions, turn.task.settings.system)
    return prompt_bound(turn.task.conversation, blocks, preamble=preamble)


async def _count(turn: TurnContext, counting: Request) -> int | None:
    """Return the API's count of a prompt in tokens; None if it is not available."""
    with turn.until_time_is_up():
        return await turn.task.client.count_tokens(counting)
    raise endings.Halted(endings.time_ceiling(turn))


def _count_margin(turn: TurnContext, counted: int) -> int:
    error = turn.task.client.learned.count_errors.get(turn.task.settings.model)
    share = FIRST_COUNT_MARGIN if error is None else error + COUNT_MARGIN
    return max(math.ceil(counted * share), LEAST_MARGIN_TOKENS)


def _fits_whole(demand: Demand, accounts: tuple[Account, ...]) -> bool:
    """Return whether everything wanted fits by the rough bound, so that no count is needed."""
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

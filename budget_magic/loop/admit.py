"""Before a request is sent: how large it can be, whether it fits, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from budget_magic.events import Noted, Reason, WaitFinished, WaitStarted
from budget_magic.loop import stop
from budget_magic.loop.carry import CarryPolicy, SentBudget
from budget_magic.loop.conversation import NOT_SHOWN, prompt_bound, text_block
from budget_magic.loop.effort import take_up_effort
from budget_magic.loop.task import TurnContext
from budget_magic.meter.reserve import LAST_REPLY_TOKENS, Account, Demand, Granted, Refused
from budget_magic.wire import Request

LAST_ANSWER: Final = (
    "This is the last reply before a ceiling: write your final summary now, from what you know,"
    " and do not call tools."
)
COUNT_MARGIN: Final = Decimal("0.02")
"""The API's count is documented as an estimate that may be off by a little."""
LEAST_MARGIN_TOKENS: Final = 200

Blocks = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A request that may be sent."""

    granted: Granted
    last_before: Reason | None
    """The ceiling before which it asks for a last answer; None for an ordinary step."""


async def admit(turn: TurnContext, *, last_before: Reason | None) -> Admitted:
    """Reserve room for the next request and enter its message into the history.

    Parameters
    ----------
    turn
        The turn under way.
    last_before
        The ceiling for which an earlier attempt of this step asked for a last answer already.

    Raises
    ------
    Halted
        There is no room; nothing was held and the history is unchanged.
    """
    conversation, told = turn.task.conversation, last_before is not None
    blocks, effort = take_up_effort(turn.task, conversation.outgoing())
    if blocks and not any(block["type"] == "tool_result" for block in blocks):
        begin_user_turn(turn)
    granted = await _reserve(turn, blocks, must_be_last=told or turn.is_last_step)
    if isinstance(granted, Refused) and not turn.is_first_request and turn.task.settings.wrap_up:
        shortened = [_not_shown(block) for block in blocks]
        if shortened != blocks:
            blocks, last_before = shortened, granted.reason
            granted = await _reserve(turn, blocks, must_be_last=True)
    if isinstance(granted, Refused):
        raise stop.Halted(stop.out_of_room(turn, granted.reason, granted))
    if granted.last_answer and not told:
        blocks = [*blocks, text_block(LAST_ANSWER)]
        by_count = turn.ceiling_of_last_step if turn.is_last_step else None
        last_before = last_before or by_count or granted.shrunk_by
    conversation.commit(blocks, spoken_effort=effort)
    return Admitted(granted=granted, last_before=last_before)


def request(turn: TurnContext, *, extra: Blocks, max_tokens: int) -> Request:
    """The request for the history as it stands, with `extra` as one more user message."""
    task, conversation, model = turn.task, turn.task.conversation, turn.task.model
    budget = sent_budget(turn)
    messages, marked = conversation.sent(
        with_effort_messages=model is not None and model.effort_per_message
    )
    if extra:
        messages = (*messages, {"role": "user", "content": extra})
    return Request(
        model=task.settings.model,
        max_tokens=max_tokens,
        system=task.settings.system,
        tools=tuple(task.toolbox.definitions()),
        messages=messages,
        effort=conversation.effort,
        budget=budget.total,
        remaining=budget.remaining,
        adaptive_thinking=model is None or model.adaptive_thinking,
        drops_bound_thinking=conversation.drops_bound_thinking
        and model is not None
        and model.binds_thinking,
        breakpoints=() if extra else marked,
    )


def begin_user_turn(turn: TurnContext) -> None:
    """Note that the next request carries a user message without tool results.

    That is where the server may start a fresh budget.
    """
    conversation = turn.task.conversation
    conversation.spent_before = turn.task.reading().total.budget_tokens
    budget = sent_budget(turn)
    if conversation.sent_total not in {None, budget.total}:
        conversation.uncache()
    conversation.sent_total = budget.total
    if budget.note:
        turn.task.emit(Noted(turn=turn.turn, text=budget.note))


def sent_budget(turn: TurnContext) -> SentBudget:
    """What the next request says of the budget."""
    settings, conversation = turn.task.settings, turn.task.conversation
    return CarryPolicy(strategy=settings.carry).sent(
        settings.budget,
        removed_tokens=conversation.removed_tokens,
        spent_before=conversation.spent_before,
    )


def _not_shown(block: dict[str, Any]) -> dict[str, Any]:
    return {**block, "content": NOT_SHOWN} if block["type"] == "tool_result" else block


async def _reserve(turn: TurnContext, blocks: Blocks, *, must_be_last: bool) -> Granted | Refused:
    task = turn.task
    with_sentence = [*blocks, text_block(LAST_ANSWER)]
    preamble = (task.toolbox.definitions(), task.settings.system)
    bound = prompt_bound(task.conversation, with_sentence, preamble=preamble)
    demand = _demand(turn, bound, must_be_last=must_be_last)
    context_is_near = demand.wanted_tokens < min(LAST_REPLY_TOKENS, task.settings.max_tokens)
    if context_is_near or not _fits_whole(demand, task.accounts):
        counting = request(turn, extra=with_sentence, max_tokens=1)
        counted = await task.client.count_tokens(counting)
        if counted is not None:
            margin = max(int(counted * COUNT_MARGIN), LEAST_MARGIN_TOKENS)
            demand = _demand(turn, min(bound, counted + margin), must_be_last=must_be_last)
        if demand.wanted_tokens < 1:
            raise stop.Halted(stop.context_window(turn))
    return await _wait_for_room(turn, demand)


def _fits_whole(demand: Demand, accounts: tuple[Account, ...]) -> bool:
    """Whether all that is wanted fits by the rough bound, so that nothing need be counted."""
    worst = demand.worst(demand.wanted_tokens)
    beside = demand.with_last_answer(demand.wanted_tokens)
    return demand.wanted_tokens > 0 and all(
        account.has_room(worst) and (account.shared or account.has_room(beside))
        for account in accounts
    )


def _demand(turn: TurnContext, bound: int, *, must_be_last: bool) -> Demand:
    task, model = turn.task, turn.task.model
    wanted = task.settings.max_tokens
    if model is not None:
        wanted = min(wanted, model.max_output_tokens, model.context_tokens - bound)
    baseline = task.conversation.baseline
    return Demand(
        prompt_tokens=bound,
        known_tokens=min(baseline.prompt_tokens, bound) if baseline and baseline.is_cached else 0,
        wanted_tokens=wanted,
        prices=task.prices,
        factor=task.factor,
        first=turn.is_first_request,
        wrap_up=task.settings.wrap_up,
        must_be_last=must_be_last,
    )


async def _wait_for_room(turn: TurnContext, demand: Demand) -> Granted | Refused:
    task, since_s = turn.task, turn.task.now()
    waits = False

    def on_wait(account: Account) -> None:
        nonlocal waits
        waits = True
        task.emit(WaitStarted(turn=turn.turn, step=turn.step + 1, account=account.name))

    with turn.watch.paused():
        decision = await task.room.reserve(demand, task.accounts, on_wait)
    turn.granted = decision if isinstance(decision, Granted) else None
    if waits:
        waited_s = task.now() - since_s
        task.emit(WaitFinished(turn=turn.turn, step=turn.step + 1, waited_s=waited_s))
    return decision

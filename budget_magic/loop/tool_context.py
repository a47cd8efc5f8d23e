"""The context of one call: what its tool records and reserves, on the loop that runs the turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import TypeVar

from budget_magic.errors import ToolRefusal
from budget_magic.events import NoticePosted
from budget_magic.loop.contexts import TurnContext
from budget_magic.loop.conversation import OpenCall
from budget_magic.meter.account import Amount
from budget_magic.report.numbers import dollars
from budget_magic.tools.context import Reservation, ToolContext, amount
from budget_magic.tools.loop_thread import call_on_loop

T = TypeVar("T")


def tool_context(turn: TurnContext, call: OpenCall) -> ToolContext:
    """Return what the tool of a call may use."""
    loop, task = asyncio.get_running_loop(), turn.task

    def on_loop(function: Callable[[], T]) -> T:
        def while_open() -> T:
            if call not in task.conversation.unanswered():
                raise ToolRefusal(f"the call of {call.name} is over")
            return function()

        return call_on_loop(loop, while_open)

    def emit(notice: NoticePosted | str) -> None:
        if isinstance(notice, str):
            notice = NoticePosted(turn=turn.turn, text=notice)
        if not isinstance(notice, NoticePosted):
            raise ToolRefusal("a tool emits notices only: a text or a NoticePosted")
        on_loop(partial(task.emit, notice))

    def book(held: Amount, spent: Amount, unconfirmed: Amount) -> None:
        # Even after the call was answered: the hold must be released.
        call_on_loop(
            loop,
            partial(
                task.gate.settle_tool, held, task.accounts, spent=spent, unconfirmed=unconfirmed
            ),
        )

    def reserve(*, usd: Decimal = Decimal(0), tokens: int = 0) -> Reservation:
        held = amount(usd, tokens)
        on_loop(partial(_hold, turn, held))
        return Reservation(partial(book, held), held)

    return ToolContext(
        turn=turn.turn,
        step=turn.step,
        call_id=call.id,
        emit=emit,
        reserve=reserve,
        run_in_caller=task.run_in_caller,
        function_loop=task.function_loop,
        session=task.session,
        parent=task.record_of_call(call.id),
        accounts=task.around,
    )


def _hold(turn: TurnContext, amount: Amount) -> None:
    full = turn.task.gate.hold_for_tool(amount, turn.task.accounts)
    if full is None:
        return
    usd, tokens = full.headroom()
    is_money = usd is not None and amount.usd > usd
    left, needed = (dollars(usd), dollars(amount.usd)) if is_money else (tokens, amount.tokens)
    unit = "" if is_money else " tokens"
    raise ToolRefusal(
        f"the call needs {needed}{unit}, more than the {left}{unit} left under the ceilings of"
        f" {full.name}"
    )

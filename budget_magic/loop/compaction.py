"""Compaction: a summary that Claude wrote replaces the history.

Off unless `compact_at` is set. The summary request is a step like any other and carries the open
tool results, so that no call is left unanswered; its reply replaces all messages. From then on
`remaining` is sent: the server no longer sees what those messages had used (platform.claude.com,
"Task budgets", "Carrying a budget across compaction").
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal

from budget_magic.events import (
    HistoryRewritten,
    MessageAppended,
    MessagesWithdrawn,
    NoticePosted,
)
from budget_magic.loop.contexts import TurnContext
from budget_magic.loop.conversation import text_block
from budget_magic.loop.step import Answered, take_step
from budget_magic.meter.summary import least_prompt
from budget_magic.report.numbers import dollars

ASK: Final = (
    "This conversation has grown long: its history will be replaced by a summary that you write"
    " now. Include everything needed to continue from it alone: what was asked, what you found and"
    " where (file names, lines, figures), what you decided, what is done and what remains. Write"
    " nothing else and call no tools."
)
KEPT: Final = "Claude wrote no summary, so the history stays as it is"
UNANSWERED: Final = "the request for a summary was not answered, so the history stays as it is"
ENDS: Final = frozenset({"end_turn", "stop_sequence", "refusal"})
LEAST_GAIN: Final = 2
"""Size of a history, relative to its first request, from which on a summary is worth it."""


def is_due(turn: TurnContext) -> bool:
    """Return whether the next step asks for a summary.

    It does not while a call is unanswered, if it is the last step anyway, or if the summary would
    cost more than it saves (see `meter.summary`): a notice then says from what size on it will.
    """
    at, conversation = turn.task.settings.compact_at, turn.task.conversation
    baseline = conversation.baseline
    if at is None or baseline is None or not turn.may_compact or turn.last_step_by:
        return False
    if turn.cut_by is not None or conversation.paused or conversation.unanswered():
        return False
    size, first = baseline.prompt_tokens + baseline.reply_tokens, conversation.first_prompt_tokens
    least = max(LEAST_GAIN * first, least_prompt(first, turn.task.prices))
    if at <= size < least:
        _note_postponed(turn, at, first, least)
    return size >= max(at, least)


def _note_postponed(turn: TurnContext, at: int, first: int, least: int) -> None:
    """Say once in a task why a summary is not asked for yet."""
    told = f"a summary at {at:,} tokens would cost more than it saves"
    if not any(notice.startswith(told) for notice in turn.task.history.notices):
        why = f"since this history began with a prompt of {first:,}"
        text = f"{told}, {why}: it is asked for from {least:,} on"
        turn.task.emit(NoticePosted(turn=turn.turn, text=text))


async def compact(turn: TurnContext) -> Answered | None:
    """Ask for a summary and replace the history with it.

    Returns a reply that is not a summary if it decides how the turn continues, otherwise None. If
    the request fails, the history is unchanged.
    """
    conversation = turn.task.conversation
    question = conversation.prompt or conversation.question or ""
    cost_before_usd = turn.task.reading().total.cost_usd
    try:
        answered = await take_step(turn, ask=ASK)
    except BaseException:
        if conversation.waits_for_summary:
            withdraw(turn, "no_summary")
            turn.task.emit(NoticePosted(turn=turn.turn, text=UNANSWERED))
        raise
    reply = answered.reply
    if answered.last_before is not None or reply.stop_reason not in ENDS:
        _keep_history(turn, cost_before_usd)
        return answered
    if reply.stop_reason == "refusal" or not reply.text:
        if reply.stop_reason == "refusal":
            withdraw(turn, "refusal")
        elif conversation.waits_for_summary:
            withdraw(turn, "no_summary")
        _keep_history(turn, cost_before_usd)
        return None
    _rewrite(turn, reply.text, question)
    return None


def _keep_history(turn: TurnContext, cost_before_usd: Decimal | None) -> None:
    """Say that no summary came and what asking for it cost; it is not asked for again."""
    turn.may_compact, cost_usd = False, turn.task.reading().total.cost_usd
    paid = ""
    if cost_usd is not None and cost_before_usd is not None:
        paid = f"; asking for it cost {dollars(cost_usd - cost_before_usd)}"
    turn.task.emit(NoticePosted(turn=turn.turn, text=f"{KEPT}{paid}"))


def withdraw(turn: TurnContext, why: Literal["refusal", "no_summary"]) -> None:
    """Withdraw the last user message: after a refused reply, or a summary that did not come."""
    turn.task.emit(MessagesWithdrawn(turn=turn.turn, step=turn.current_step, why=why))


def _rewrite(turn: TurnContext, summary: str, question: str) -> None:
    task, removed = turn.task, len(turn.task.conversation.messages)
    budget = task.conversation.sent_budget(begins_user_turn=True, after_rewrite=True)
    task.emit(
        HistoryRewritten(
            turn=turn.turn, step=turn.step, removed_messages=removed, remaining=budget.remaining
        )
    )
    text = task.redactor.redact(
        "The conversation so far was replaced by this summary, which you wrote yourself:\n\n"
        f"{summary}\n\nThe open question:\n\n{question}\n\nContinue from there."
    )
    task.emit(
        MessageAppended(
            turn=turn.turn,
            step=turn.step,
            message={"role": "user", "content": [text_block(text)]},
            purpose="summary",
        )
    )

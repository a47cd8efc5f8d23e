"""The countdown of a task budget, which only the simulated model sees."""

from __future__ import annotations

from typing import Literal

from budget_magic.simulator.prompt import Prompt
from budget_magic.simulator.request import Request
from budget_magic.simulator.signatures import read_signature

Carry = Literal["today", "documented"]
"""What a user message without tool results does to the budget.

`today`: earlier turns still count while they are in the context, as the API was observed to do.
`documented`: it starts a fresh budget (platform docs "Task budgets", "What counts as a turn").
"""


def remaining_tokens(request: Request, prompt: Prompt, carry: Carry) -> int | None:
    """Return what is left of the budget before the coming reply; None without a budget.

    The countdown starts from `remaining` if the client sent it, else from `total`. Everything
    generated and every tool result in the context counts once; user prompts do not count. A
    compaction block carries what the messages that it replaced had used.
    """
    budget = request.budget
    if budget is None:
        return None
    start = budget.total if budget.remaining is None else budget.remaining
    messages = request.body.messages
    turn_starts = [
        index
        for index, message in enumerate(messages)
        if message.role == "user" and "tool_result" not in message.kinds
    ]
    first = max(turn_starts, default=0) if carry == "documented" else 0
    counted = sum(
        segment.tokens
        for segment in prompt.segments
        if segment.message is not None
        and segment.message >= first
        and segment.kind != "compaction"
        and (messages[segment.message].role == "assistant" or segment.kind == "tool_result")
    )
    blocks = (block for message in messages for block in message.content)
    summaries = (read_signature(one["signature"]) for one in blocks if one["type"] == "compaction")
    return start - counted - sum(one.tokens for one in summaries if one is not None)

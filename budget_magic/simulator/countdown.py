"""The countdown of a task budget, which only the simulated model sees."""

from __future__ import annotations

from typing import Literal

from budget_magic.simulator.prompt import Prompt
from budget_magic.simulator.request import Request
from budget_magic.simulator.signatures import read_signature

Carry = Literal["today", "documented"]
"""What a user message without tool results does to the budget.

`today`: earlier turns still count while their history is in the context. `documented`: it starts a
fresh budget (platform docs "Task budgets", "What counts as a turn").
"""


def remaining_tokens(request: Request, prompt: Prompt, carry: Carry) -> int | None:
    """What is left of the budget before the coming reply; None where there is no budget.

    Everything generated and every tool result in the context counts once, from `remaining` where
    the client sent it and from `total` otherwise. Prompts of the user are not counted. A summary
    that the server made carries what the messages it stands for had used.
    """
    if request.budget is None:
        return None
    start = request.budget.total if request.budget.remaining is None else request.budget.remaining
    since = turn_start(request) if carry == "documented" else 0
    roles = {message.index: message.role for message in request.messages}
    seen = sum(
        segment.tokens
        for segment in prompt.segments
        if segment.message is not None
        and segment.message >= since
        and segment.kind != "compaction"
        and (roles[segment.message] == "assistant" or segment.kind == "tool_result")
    )
    return start - seen - _used_before_summaries(request)


def _used_before_summaries(request: Request) -> int:
    blocks = (block for message in request.messages for block in message.blocks)
    signed = (read_signature(one["signature"]) for one in blocks if one["type"] == "compaction")
    return sum(one.tokens for one in signed if one is not None)


def turn_start(request: Request) -> int:
    """The place of the last user message without tool results, which began this turn."""
    starts = [
        message.index
        for message in request.messages
        if message.role == "user" and not message.has_tool_results
    ]
    return starts[-1] if starts else 0

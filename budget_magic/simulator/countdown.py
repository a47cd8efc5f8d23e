"""The countdown of a task budget, which only the simulated model sees."""

from __future__ import annotations

from typing import Literal

from budget_magic.simulator.prompt import Prompt
from budget_magic.simulator.signatures import read_signature

Carry = Literal["today", "documented"]
"""What a user message without tool results does to the budget.

`today`: earlier turns still count while they are in the context, as the API was observed to do.
`documented`: it starts a fresh budget (platform docs "Task budgets", "What counts as a turn").
"""


def remaining_tokens(prompt: Prompt, carry: Carry) -> int | None:
    """Return what is left of the budget before the coming reply; None without a budget.

    The countdown starts from `remaining` if the client sent it, else from `total`. Everything
    generated and every tool result in the context counts once; user prompts do not count. A
    compaction block carries what the messages that it replaced had used.
    """
    budget, messages = prompt.request.budget, prompt.request.body.messages
    if budget is None:
        return None
    left = budget.total if budget.remaining is None else budget.remaining
    first = 0
    if carry == "documented":
        prompts = (m.role == "user" and "tool_result" not in m.kinds for m in messages)
        first = max((index for index, starts in enumerate(prompts) if starts), default=0)
    for segment in prompt.segments:
        if segment.message is None or segment.message < first or segment.kind == "compaction":
            continue
        if messages[segment.message].role == "assistant" or segment.kind == "tool_result":
            left -= segment.tokens
    for block in (block for message in messages for block in message.content):
        summary = read_signature(block["signature"]) if block["type"] == "compaction" else None
        left -= summary.tokens if summary else 0
    return left

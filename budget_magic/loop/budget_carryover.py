"""Compute the `task_budget` of a request, so that one budget holds over all cells.

The documentation says that a user message without tool results starts a fresh budget, and that
today earlier turns still count while they are in the context (platform.claude.com, "Task budgets",
"What counts as a turn", 2026-11). Each strategy is right on one of these servers:

- `today`: the total stays the same, and earlier turns count while they are in the history; after a
  rewrite, `remaining` makes up for those removed.
- `documented`: each user message starts a fresh budget, whose total is what is left on our own
  meter; there is nothing to make up for.
"""

from __future__ import annotations

from dataclasses import dataclass

from budget_magic.events import Carry
from budget_magic.models import MINIMUM_BUDGET_TOKENS
from budget_magic.report.numbers import exact


@dataclass(frozen=True, slots=True, kw_only=True)
class SentBudget:
    """The two numbers of `task_budget` in a request."""

    total: int | None
    """None sends no budget."""
    remaining: int | None = None
    """None lets the server count."""
    note: str = ""
    """What the reader should know of it; mostly empty."""


def sent_budget(
    strategy: Carry, budget: int | None, *, removed_tokens: int | None, spent_before: int
) -> SentBudget:
    """Compute what a request says of a task's budget.

    Parameters
    ----------
    strategy, budget
        How it is carried over, and its tokens; None sends no budget.
    removed_tokens
        What messages removed by rewrites had used; None before the first rewrite.
    spent_before
        What the task had used when the last user message without tool results was sent.

    Examples
    --------
    >>> sent_budget("documented", 64_000, removed_tokens=None, spent_before=20_000).total
    44000
    """
    if budget is None:
        return SentBudget(total=None)
    if strategy == "today":
        remaining = None if removed_tokens is None else max(budget - removed_tokens, 0)
        return SentBudget(total=budget, remaining=remaining)
    left = budget - spent_before
    if left >= MINIMUM_BUDGET_TOKENS:
        return SentBudget(total=left)
    return SentBudget(
        total=MINIMUM_BUDGET_TOKENS,
        note=(
            f"Claude is told {exact(MINIMUM_BUDGET_TOKENS)} tokens, the API's minimum,"
            f" though {exact(max(left, 0))} of this task's {exact(budget)} are left"
        ),
    )

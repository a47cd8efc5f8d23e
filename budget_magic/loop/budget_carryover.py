"""What is sent of the budget: one budget over all cells, on a server that counts by user message.

The documentation says that a user message without tool results starts a fresh budget, and that
today earlier turns still count while they are in the context (platform.claude.com, "Task budgets",
"What counts as a turn", 2026-11). Each strategy is right on one of these servers.
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
    """None leaves it to the server to count."""
    note: str = ""
    """What the reader should know of it; mostly empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetCarryover:
    """How a task's one budget is told to the server, request by request.

    Parameters
    ----------
    strategy
        `today`: the total stays what it is, and earlier turns count while they are in the history;
        after a rewrite `remaining` makes up for what is no longer there. `documented`: each user
        message starts a fresh budget, so its total is what is left on the task's own meter, and
        there is nothing to make up for.
    """

    strategy: Carry

    def sent(
        self, budget: int | None, *, removed_tokens: int | None, spent_before: int
    ) -> SentBudget:
        """Return what a request says of a task's budget.

        Parameters
        ----------
        budget
            Of the whole task; None sends none.
        removed_tokens
            What the messages had used that rewrites took out of the history; None before the
            first.
        spent_before
            What the task had used when the last user message without tool results was sent.

        Examples
        --------
        >>> policy = BudgetCarryover(strategy="documented")
        >>> policy.sent(64_000, removed_tokens=None, spent_before=20_000).total
        44000
        """
        if budget is None:
            return SentBudget(total=None)
        if self.strategy == "today":
            if removed_tokens is None:
                return SentBudget(total=budget)
            return SentBudget(total=budget, remaining=max(budget - removed_tokens, 0))
        left = budget - spent_before
        if left >= MINIMUM_BUDGET_TOKENS:
            return SentBudget(total=left)
        return SentBudget(
            total=MINIMUM_BUDGET_TOKENS,
            note=(
                f"Claude is told {exact(MINIMUM_BUDGET_TOKENS)} tokens, the least that the API"
                f" takes, though {exact(max(left, 0))} of this task's {exact(budget)} are left"
            ),
        )

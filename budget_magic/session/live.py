"""Changes to a turn while it runs: effort, budget and ceilings, and what they would cost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, Literal

import anyio

from budget_magic.events import Ceilings, SettingsChanged
from budget_magic.loop import TaskContext, TurnContext
from budget_magic.meter.cost import rewrite_usd

CeilingKind = Literal["cost", "tokens", "steps", "time"]
MORE_STEPS: Final = 25
MORE_SECONDS: Final = 600.0
LEAST_USD: Final = Decimal("0.50")
LEAST_TOKENS: Final = 100_000
SHARE: Final = Decimal("0.4")
"""A raise adds about this share of the ceiling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be different from the next request on; None leaves it."""

    effort: str | None = None
    budget: int | None = None
    ceilings: Ceilings | None = None
    max_tokens: int | None = None


def apply_change(turn: TurnContext, change: Change) -> None:
    """Put a change in force; called on the loop's thread."""
    task = turn.task
    before = task.settings
    settings = before
    if change.effort is not None:
        # The next request takes it up, by a message or at the top level.
        settings = replace(settings, effort=change.effort)
    if change.max_tokens is not None:
        settings = replace(settings, max_tokens=change.max_tokens)
    if change.budget is not None and change.budget != before.budget:
        settings = replace(settings, budget=change.budget)
    if change.ceilings is not None:
        settings = replace(settings, ceilings=change.ceilings)
        task.account.cost_usd = change.ceilings.cost_usd
        task.account.total_tokens = change.ceilings.total_tokens
        turn.cut_by = None
    if settings == before:
        return
    task.emit(SettingsChanged(turn=turn.turn, settings=settings))
    if turn.deadline is not None:
        left_s = turn.left_s
        turn.deadline.deadline = anyio.current_time() + (float("inf") if left_s is None else left_s)


def raised(ceilings: Ceilings, kind: CeilingKind) -> Ceilings:
    """Return the ceilings with one raised by what is offered; an open one stays open."""
    cost, tokens = ceilings.cost_usd, ceilings.total_tokens
    steps, seconds = ceilings.steps, ceilings.elapsed_s
    match kind:
        case "cost":
            cost = None if cost is None else cost + more_usd(cost)
        case "tokens":
            tokens = None if tokens is None else tokens + more_tokens(tokens)
        case "steps":
            steps = None if steps is None else steps + MORE_STEPS
        case "time":
            seconds = None if seconds is None else seconds + MORE_SECONDS
    return Ceilings(cost_usd=cost, total_tokens=tokens, steps=steps, elapsed_s=seconds)


def ceiling_of(ceilings: Ceilings, kind: CeilingKind) -> Decimal | float | None:
    """Return one of the four ceilings; None where it is open."""
    match kind:
        case "cost":
            return ceilings.cost_usd
        case "tokens":
            return ceilings.total_tokens
        case "steps":
            return ceilings.steps
        case "time":
            return ceilings.elapsed_s


def more_usd(ceiling: Decimal) -> Decimal:
    """Return what a raise of the cost ceiling adds: half dollars.

    >>> more_usd(Decimal(5)), more_usd(Decimal("0.9"))
    (Decimal('2.00'), Decimal('0.50'))
    """
    halves = (ceiling * SHARE / LEAST_USD).to_integral_value()
    return max(halves, Decimal(1)) * LEAST_USD


def more_tokens(ceiling: int) -> int:
    """Return what a raise of the token ceiling adds: hundreds of thousands.

    >>> more_tokens(1_000_000)
    400000
    """
    return max(round(ceiling * float(SHARE) / LEAST_TOKENS), 1) * LEAST_TOKENS


def rewrite(task: TaskContext) -> tuple[int, Decimal | None]:
    """Cached tokens that a change of effort or budget writes again, and what that costs."""
    baseline = task.conversation.baseline
    if baseline is None or not baseline.is_cached:
        return 0, None
    tokens = baseline.prompt_tokens
    return tokens, None if task.prices is None else rewrite_usd(task.prices, tokens)

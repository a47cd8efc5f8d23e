"""Changes to a turn while it runs: effort, budget and ceilings, and what they would cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final, NamedTuple

import anyio

from budget_magic.events import Ceilings, SettingsChanged
from budget_magic.loop import TaskContext, TurnContext
from budget_magic.meter.cost import rewrite_usd
from budget_magic.report.numbers import clock, compact
from budget_magic.report.view_models import CeilingKind
from budget_magic.widgets.controls import Raise

_SHARE: Final = Decimal("0.4")
"""A raise adds about this share of the ceiling."""


class _Step(NamedTuple):
    """How one of the ceilings is raised."""

    field: str
    more: Callable[[Any], Any]
    """Returns what a raise adds to a ceiling."""
    text: Callable[[Any], str]


_STEPS: Final[dict[CeilingKind, _Step]] = {
    "cost": _Step(
        "cost_usd",
        lambda usd: _share(usd, Decimal("0.50")),
        lambda by: f"+${by:.2f}".removesuffix(".00"),
    ),
    "tokens": _Step(
        "total_tokens", lambda tokens: int(_share(tokens, 100_000)), lambda by: f"+{compact(by)}"
    ),
    "steps": _Step("steps", lambda _: 25, lambda by: f"+{by} steps"),
    "time": _Step("elapsed_s", lambda _: 600.0, lambda by: f"+{clock(by)}"),
}


def _share(ceiling: Decimal | int, unit: Decimal | int) -> Decimal:
    return max((ceiling * _SHARE / unit).to_integral_value(), Decimal(1)) * unit


def raises(ceilings: Ceilings) -> dict[CeilingKind, Raise]:
    """Return how each ceiling can be raised; an open one stays open.

    >>> raises(Ceilings(cost_usd=0.9, total_tokens=1_000_000))["tokens"]
    Raise(by='+400k', value='1000000', to='1400000')
    """
    return {
        kind: Raise(by=step.text(more), value=str(value), to=str(value + more))
        for kind, step in _STEPS.items()
        if (value := getattr(ceilings, step.field)) is not None
        for more in [step.more(value)]
    }


def raised(ceilings: Ceilings, kind: CeilingKind) -> Ceilings:
    """Return the ceilings with one raised by what is offered; an open one stays open."""
    step = _STEPS[kind]
    value: Any = getattr(ceilings, step.field)
    changes: dict[str, Any] = {} if value is None else {step.field: value + step.more(value)}
    return replace(ceilings, **changes)


def apply_changes(turn: TurnContext, changes: dict[str, Any]) -> None:
    """Put settings in force from the next request on; called on the loop's thread.

    Parameters
    ----------
    turn
        That runs.
    changes
        Settings of the turn by name.
    """
    task = turn.task
    before, settings = task.settings, replace(task.settings, **changes)
    if settings == before:
        return
    if settings.ceilings != before.ceilings:
        task.account.cost_usd = settings.ceilings.cost_usd
        task.account.total_tokens = settings.ceilings.total_tokens
        turn.cut_by = None
    task.emit(SettingsChanged(turn=turn.turn, settings=settings))
    if turn.deadline is not None:
        left_s = turn.left_s
        turn.deadline.deadline = anyio.current_time() + (float("inf") if left_s is None else left_s)


def rewrite(task: TaskContext) -> tuple[int, Decimal | None]:
    """Cached tokens that a change of effort or budget writes again, and what that costs."""
    baseline = task.conversation.baseline
    if baseline is None or not baseline.is_cached:
        return 0, None
    tokens = baseline.prompt_tokens
    return tokens, None if task.prices is None else rewrite_usd(task.prices, tokens)

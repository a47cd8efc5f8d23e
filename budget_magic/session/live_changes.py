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
from budget_magic.report.numbers import ceiling_dollars, clock, compact, exact
from budget_magic.report.view_models import CeilingKind
from budget_magic.widgets.controls import Raise

_SHARE: Final = Decimal("0.4")
"""A raise adds about this share of the ceiling."""


class _Increment(NamedTuple):
    """How one of the ceilings is raised."""

    field: str
    more: Callable[[Any], Any]
    """Returns what a raise adds to a ceiling."""
    text: Callable[[Any], str]
    """Returns that as text."""
    whole: Callable[[Any], str]
    """Returns the raised ceiling as text."""


_INCREMENTS: Final[dict[CeilingKind, _Increment]] = {
    "cost": _Increment(
        "cost_usd",
        lambda usd: _share(usd, Decimal("0.50")),
        lambda by: f"+${by:.2f}".removesuffix(".00"),
        ceiling_dollars,
    ),
    "tokens": _Increment(
        "total_tokens",
        lambda tokens: int(_share(tokens, 100_000)),
        lambda by: f"+{compact(by)}",
        compact,
    ),
    "steps": _Increment("steps", lambda _: 25, lambda by: f"+{by} steps", exact),
    "time": _Increment("elapsed_s", lambda _: 600.0, lambda by: f"+{clock(by)}", clock),
}


def _share(ceiling: Decimal | int, unit: Decimal | int) -> Decimal:
    return max((ceiling * _SHARE / unit).to_integral_value(), Decimal(1)) * unit


def raises(ceilings: Ceilings) -> dict[CeilingKind, Raise]:
    """Return the raise that is offered for each ceiling; open ceilings have none.

    >>> raises(Ceilings(cost_usd=0.9, total_tokens=1_000_000))["tokens"]
    Raise(by='+400k', value='1000000', to='1400000', text='1.40M')
    """
    return {
        kind: Raise(
            by=increment.text(more),
            value=str(value),
            to=str(value + more),
            text=increment.whole(value + more),
        )
        for kind, increment in _INCREMENTS.items()
        if (value := getattr(ceilings, increment.field)) is not None
        for more in [increment.more(value)]
    }


def raised(ceilings: Ceilings, kind: CeilingKind) -> Ceilings:
    """Return the ceilings with one raised as offered; an open one stays open."""
    field, more, *_ = _INCREMENTS[kind]
    value: Any = getattr(ceilings, field)
    return ceilings if value is None else replace(ceilings, **{field: value + more(value)})


def apply_changes(turn: TurnContext, changes: dict[str, Any]) -> None:
    """Apply changes to a running turn from its next request on; called on the loop's thread."""
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


def rewrite_cost(task: TaskContext) -> tuple[int, Decimal | None]:
    """Return the cached tokens that a new effort or budget writes again, and what that costs."""
    baseline = task.conversation.baseline
    if baseline is None or not baseline.is_cached:
        return 0, None
    tokens = baseline.prompt_tokens
    return tokens, None if task.prices is None else rewrite_usd(task.prices, tokens)

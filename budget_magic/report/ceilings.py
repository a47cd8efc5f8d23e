"""The four ceilings: spent, held, and which is nearest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from budget_magic.events import Reason
from budget_magic.meter import Reading
from budget_magic.report.numbers import (
    ceiling_dollars,
    clock,
    compact,
    dollars,
    exact,
    marked,
    spent_dollars,
)
from budget_magic.report.turn_facts import TurnFacts
from budget_magic.report.view_models import (
    CeilingKind,
    CeilingLevel,
    CeilingView,
    CeilingWord,
    LiveState,
)

NEAR: Final = 0.9
"""From this share spent on, a ceiling is near; what is only held is a precaution."""
_REASONS: Final[dict[Reason, CeilingKind]] = {
    "cost_ceiling": "cost", "token_ceiling": "tokens",
    "step_ceiling": "steps", "time_ceiling": "time",
}  # fmt: skip


def ceiling_views(
    facts: TurnFacts, reading: Reading, live: LiveState | None
) -> tuple[CeilingView, ...]:
    """Return cost and tokens of the task, steps and time of the turn, against their ceilings."""
    if facts.settings is None:
        return ()
    ceilings, total, step = facts.settings.ceilings, reading.total, facts.live_step
    held_usd = total.unconfirmed_usd + reading.tasks_unconfirmed.usd
    held_tokens = total.unconfirmed_tokens + reading.tasks_unconfirmed.tokens
    if step and step.started:
        held_usd += step.started.held_usd or 0
        held_tokens += step.started.held_tokens
    is_held = bool(reading.held.requests or step or reading.tasks_unconfirmed.tokens)
    word = "held" if is_held else "unconfirmed"
    usd = None if total.cost_usd is None else total.cost_usd + reading.tasks.usd
    tokens = total.ceiling_tokens + reading.tasks.tokens
    steps = reading.this_turn.steps + (1 if step else 0)
    time_s = _elapsed_s(facts, reading, live)
    cost = marked(spent_dollars(usd, ceilings.cost_usd), estimated=reading.cost_estimated)
    rows = (
        _row("cost", cost, usd or 0, ceilings.cost_usd, ceiling_dollars,
             held_usd, f"{dollars(held_usd)} {word}"),
        _row("tokens", compact(tokens), tokens, ceilings.total_tokens, compact,
             held_tokens, f"{compact(held_tokens)} {word}"),
        _row("steps", exact(steps), steps, ceilings.steps, exact),
        _row("time", clock(time_s), time_s, ceilings.elapsed_s, clock),
    )  # fmt: skip
    halted = _REASONS.get(facts.finished.reason) if facts.finished else None
    largest = max(rows, key=lambda row: (row.share, row.held_share))
    nearest = halted or (largest.kind if largest.share + largest.held_share else None)
    has_ended = facts.finished is not None
    return tuple(_judged(row, nearest, halted, has_ended=has_ended) for row in rows)


def _row(  # noqa: PLR0913, PLR0917 - one row of the table above
    kind: CeilingKind,
    shown: str,
    spent: Any,
    ceiling: Any,
    show_ceiling: Callable[[Any], str],
    held: Decimal | int | None = None,
    held_shown: str = "",
) -> CeilingView:
    show_left = dollars if kind == "cost" else show_ceiling
    return CeilingView(
        kind=kind,
        spent=shown,
        held=held_shown if held else "",
        ceiling="" if ceiling is None else show_ceiling(ceiling),
        left="" if ceiling is None else show_left(ceiling - min(spent, ceiling)),
        share=_share(spent, ceiling),
        held_share=0.0 if held is None else _share(held, ceiling),
    )


def _judged(
    row: CeilingView, nearest: CeilingKind | None, halted: CeilingKind | None, *, has_ended: bool
) -> CeilingView:
    is_nearest, is_reached = row.kind == nearest, has_ended and row.share >= 1
    if is_reached or row.kind == halted:
        word: CeilingWord = "reached" if is_reached else "halted here"
        return replace(row, nearest=is_nearest, level="reached", word=word)
    level: CeilingLevel = "near" if row.share >= NEAR else ""
    return replace(row, nearest=is_nearest, level=level, word="nearest" if is_nearest else level)


def _elapsed_s(facts: TurnFacts, reading: Reading, live: LiveState | None) -> float:
    if facts.finished is not None:
        return facts.finished.elapsed_s
    if live is not None:
        return live.elapsed_s
    return reading.this_turn.elapsed_s


def _share(part: Decimal | float, whole: Decimal | float | None) -> float:
    if whole is None:
        return 0.0
    if not whole:
        return 1.0
    return min(1.0, float(part) / float(whole))

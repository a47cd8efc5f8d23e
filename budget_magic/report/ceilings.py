"""The four ceilings: spent, held, and which is nearest."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Final, Literal

from budget_magic.events import Reason
from budget_magic.meter import Reading
from budget_magic.report.numbers import (
    ceiling_dollars,
    clock,
    compact,
    dollars,
    exact,
    marked,
    percent,
    spent_dollars,
)
from budget_magic.report.turn_facts import TurnFacts
from budget_magic.report.view_models import CeilingKind, CeilingView, CeilingWord, LiveState

NEAR: Final = 0.9
"""From this share of spent and held on, a ceiling is near."""
_REASONS: Final[dict[Reason, CeilingKind]] = {
    "cost_ceiling": "cost", "token_ceiling": "tokens",
    "step_ceiling": "steps", "time_ceiling": "time",
}  # fmt: skip


def ceiling_views(
    facts: TurnFacts, reading: Reading, live: LiveState | None
) -> tuple[CeilingView, ...]:
    """Cost and tokens of the task, steps and time of the turn, against their ceilings."""
    settings = facts.settings
    if settings is None:
        return ()
    ceilings, total = settings.ceilings, reading.total
    step = facts.live_step
    held_usd = total.unconfirmed_usd + reading.tasks_unconfirmed.usd
    held_tokens = total.unconfirmed_tokens + reading.tasks_unconfirmed.tokens
    if step and step.started:
        held_usd += step.started.held_usd or 0
        held_tokens += step.started.held_tokens
    is_held = bool(reading.held.requests or facts.live_step or reading.tasks_unconfirmed.tokens)
    word = "held" if is_held else "unconfirmed"
    spent_usd = None if total.cost_usd is None else total.cost_usd + reading.tasks.usd
    spent_tokens = total.ceiling_tokens + reading.tasks.tokens
    steps = reading.this_turn.steps + (1 if step else 0)
    elapsed = elapsed_s(facts, reading, live)
    cost, tokens = ceilings.cost_usd, ceilings.total_tokens
    rows = (
        _row(
            "cost",
            marked(spent_dollars(spent_usd, cost), estimated=reading.cost_estimated),
            "" if cost is None else ceiling_dollars(cost),
            _share(spent_usd or Decimal(0), cost),
            held=f"{dollars(held_usd)} {word}" if held_usd else "",
            held_share=_share(held_usd, cost),
        ),
        _row(
            "tokens",
            compact(spent_tokens),
            "" if tokens is None else compact(tokens),
            _share(spent_tokens, tokens),
            held=f"{compact(held_tokens)} {word}" if held_tokens else "",
            held_share=_share(held_tokens, tokens),
        ),
        _row(
            "steps",
            exact(steps),
            "" if ceilings.steps is None else exact(ceilings.steps),
            _share(steps, ceilings.steps),
        ),
        _row(
            "time",
            clock(elapsed),
            "" if ceilings.elapsed_s is None else clock(ceilings.elapsed_s),
            _share(elapsed, ceilings.elapsed_s),
        ),
    )
    halted = _REASONS.get(facts.finished.reason) if facts.finished else None
    largest = max(rows, key=lambda row: row.share + row.held_share)
    nearest = halted or (largest.kind if largest.share + largest.held_share else None)
    return tuple(
        _judged(
            row,
            is_nearest=row.kind == nearest,
            has_halted=row.kind == halted,
            is_reached=facts.finished is not None and row.share >= 1,
        )
        for row in rows
    )


def _row(  # noqa: PLR0913 - one row of the table above
    kind: CeilingKind,
    spent: str,
    ceiling: str,
    share: float,
    *,
    held: str = "",
    held_share: float = 0.0,
) -> CeilingView:
    return CeilingView(
        kind=kind,
        label=kind,
        spent=spent,
        held=held,
        ceiling=ceiling,
        of=f"of {ceiling}" if ceiling else "no ceiling",
        share=share,
        held_share=held_share,
        percent=percent(share) if ceiling else "",
    )


def _judged(
    row: CeilingView, *, is_nearest: bool, has_halted: bool, is_reached: bool
) -> CeilingView:
    if is_reached or has_halted:
        word: CeilingWord = "reached" if is_reached else "halted here"
        return replace(row, nearest=is_nearest, level="reached", word=word)
    is_near = row.share + row.held_share >= NEAR
    level: Literal["", "near"] = "near" if is_near else ""
    return replace(row, nearest=is_nearest, level=level, word="nearest" if is_nearest else level)


def elapsed_s(facts: TurnFacts, reading: Reading, live: LiveState | None) -> float:
    """Running time of the turn so far."""
    if facts.finished is not None:
        return facts.finished.elapsed_s
    if live is not None:
        return live.elapsed_s
    return max(reading.this_turn.elapsed_s, facts.replied_s)


def _share(part: Decimal | float, whole: Decimal | float | None) -> float:
    if whole is None:
        return 0.0
    if not whole:
        return 1.0
    return min(1.0, float(part) / float(whole))

"""The four ceilings: spent, held, and which is nearest."""

from __future__ import annotations

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
from budget_magic.report.view_models import CeilingView, LiveState

NEAR: Final = 0.9
"""From this share of spent and held on, a ceiling is near."""
_REASONS: Final[dict[Reason, str]] = {
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
    held_usd = total.unconfirmed_usd + reading.tasks_unconfirmed_usd
    held_tokens = total.unconfirmed_tokens + reading.tasks_unconfirmed_tokens
    if step and step.started:
        held_usd += step.started.held_usd or 0
        held_tokens += step.started.held_tokens
    is_held = bool(reading.held.requests or facts.live_step or reading.tasks_unconfirmed_tokens)
    word = "held" if is_held else "unconfirmed"
    spent_usd = None if total.cost_usd is None else total.cost_usd + reading.tasks_usd
    spent_tokens = total.ceiling_tokens + reading.tasks_tokens
    steps = reading.this_turn.steps + (1 if step else 0)
    elapsed = elapsed_s(facts, reading, live)
    cost, tokens = ceilings.cost_usd, ceilings.total_tokens
    rows = [
        _Row(
            "cost",
            marked(spent_dollars(spent_usd, cost), estimated=reading.cost_estimated),
            f"{dollars(held_usd)} {word}" if held_usd else "",
            "" if cost is None else ceiling_dollars(cost),
            _share(spent_usd or Decimal(0), cost),
            _share(held_usd, cost),
        ),
        _Row(
            "tokens",
            compact(spent_tokens),
            f"{compact(held_tokens)} {word}" if held_tokens else "",
            "" if tokens is None else compact(tokens),
            _share(spent_tokens, tokens),
            _share(held_tokens, tokens),
        ),
        _Row(
            "steps",
            exact(steps),
            "",
            "" if ceilings.steps is None else exact(ceilings.steps),
            _share(steps, ceilings.steps),
            0.0,
        ),
        _Row(
            "time",
            clock(elapsed),
            "",
            "" if ceilings.elapsed_s is None else clock(ceilings.elapsed_s),
            _share(elapsed, ceilings.elapsed_s),
            0.0,
        ),
    ]
    halted = _REASONS.get(facts.finished.reason) if facts.finished else None
    largest = max((row.share + row.held_share for row in rows), default=0.0)
    nearest = next((r.kind for r in rows if largest and r.share + r.held_share == largest), None)
    return tuple(
        row.view(
            nearest=row.kind == (halted or nearest),
            halted=row.kind == halted,
            reached=facts.finished is not None and row.share >= 1,
        )
        for row in rows
    )


class _Row:
    """A ceiling's figures before it is known which one is nearest."""

    def __init__(  # noqa: PLR0913, PLR0917 - one row of the table above
        self,
        kind: Literal["cost", "tokens", "steps", "time"],
        spent: str,
        held: str,
        ceiling: str,
        share: float,
        held_share: float,
    ) -> None:
        self.kind, self.spent, self.held, self.ceiling = kind, spent, held, ceiling
        self.share, self.held_share = share, held_share

    def view(self, *, nearest: bool, halted: bool, reached: bool) -> CeilingView:
        near = self.share + self.held_share >= NEAR
        level: Literal["", "near", "reached"] = "near" if near else ""
        word: Literal["nearest", "near", "halted here", "reached", ""] = (
            "nearest" if nearest else level
        )
        if halted or reached:
            level, word = "reached", "reached" if reached else "halted here"
        return CeilingView(
            kind=self.kind,
            label=self.kind,
            spent=self.spent,
            held=self.held,
            ceiling=self.ceiling,
            of=f"of {self.ceiling}" if self.ceiling else "no ceiling",
            share=self.share,
            held_share=self.held_share,
            percent=percent(self.share) if self.ceiling else "",
            level=level,
            nearest=nearest,
            word=word,
        )


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

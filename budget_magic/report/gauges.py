"""The gauge of the budget, its pace, and the ceilings."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal

from budget_magic.events import Reason
from budget_magic.meter import Kinds, Reading, Spend
from budget_magic.report.numbers import (
    ceiling_dollars,
    clock,
    compact,
    dollars,
    exact,
    pace,
    percent,
    plural,
    spent_dollars,
)
from budget_magic.report.shapes import (
    CeilingView,
    GaugeView,
    InputView,
    KindName,
    KindView,
    LiveState,
    PaceView,
)
from budget_magic.report.turn_facts import TurnFacts

KINDS: Final[tuple[tuple[KindName, str, str, str], ...]] = (
    ("thinking", "thinking", "█", "#"),
    ("calls", "tool calls", "▓", "="),
    ("results", "tool results", "▒", "-"),
    ("text", "text", "░", "."),
)
NEAR: Final = 0.9
"""From this share of spent and held on, a ceiling is near."""
_LIVE_KIND: Final[dict[str, KindName]] = {"thinking": "thinking", "call": "calls", "text": "text"}
_REASONS: Final[dict[Reason, str]] = {
    "cost_ceiling": "cost", "token_ceiling": "tokens",
    "step_ceiling": "steps", "time_ceiling": "time",
}  # fmt: skip


def live_kinds(live: LiveState | None) -> Kinds:
    """What streams right now, by kind: estimates."""
    if live is None:
        return Kinds()
    sums: dict[KindName, int] = {
        "thinking": 0, "calls": 0, "results": live.estimated_result_tokens, "text": 0,
    }  # fmt: skip
    for block in live.blocks:
        sums[_LIVE_KIND[block.kind]] += block.estimated_tokens
    return Kinds(**sums, estimated=any(sums.values()))


def kind_views(counted: Kinds, streaming: Kinds, scale: float) -> tuple[KindView, ...]:
    """The four kinds in their order, with shares of `scale` tokens."""
    views = []
    for kind, label, glyph, ascii_glyph in KINDS:
        known, now = getattr(counted, kind), getattr(streaming, kind)
        split = counted.estimated and kind != "thinking" and known > 0
        mark = "≈ " if split or now else ""
        views.append(
            KindView(
                kind=kind,
                label=label,
                glyph=glyph,
                ascii=ascii_glyph,
                tokens=known + now,
                text=mark + exact(known + now),
                estimated=bool(mark),
                share=known / scale if scale else 0.0,
                live_tokens=now,
                live_share=now / scale if scale else 0.0,
            )
        )
    return tuple(views)


def gauge_view(reading: Reading, live: LiveState | None) -> GaugeView:
    """The task's budget over all its turns; what streams now is in it, as an estimate."""
    streaming = live_kinds(live)
    used = reading.total.budget_tokens + _sum(streaming)
    budget = reading.budget
    scale = max(used, budget or 0)
    kinds = kind_views(reading.total_kinds, streaming, scale)
    before = reading.total.budget_tokens - reading.this_turn.budget_tokens
    remaining = None if budget is None else budget - used
    over = remaining is not None and remaining < 0
    number, caption, used_text = _left(budget, used)
    split = ", ".join(f"{kind.label} {kind.text}" for kind in kinds)
    of = "" if budget is None else f" of {exact(budget)}"
    return GaugeView(
        budget=budget,
        used=used,
        remaining=remaining,
        number=number,
        caption=caption,
        used_text=used_text,
        over=over,
        kinds=kinds,
        limit_share=budget / scale if over and budget is not None else None,
        began_share=before / scale if before > 0 and scale else None,
        turn_line=_turn_line(reading) if before > 0 or reading.turn > 1 else "",
        spoken=f"{exact(used)}{of} tokens counted: {split}",
    )


def pace_view(facts: TurnFacts, reading: Reading, gauge: GaugeView) -> PaceView:
    """What was left after each step of the turn, and about how many more fit."""
    done = [step.finished for step in facts.steps if step.finished is not None]
    left = [step.remaining for step in done if step.remaining is not None]
    if left and done[0].remaining is not None:
        left.insert(0, done[0].remaining + done[0].budget_tokens)
    budget = reading.budget or 0
    shares = [min(1.0, max(0.0, value / budget)) if budget else 0.0 for value in left]
    counted = sum(step.budget_tokens for step in done)
    a_step = counted / len(done) if done else 0.0
    more = None
    if facts.finished is None and gauge.remaining is not None and a_step > 0:
        more = max(0, round(gauge.remaining / a_step))
    text = f"{pace(a_step)} a step" if done else ""
    return PaceView(
        left=tuple(left),
        shares=tuple(shares),
        tokens_a_step=a_step,
        more_steps=more,
        text=text if more is None else f"{text}, about {exact(more)} more",
    )


def ceiling_views(
    facts: TurnFacts, reading: Reading, live: LiveState | None
) -> tuple[CeilingView, ...]:
    """Cost and tokens of the task, steps and time of the turn, against their ceilings."""
    settings = facts.settings
    if settings is None:
        return ()
    ceilings, total = settings.ceilings, reading.total
    step = facts.live_step
    held_usd = total.unconfirmed_usd + ((step and step.started and step.started.held_usd) or 0)
    held_tokens = total.unconfirmed_tokens + (
        step.started.held_tokens if step and step.started else 0
    )
    steps = reading.this_turn.steps + (1 if step else 0)
    elapsed = elapsed_s(facts, reading, live)
    cost, tokens = ceilings.cost_usd, ceilings.total_tokens
    rows = [
        _Row(
            "cost",
            spent_dollars(total.cost_usd, cost),
            dollars(held_usd) if held_usd else "",
            "" if cost is None else ceiling_dollars(cost),
            _share(total.cost_usd or Decimal(0), cost),
            _share(held_usd, cost),
        ),
        _Row(
            "tokens",
            compact(total.ceiling_tokens),
            compact(held_tokens) if held_tokens else "",
            "" if tokens is None else compact(tokens),
            _share(total.ceiling_tokens, tokens),
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
    reached = _REASONS.get(facts.finished.reason) if facts.finished else None
    largest = max((row.share + row.held_share for row in rows), default=0.0)
    nearest = next((r.kind for r in rows if largest and r.share + r.held_share == largest), None)
    return tuple(
        row.view(
            nearest=row.kind == (reached or nearest),
            reached=row.kind == reached or (facts.finished is not None and row.share >= 1),
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

    def view(self, *, nearest: bool, reached: bool) -> CeilingView:
        near = self.share + self.held_share >= NEAR
        level: Literal["", "near", "reached"] = "reached" if reached else "near" if near else ""
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
            word="reached" if reached else "nearest" if nearest else level,
        )


def input_view(total: Spend) -> InputView:
    """Prompt tokens of the task: read from the cache, and new."""
    cached = total.cache_read_input_tokens
    new = total.input_tokens + total.cache_creation_input_tokens
    share = cached / (cached + new) if cached + new else 0.0
    return InputView(
        cached=compact(cached),
        new=compact(new),
        cached_tokens=cached,
        new_tokens=new,
        cached_share=share,
        percent=f"{percent(share)} from the cache",
    )


def elapsed_s(facts: TurnFacts, reading: Reading, live: LiveState | None) -> float:
    """Running time of the turn so far."""
    if facts.finished is not None:
        return facts.finished.elapsed_s
    if live is not None:
        return live.elapsed_s
    replies = sum(step.finished.elapsed_s for step in facts.steps if step.finished)
    return max(reading.this_turn.elapsed_s, replies)


def _sum(kinds: Kinds) -> int:
    return kinds.thinking + kinds.calls + kinds.results + kinds.text


def _left(budget: int | None, used: int) -> tuple[str, str, str]:
    if budget is None:
        return exact(used), "tokens used, no budget set", ""
    share = percent(used / budget) if budget else "100 %"
    if used > budget:
        caption = f"tokens over {exact(budget)}"
        return exact(used - budget), caption, f"{share} used; a budget is advice, not a limit"
    return exact(budget - used), f"tokens left of {exact(budget)}", f"{share} used"


def _turn_line(reading: Reading) -> str:
    spend = reading.this_turn
    cost = "cost unknown" if spend.cost_usd is None else dollars(spend.cost_usd)
    return f"this turn: {exact(spend.budget_tokens)} tokens, {plural(spend.steps, 'step')}, {cost}"


def _share(part: Decimal | float, whole: Decimal | float | None) -> float:
    if whole is None:
        return 0.0
    if not whole:
        return 1.0
    return min(1.0, float(part) / float(whole))

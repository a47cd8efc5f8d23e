"""The gauge of the budget, its pace, and where the input came from."""

from __future__ import annotations

from typing import Final

from budget_magic.meter import Kinds, Reading, Spend
from budget_magic.report.numbers import compact, dollars, exact, marked, pace, percent, plural
from budget_magic.report.turn_facts import TurnFacts
from budget_magic.report.view_models import (
    GaugeView,
    InputView,
    KindName,
    KindView,
    LiveState,
    PaceView,
)

KINDS: Final[tuple[tuple[KindName, str, str, str], ...]] = (
    ("thinking", "thinking", "█", "#"),
    ("calls", "tool calls", "▓", "="),
    ("results", "tool results", "▒", "-"),
    ("text", "text", "░", "."),
)


def kinds_sum(kinds: Kinds) -> int:
    """Return the tokens of all kinds."""
    return kinds.thinking + kinds.calls + kinds.results + kinds.text


def live_mark(streaming: Kinds) -> str:
    """Return the sign before a sum of streaming tokens: a lower bound if there is thinking.

    Only a summary of the thinking streams, which is shorter.
    """
    return "≥ " if streaming.thinking else "≈ "


def gauge_view(reading: Reading, live: LiveState | None) -> GaugeView:
    """Return the task's budget over all its turns, with an estimate of the streaming tokens."""
    streaming = live.streaming if live else Kinds()
    used, budget = reading.total.budget_tokens + kinds_sum(streaming), reading.budget
    scale = max(used, budget or 0)
    before = reading.total.budget_tokens - reading.this_turn.budget_tokens
    has_begun = before > 0 and scale > 0
    over = budget is not None and used > budget
    number, caption, used_text = _left(budget, used)
    return GaugeView(
        budget=budget,
        used=used,
        remaining=None if budget is None else budget - used,
        number=marked(number, estimated=reading.usage_estimated),
        caption=caption,
        used_text=used_text,
        over=over,
        kinds=_kind_views(reading.total_kinds, streaming, scale),
        limit_share=budget / scale if over and budget is not None else None,
        limit_text=f"budget of {exact(budget or 0)}" if over else "",
        began_share=before / scale if has_begun else None,
        began_text=f"this turn began {_began(budget, before)}" if has_begun else "",
        turn_line=_turn_line(reading) if before > 0 or reading.turn > 1 else "",
    )


def _left(budget: int | None, used: int) -> tuple[str, str, str]:
    if budget is None:
        return exact(used), "tokens used, no budget set", ""
    share = percent(used / budget) if budget else "100 %"
    if used > budget:
        caption = f"tokens over {exact(budget)}"
        return exact(used - budget), caption, f"{share} used; a budget is advice, not a limit"
    return exact(budget - used), f"tokens left of {exact(budget)}", f"{share} used"


def _began(budget: int | None, before: int) -> str:
    if budget is None:
        return f"after {exact(before)}"
    rest = budget - before
    return f"with {exact(rest)} left" if rest >= 0 else f"{exact(-rest)} over"


def _kind_views(counted: Kinds, streaming: Kinds, scale: float) -> tuple[KindView, ...]:
    views = []
    estimated = {
        "calls": counted.split_estimated,
        "text": counted.split_estimated,
        "results": counted.results_estimated,
    }
    for kind, label, glyph, ascii_glyph in KINDS:
        known, now = getattr(counted, kind), getattr(streaming, kind)
        mark = "≈ " if now or (known and estimated.get(kind)) else ""
        if now and kind == "thinking":
            mark = "at least "
        views.append(
            KindView(
                kind=kind,
                label=label,
                glyph=glyph,
                ascii=ascii_glyph,
                tokens=known + now,
                text=mark + exact(known + now),
                share=known / scale if scale else 0.0,
                live_tokens=now,
                live_share=now / scale if scale else 0.0,
            )
        )
    return tuple(views)


def _turn_line(reading: Reading) -> str:
    spend = reading.this_turn
    return (
        f"this turn: {exact(spend.budget_tokens)} tokens, {plural(spend.steps, 'step')}, "
        + turn_cost(reading)
    )


def turn_cost(reading: Reading) -> str:
    """Return what the turn cost."""
    usd = reading.this_turn.cost_usd
    return "cost unknown" if usd is None else marked(dollars(usd), estimated=reading.cost_estimated)


def pace_view(facts: TurnFacts, reading: Reading, gauge: GaugeView) -> PaceView:
    """Return what was left after each step of the turn, and about how many more fit."""
    left, budget, spend = facts.left, reading.budget or 0, reading.this_turn
    a_step = spend.budget_tokens / spend.steps if spend.steps else 0.0
    more = None
    if facts.finished is None and gauge.remaining is not None and a_step > 0:
        more = max(0, round(gauge.remaining / a_step))
    text = f"{pace(a_step)} a step" if spend.steps else ""
    return PaceView(
        left=left,
        shares=tuple(min(1.0, max(0.0, value / budget)) if budget else 0.0 for value in left),
        more=more,
        text=text if more is None else f"{text}, about {exact(more)} more",
    )


def input_view(total: Spend) -> InputView:
    """Return the prompt tokens of the task: read from the cache, and new."""
    cached = total.cache_read_input_tokens
    new = total.input_tokens + total.cache_creation_input_tokens
    share = cached / (cached + new) if cached + new else 0.0
    return InputView(
        cached=compact(cached),
        new=compact(new),
        percent=f"{percent(share)} from the cache",
        share=share,
    )

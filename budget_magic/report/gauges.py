"""The gauge of the budget, its pace, and where the input came from."""

from __future__ import annotations

from typing import Final

from budget_magic.meter import Kinds, Reading, Spend
from budget_magic.report.numbers import (
    compact,
    dollars,
    exact,
    marked,
    pace,
    percent,
    plural,
)
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
AT_LEAST: Final = "at least "
"""Before thinking that streams: its summary streams, and the thinking itself is longer."""


def live_mark(streaming: Kinds) -> str:
    """Return what stands before a sum of what streams: thinking makes it a lower bound.

    A sign, because a column of numbers has no room for words.
    """
    return "≥ " if streaming.thinking else "≈ "


def kind_views(counted: Kinds, streaming: Kinds, scale: float) -> tuple[KindView, ...]:
    """Return the four kinds in their order, with shares of `scale` tokens."""
    views = []
    for kind, label, glyph, ascii_glyph in KINDS:
        known, now = getattr(counted, kind), getattr(streaming, kind)
        mark = "≈ " if now or (known and _is_estimated(counted, kind)) else ""
        if now and kind == "thinking":
            mark = AT_LEAST
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


def _is_estimated(counted: Kinds, kind: KindName) -> bool:
    if kind in {"calls", "text"}:
        return counted.split_estimated
    return kind == "results" and counted.results_estimated


def gauge_view(reading: Reading, live: LiveState | None) -> GaugeView:
    """Return the task's budget over all its turns; what streams now is in it, as an estimate."""
    streaming = live.streaming if live else Kinds()
    used = reading.total.budget_tokens + kinds_sum(streaming)
    budget = reading.budget
    scale = max(used, budget or 0)
    kinds = kind_views(reading.total_kinds, streaming, scale)
    before = reading.total.budget_tokens - reading.this_turn.budget_tokens
    began = f"after {exact(before)}"
    if budget is not None:
        rest = budget - before
        began = f"with {exact(rest)} left" if rest >= 0 else f"{exact(-rest)} over"
    remaining = None if budget is None else budget - used
    over = remaining is not None and remaining < 0
    number, caption, used_text = _left(budget, used)
    number = marked(number, estimated=reading.usage_estimated)
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
        limit_text=f"budget of {exact(budget or 0)}" if over else "",
        began_text=f"this turn began {began}" if before > 0 and scale else "",
        turn_line=_turn_line(reading) if before > 0 or reading.turn > 1 else "",
        spoken=f"{exact(used)}{of} tokens counted: {split}",
    )


def pace_view(facts: TurnFacts, reading: Reading, gauge: GaugeView) -> PaceView:
    """Return what was left after each step of the turn, and about how many more fit."""
    left, budget, spend = facts.left, reading.budget or 0, reading.this_turn
    shares = [min(1.0, max(0.0, value / budget)) if budget else 0.0 for value in left]
    a_step = spend.budget_tokens / spend.steps if spend.steps else 0.0
    more = None
    if facts.finished is None and gauge.remaining is not None and a_step > 0:
        more = max(0, round(gauge.remaining / a_step))
    text = f"{pace(a_step)} a step" if spend.steps else ""
    return PaceView(
        left=left,
        shares=tuple(shares),
        tokens_a_step=a_step,
        more_steps=more,
        text=text if more is None else f"{text}, about {exact(more)} more",
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


def kinds_sum(kinds: Kinds) -> int:
    """Return the tokens of all kinds."""
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
    cost = marked(dollars(spend.cost_usd), estimated=reading.cost_estimated)
    cost = "cost unknown" if spend.cost_usd is None else cost
    return f"this turn: {exact(spend.budget_tokens)} tokens, {plural(spend.steps, 'step')}, {cost}"

"""The figures that a saved report holds behind "Details", in sentences."""

from __future__ import annotations

from budget_magic.report.view_models import TurnView


def detail_lines(view: TurnView) -> tuple[str, ...]:
    """Return ceilings, input, and what was counted and billed."""
    gauge, meters = view.gauge, view.meters
    ceilings = "; ".join(row.line for row in view.ceilings)
    rows = "; ".join(row.line for row in meters.rows if row.tokens != "0")
    lines = (
        " · ".join(filter(None, (gauge.began_text, gauge.limit_text))),
        gauge.turn_line,
        f"Ceilings: {ceilings}." if ceilings else "",
        f"Input: {view.input.line}, {view.input.percent}.",
        f"{meters.line}.",
        f"Billed as {rows}; total {meters.billed} tokens, {meters.total}. {meters.source}",
    )
    return tuple(filter(None, lines))

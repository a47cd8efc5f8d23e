"""Bundle a turn for a cell's output, as HTML, Markdown, plain text and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from budget_magic.errors import join_clauses
from budget_magic.report.formats import markdown_report, static_html
from budget_magic.report.plain import plain_report
from budget_magic.report.turn_fold import TurnFold
from budget_magic.report.view_models import TurnView

TURN_MIME: Final = "application/vnd.budget-magic.turn+json"


def bundle(view: TurnView, turn: Mapping[str, Any]) -> dict[str, object]:
    """Return the output of a turn by MIME type; `turn` comes from `turn_json`."""
    return {
        "text/html": static_html(view),
        "text/markdown": markdown_report(view),
        "text/plain": plain_report(view),
        TURN_MIME: dict(turn),
    }


def turn_json(fold: TurnFold) -> dict[str, Any]:
    """Return the last turn of the fold as JSON, for programs that read executed notebooks.

    Dollars are exact decimal strings. While the turn runs, `reason` is None.
    """
    reading, ended, settings = fold.reading, fold.facts.finished, fold.facts.settings
    return {
        "version": 1,
        "task": fold.task,
        "turn": reading.turn,
        "state": ended.state if ended else "running",
        "reason": ended.reason if ended else None,
        "detail": join_clauses(ended.detail, map(fold.word, ended.suggestions)) if ended else "",
        "budget": reading.budget,
        "remaining": reading.remaining,
        "spend": reading.this_turn.as_json(),
        "total": reading.total.as_json(),
        "client": settings.client if settings else "",
        "model": settings.model if settings else "",
        "effort": settings.effort if settings else "",
    }

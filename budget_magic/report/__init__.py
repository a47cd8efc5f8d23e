"""WHAT THE READER SEES, AS TEXT: pure functions from records to views, HTML, Markdown and text.

`bundle`, `static_html` and `markdown_report` are imported from their modules of the same names; the
names below are loaded on first use, so that formatting a number does not load them all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from budget_magic.report.bundle import TURN_MIME, turn_json
    from budget_magic.report.markdown import render_markdown
    from budget_magic.report.plain import plain_report, progress_line, step_line
    from budget_magic.report.text import clean_text, cut_text
    from budget_magic.report.view import view_turn
    from budget_magic.report.view_models import LiveState, StepView, TurnView

__all__ = [
    "TURN_MIME",
    "LiveState",
    "StepView",
    "TurnView",
    "clean_text",
    "cut_text",
    "plain_report",
    "progress_line",
    "render_markdown",
    "step_line",
    "turn_json",
    "view_turn",
]

_HOMES: Final = {
    "TURN_MIME": "bundle",
    "LiveState": "view_models",
    "StepView": "view_models",
    "TurnView": "view_models",
    "clean_text": "text",
    "cut_text": "text",
    "plain_report": "plain",
    "progress_line": "plain",
    "render_markdown": "markdown",
    "step_line": "plain",
    "turn_json": "bundle",
    "view_turn": "view",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)

"""WHAT THE READER SEES, AS TEXT: pure functions from records to views, HTML, Markdown and text."""

from budget_magic.report.bundle import TURN_MIME, bundle, turn_json
from budget_magic.report.markdown import render_markdown
from budget_magic.report.markdown_report import markdown_report
from budget_magic.report.plain import plain_report, progress_line, step_line
from budget_magic.report.shapes import LiveBlock, LiveState, StepView, TurnView
from budget_magic.report.static_html import static_html
from budget_magic.report.text import clean_text, cut_text
from budget_magic.report.view import view_as_json, view_turn

__all__ = [
    "TURN_MIME",
    "LiveBlock",
    "LiveState",
    "StepView",
    "TurnView",
    "bundle",
    "clean_text",
    "cut_text",
    "markdown_report",
    "plain_report",
    "progress_line",
    "render_markdown",
    "static_html",
    "step_line",
    "turn_json",
    "view_as_json",
    "view_turn",
]

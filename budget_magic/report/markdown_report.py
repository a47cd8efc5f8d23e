"""A turn as Markdown, for text/markdown and for readers such as GitHub."""

from __future__ import annotations

from functools import cache
from typing import Final

from budget_magic.report.macros import load_template
from budget_magic.report.safe_markdown import code_block, code_span, escape_markdown, safe_markdown
from budget_magic.report.saved import Format, saved_output
from budget_magic.report.view_models import TurnView

LIMIT_BYTES: Final = 16_000
"""Steps keep their parts while the report is shorter than this."""


def markdown_report(view: TurnView) -> str:
    """Return the turn as Markdown: the same facts as the HTML, in the same order."""
    return saved_output(view, _markdown(), LIMIT_BYTES).strip() + "\n"


@cache
def _markdown() -> Format:
    macro = load_template("turn.md", escape_markdown, code=code_span, code_block=code_block)
    return Format(macro=macro, answers=(safe_markdown,))

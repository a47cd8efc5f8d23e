"""A turn as HTML for saved notebooks: no script, no class, bounded in size."""

from __future__ import annotations

from functools import cache, partial
from html import escape
from typing import Final

from budget_magic.report.macros import load_template
from budget_magic.report.markdown import protect, render_markdown
from budget_magic.report.saved import Format, saved_output
from budget_magic.report.view_models import TurnView

LIMIT_BYTES: Final = 20_000
"""Most bytes of one turn in a saved notebook."""


def static_html(view: TurnView, *, limit: int = LIMIT_BYTES) -> str:
    """Return the turn as HTML that needs no kernel, no style sheet and no trust.

    Parameters
    ----------
    view
        The turn.
    limit
        Most bytes of UTF-8, at least 16,000: the figures alone can need so many.
    """
    return saved_output(view, _html(), limit)


@cache
def _html() -> Format:
    return Format(
        macro=load_template("turn.html", _text, code=_code),
        answers=(render_markdown, partial(render_markdown, colours=False)),
    )


def _text(value: str) -> str:
    return protect(_code(value))


def _code(value: str) -> str:
    return escape(value, quote=False)

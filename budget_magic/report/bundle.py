"""Render a turn for saved output, as HTML, Markdown, plain text and JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from html import escape
from typing import Any, Final

from budget_magic.errors import join_clauses
from budget_magic.report.bars import sampled, spark, text_bar
from budget_magic.report.bill import EXPLANATION
from budget_magic.report.markdown import protect, render_markdown
from budget_magic.report.plain import plain_report
from budget_magic.report.safe_markdown import code_block, code_span, escape_markdown, safe_markdown
from budget_magic.report.saved import Format, saved_output
from budget_magic.report.text import one_line
from budget_magic.report.turn_fold import TurnFold
from budget_magic.report.view_models import TurnView

TURN_MIME: Final = "application/vnd.budget-magic.turn+json"
HTML_BYTES: Final = 20_000
"""Most bytes of one turn's HTML in a saved notebook."""
MARKDOWN_BYTES: Final = 16_000
"""Steps keep their parts while the report is shorter than this."""
Escape = Callable[[str], str]


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


def static_html(view: TurnView, *, limit: int = HTML_BYTES) -> str:
    """Return the turn as HTML that needs no kernel, no style sheet and no trust.

    It has at most `limit` bytes of UTF-8. The figures alone can need 16,000.
    """
    return saved_output(view, _html(), limit)


def markdown_report(view: TurnView) -> str:
    """Return the turn as Markdown: the same facts as the HTML, in the same order."""
    return saved_output(view, _markdown(), MARKDOWN_BYTES).strip() + "\n"


@cache
def _html() -> Format:
    code = partial(escape, quote=False)
    macro = _load_macros("turn.html", lambda text: protect(code(text)), code=code)
    return Format(macro=macro, answers=(render_markdown, partial(render_markdown, colours=False)))


@cache
def _markdown() -> Format:
    macro = _load_macros("turn.md", escape_markdown, code=code_span, code_block=code_block)
    return Format(macro=macro, answers=(safe_markdown,))


def _load_macros(name: str, text: Escape, **other: Escape) -> Callable[..., str]:
    """Return what renders a macro of a template by its name; `text` escapes every value.

    `other` are filters that escape a value in another way. A filter, `text` among them, may be
    given the most bytes of the result.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - heavy
    from markupsafe import Markup  # noqa: PLC0415 - comes with Jinja2

    def finalize(value: object) -> Markup:
        return value if isinstance(value, Markup) else Markup(text(str(value)))  # noqa: S704 - escaped

    def shortened(escape: Escape) -> Callable[..., Markup]:
        return lambda value, most=None: Markup(_shortened(str(value), most, escape))  # noqa: S704 - escaped

    environment = Environment(
        loader=PackageLoader("budget_magic.report"),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
    )
    environment.globals |= {
        "text_bar": text_bar,
        "sampled": sampled,
        "spark": spark,
        "explanation": EXPLANATION,
    }
    environment.filters |= {
        "one_line": one_line,
        "percent": lambda share: f"{share * 100:.2f}%",
        **{name: shortened(escape) for name, escape in {"text": text, **other}.items()},
    }
    macros: Any = environment.get_template(name).module
    return lambda macro, *args: getattr(macros, macro)(*args)


def _shortened(value: str, most: int | None, escape: Escape) -> str:
    """Return the value escaped, in at most `most` bytes, with an ellipsis if it was cut."""
    escaped = escape(value)
    while most is not None and len(escaped.encode()) > most and value:
        value = value[: int(len(value) * 0.8)]
        escaped = escape(value.rstrip() + "…")
    return escaped

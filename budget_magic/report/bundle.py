"""Render a turn for saved output, as HTML, Markdown, plain text and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from html import escape
from typing import Any, Final

from budget_magic.errors import join_clauses
from budget_magic.report.bars import spark, text_bar
from budget_magic.report.bill import EXPLANATION
from budget_magic.report.details import detail_lines
from budget_magic.report.fitting import Fitted, fitted
from budget_magic.report.markdown import render_markdown
from budget_magic.report.markdown_blocks import protect
from budget_magic.report.safe_markdown import code_block, code_span, escape_markdown, safe_markdown
from budget_magic.report.saved import Format, SavedForm, size
from budget_magic.report.text import one_line
from budget_magic.report.turn_fold import TurnFold
from budget_magic.report.view_models import TurnView

TURN_MIME: Final = "application/vnd.budget-magic.turn+json"
_KEYS_BYTES: Final = 120
"""For the MIME types and what stands around each form."""
_TURN_BYTES: Final = 1_200
"""About what the JSON of a turn has."""
Escape = Callable[[str], str]


def bundle(view: TurnView, turn: Mapping[str, Any]) -> dict[str, object]:
    """Return the output of a turn by MIME type; `turn` comes from `turn_json`.

    All of it together has at most `SAVED_BYTES`; a long answer may take up to `LONG_BYTES`.
    """
    made = _fitted(view, size(json.dumps(turn)) + _KEYS_BYTES)
    return {
        "text/html": made.html,
        "text/markdown": made.markdown,
        "text/plain": made.plain,
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


def static_html(view: TurnView) -> str:
    """Return the turn as HTML that needs no kernel, no style sheet and no trust."""
    return _fitted(view, _TURN_BYTES).html


def markdown_report(view: TurnView) -> str:
    """Return the turn as Markdown: the same facts as the HTML, in the same order."""
    return _fitted(view, _TURN_BYTES).markdown


def _fitted(view: TurnView, others: int) -> Fitted:
    made = fitted(view, SavedForm(view, _html()), SavedForm(view, _markdown()), others)
    return replace(made, markdown=made.markdown.strip() + "\n")


@cache
def _html() -> Format:
    code = partial(escape, quote=False)
    return Format(
        macro=_load_macros("turn.html", lambda text: protect(code(text)), code=code),
        render=lambda text, colours: render_markdown(text, target="saved", colours=colours),
    )


@cache
def _markdown() -> Format:
    macro = _load_macros(
        "turn.md", escape_markdown, code=code_span, code_block=code_block, quote=_quoted
    )
    return Format(macro=macro, render=lambda text, _: safe_markdown(text))


def _quoted(text: str) -> str:
    """Return a text as a Markdown quotation with its line breaks."""
    lines = [escape_markdown(line) for line in text.split("\n")]
    return "\n".join(f"> {line}\\" if line else ">" for line in lines).removesuffix("\\")


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
        "explanation": EXPLANATION,
        "spark": spark,
        "detail_lines": detail_lines,
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

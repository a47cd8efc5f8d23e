"""Load the macros of saved output's templates, which escape every value that is put in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from budget_magic.report import phrases
from budget_magic.report.bars import sampled, spark, text_bar
from budget_magic.report.bill import EXPLANATION
from budget_magic.report.call_labels import part_text
from budget_magic.report.text import one_line

Escape = Callable[[str], str]
Macro = Callable[..., str]
"""Renders the macro of this name: `macro("row", step)`."""
_PHRASES: Final = (
    phrases.heading_text, phrases.gauge_text, phrases.pace_text, phrases.ceiling_label,
    phrases.ceiling_rest, phrases.input_text, phrases.mark_text, phrases.step_figures,
    phrases.transcript_text, phrases.meters_text, text_bar, sampled, spark, part_text,
)  # fmt: skip


def load_template(name: str, text: Escape, **other: Escape) -> Macro:
    """Return the macros of a template.

    Parameters
    ----------
    name
        Its file in `templates`.
    text
        Escapes every value that is put in.
    other
        What escapes a value in its place where the template names it as a filter. Filters, `text`
        among them, also take the most bytes that a value may have.
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
    environment.globals |= {phrase.__name__: phrase for phrase in _PHRASES}
    environment.globals["explanation"] = EXPLANATION
    environment.filters |= {
        "one_line": one_line,
        "percent": lambda share: f"{share * 100:.2f}%",
        "text": shortened(text),
        **{name: shortened(escape) for name, escape in other.items()},
    }
    macros: Any = environment.get_template(name).module
    return lambda macro, *args: getattr(macros, macro)(*args)


def _shortened(value: str, most: int | None, escape: Escape) -> str:
    """Return the value escaped, in at most `most` bytes, with an ellipsis where it was cut."""
    escaped = escape(value)
    while most is not None and len(escaped.encode()) > most and value:
        value = value[: int(len(value) * 0.8)]
        escaped = escape(value.rstrip() + "…")
    return escaped

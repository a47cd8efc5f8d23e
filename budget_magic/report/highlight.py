"""Syntax highlighting as HTML: inline styles for saved output, classes for the live panel."""

from __future__ import annotations

from functools import cache
from html import escape
from itertools import groupby
from operator import itemgetter
from time import thread_time
from typing import Any, Final, Literal

LANGUAGES: Final = frozenset({
    "bash", "c", "cpp", "css", "diff", "go", "html", "java", "javascript", "js", "json",
    "py", "python", "rust", "sh", "shell", "sql", "toml", "ts", "typescript", "yaml", "yml",
})  # fmt: skip
"""Languages that are highlighted; code in any other stays plain.

The deadline is checked between tokens, so try hostile code before adding a lexer: that of INI files
takes more than a second for a single token.
"""
HIGHLIGHT_CHARS: Final = 10_000
"""Longer code stays plain."""
HIGHLIGHT_CPU_S: Final = 0.25
"""CPU time for all code of one text: Pygments takes quadratic time on hostile code."""

Target = Literal["panel", "saved"]
"""Where HTML is shown: in the live panel, which has a style sheet, or in saved output."""
COLOURS: Final = {"k": "#7526a3", "s": "#a01c1c", "c": "#545c68", "m": "#0b5c2e", "f": "#0b4f9e"}
"""The colours in saved output by class in the panel: of keywords, strings, comments,
numbers and names."""
_CLASSES: Final = {
    "Comment": "c",
    "Keyword": "k",
    "Operator.Word": "k",
    "Literal.String": "s",
    "Literal.Number": "m",
    "Keyword.Constant": "m",
    "Name.Function": "f",
    "Name.Class": "f",
    "Name.Decorator": "f",
    "Name.Tag": "f",
    "Generic.Deleted": "s",
    "Generic.Inserted": "m",
}
STYLES: Final = frozenset(f"color:{colour}" for colour in COLOURS.values())
"""Every value that the `style` attribute of a span can have."""


class Highlighter:
    """Highlights the code of one text within `HIGHLIGHT_CPU_S` of CPU time."""

    def __init__(self, target: Target) -> None:
        self._left_s = HIGHLIGHT_CPU_S
        self._opening = {
            one: f'class="{one}"' if target == "panel" else f'style="color:{colour}"'
            for one, colour in COLOURS.items()
        }

    def highlight(self, code: str, language: str) -> str:
        """Return code as HTML; plain if the language is unknown, it is too long, or time is up."""
        if language not in LANGUAGES or len(code) > HIGHLIGHT_CHARS or self._left_s <= 0:
            return escape(code, quote=False)
        began_s = thread_time()
        tokens = _tokens(code, language, began_s + self._left_s)
        self._left_s -= thread_time() - began_s
        parts = []
        for name, group in groupby(tokens, key=itemgetter(0)):
            text = escape("".join(text for _, text in group), quote=False)
            is_plain = not name or not text.strip()
            parts.append(text if is_plain else f"<span {self._opening[name]}>{text}</span>")
        return "".join(parts)


def _tokens(code: str, language: str, deadline: float) -> list[tuple[str, str]]:
    """Return the code in pieces with their classes; in one piece if the deadline passes."""
    tokens = []
    for kind, text in _lexer(language).get_tokens(f"{code}\n"):
        tokens.append((_class(kind), text))
        if thread_time() > deadline:
            return [("", code)]
    if tokens:
        name, text = tokens[-1]
        tokens[-1] = name, text.removesuffix("\n")
    return tokens


@cache
def _lexer(language: str) -> Any:
    from pygments.lexers import (  # type: ignore[import-untyped]  # ships no types  # noqa: PLC0415 - loading must stay cheap
        get_lexer_by_name,
    )

    return get_lexer_by_name(language, stripnl=False)


def _class(kind: object) -> str:
    """Return the class of a token type or of its nearest parent that has one; else nothing."""
    name = str(kind).removeprefix("Token.")
    while name and name not in _CLASSES:
        name = name.rpartition(".")[0]
    return _CLASSES.get(name, "")

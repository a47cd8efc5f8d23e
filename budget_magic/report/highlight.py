"""Syntax highlighting as HTML with inline styles that are readable on light and dark pages."""

from __future__ import annotations

from functools import cache
from html import escape
from itertools import groupby
from time import thread_time
from typing import Any, Final

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

# A saved notebook has no style sheet, so each colour must work in both themes. These have a
# contrast of at least 4.2 on white and on JupyterLab's dark #111111.
_STYLES: Final = {
    "Comment": "opacity:0.7",
    "Keyword": "color:#a855c8",
    "Operator.Word": "color:#a855c8",
    "Literal.String": "color:#3d8828",
    "Literal.Number": "color:#b7651b",
    "Keyword.Constant": "color:#b7651b",
    "Name.Function": "color:#3d76d6",
    "Name.Class": "color:#3d76d6",
    "Name.Decorator": "color:#3d76d6",
    "Name.Tag": "color:#3d76d6",
    "Generic.Deleted": "color:#d64545",
    "Generic.Inserted": "color:#3d8828",
}
STYLES: Final = frozenset(_STYLES.values())
"""Every value that a `style` attribute can have."""


def cpu_deadline() -> float:
    """Return the thread's CPU time at which highlighting has to end."""
    return thread_time() + HIGHLIGHT_CPU_S


def highlight(code: str, language: str, deadline: float) -> str:
    """Return code as HTML; plain if the language is unknown, the code too long, or time is up.

    `code` ends with a newline, and `deadline` comes from `cpu_deadline`.
    """
    plain = escape(code, quote=False)
    if language not in LANGUAGES or len(code) > HIGHLIGHT_CHARS or thread_time() > deadline:
        return plain
    tokens = []
    for kind, text in _lexer(language).get_tokens(code):
        tokens.append((_style(kind), text))
        if thread_time() > deadline:
            return plain
    parts = []
    for style, group in groupby(tokens, key=lambda token: token[0]):
        text = escape("".join(text for _, text in group), quote=False)
        parts.append(f'<span style="{style}">{text}</span>' if style and text.strip() else text)
    return "".join(parts)


@cache
def _lexer(language: str) -> Any:
    from pygments.lexers import (  # type: ignore[import-untyped]  # ships no types  # noqa: PLC0415 - loading must stay cheap
        get_lexer_by_name,
    )

    return get_lexer_by_name(language, stripnl=False)


def _style(kind: object) -> str:
    """Return the style of a token type or of its nearest parent that has one; else nothing."""
    name = str(kind).removeprefix("Token.")
    while name and name not in _STYLES:
        name = name.rpartition(".")[0]
    return _STYLES.get(name, "")

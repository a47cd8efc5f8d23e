"""Markdown of a model as HTML that can do nothing: a tight allow-list, no images, no formulas."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any, Final

from budget_magic.report.text import clean_text

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.tree import SyntaxTreeNode

__all__ = [
    "ALLOWED_TAGS",
    "clean_text",
    "parse_markdown",
    "protect",
    "render_markdown",
    "safe_address",
]

ALLOWED_TAGS: Final = frozenset({
    "p", "ul", "ol", "li", "code", "pre", "strong", "em", "h1", "h2", "h3", "h4", "h5", "h6",
    "table", "thead", "tbody", "tr", "th", "td", "blockquote", "hr", "br", "a",
})  # fmt: skip
MARKDOWN_CHARS: Final = 40_000
"""Longer texts are shown as they are: the parser is not linear in hostile ones."""
_ADDRESS: Final = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
_PIECES: Final = re.compile(r"<(/?)([a-z0-9]+)[^>]*>|([^<]+)", re.IGNORECASE)
_TYPESET: Final = re.compile(r"[$\\]")


def render_markdown(text: str) -> str:
    r"""Safe HTML of `text`: CommonMark and tables, raw HTML as text, images as their words.

    Parameters
    ----------
    text
        Markdown of a model; it need not be cleaned.

    Returns
    -------
    str
        HTML of the tags in `ALLOWED_TAGS` with no attribute but `href` and `rel` of a link and
        `start` of a list, and spans that keep `$` and `\` from being typeset as formulas.

    Examples
    --------
    >>> render_markdown("*two* <b>words</b>")
    '<p><em>two</em> &lt;b&gt;words&lt;/b&gt;</p>\n'
    """
    import nh3  # noqa: PLC0415 - loading the extension must stay cheap

    text = clean_text(text)
    if len(text) > MARKDOWN_CHARS:
        return f"<pre>{escape(text, quote=False)}</pre>"
    html = nh3.clean(
        _parser().render(text),
        tags=set(ALLOWED_TAGS),
        attributes={"a": {"href"}, "ol": {"start"}},
        attribute_filter=_attribute,
        url_schemes={"https", "http", "mailto"},
        link_rel="noopener noreferrer",
    )
    # Entities of the source have become characters only now.
    return _protect_html(clean_text(html))


def protect(escaped: str) -> str:
    r"""Escaped text in which JupyterLab finds no formula: `$` and `\` stand in spans of their own.

    >>> protect("$5 to $6")
    '<span>$</span>5 to <span>$</span>6'
    """
    return _TYPESET.sub(lambda match: f"<span>{match.group()}</span>", escaped)


def _protect_html(html: str) -> str:
    code = 0
    pieces = []
    for match in _PIECES.finditer(html):
        closing, tag, text = match.groups()
        if tag in {"code", "pre"}:
            code += -1 if closing else 1
        pieces.append(protect(text) if text is not None and not code else match.group())
    return "".join(pieces)


def _attribute(tag: str, name: str, value: str) -> str | None:
    if tag == "ol":
        return value if name == "start" and value.isascii() and value.isdecimal() else None
    # nh3 allows `title` and `lang` everywhere.
    if name == "href":
        return safe_address(value)
    return value if name == "rel" else None


def safe_address(address: str) -> str | None:
    """Return the address of a link where it is one of the web or of mail; else None.

    A relative address would point into the reader's own Jupyter server.
    """
    return address if _ADDRESS.match(address) else None


def parse_markdown(text: str) -> SyntaxTreeNode:
    """Return the tree of a Markdown text in which raw HTML is text."""
    from markdown_it.tree import SyntaxTreeNode  # noqa: PLC0415 - as below

    return SyntaxTreeNode(_parser().parse(text))


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - loading the extension must stay cheap

    parser = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table")
    rules: dict[str, Callable[..., str]] = parser.renderer.rules  # type: ignore[attr-defined]  # declared by RendererHTML only
    rules["image"] = _image
    return parser


def _image(tokens: Sequence[Any], index: int, _options: Mapping[str, Any], _env: object) -> str:
    token = tokens[index]
    address = str(token.attrs.get("src", ""))
    words = str(token.content).strip()
    return escape(f"{words} ({address})" if words else address)

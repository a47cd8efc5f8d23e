"""Render a model's Markdown as safe HTML: a short allow-list, no images, no formulas."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any, Final

from budget_magic.report.highlight import STYLES, cpu_deadline, highlight
from budget_magic.report.text import clean_text

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.tree import SyntaxTreeNode

ALLOWED_TAGS: Final = frozenset({
    "p", "ul", "ol", "li", "code", "pre", "strong", "em", "h1", "h2", "h3", "h4", "h5", "h6",
    "table", "thead", "tbody", "tr", "th", "td", "blockquote", "hr", "br", "a", "span",
})  # fmt: skip
MARKDOWN_CHARS: Final = 40_000
"""Longer texts are shown as they are: the parser takes more than linear time on hostile ones."""
_WEB_ADDRESS: Final = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
_TAG_OR_TEXT: Final = re.compile(r"<(/?)([a-z0-9]+)[^>]*>|([^<]+)", re.IGNORECASE)
_TYPESET: Final = re.compile(r"[$\\]")


def render_markdown(text: str, *, colours: bool = True) -> str:
    r"""Return `text` as safe HTML: CommonMark and tables, raw HTML as text, images as their words.

    Its tags are those of `ALLOWED_TAGS`; its attributes `href` and `rel` of links, `start` of
    lists, and the `STYLES` of spans in code. Other spans keep `$` and `\` from being typeset as
    formulas. With `colours`, code is highlighted, and the HTML several times as long.

    >>> render_markdown("*two* <b>words</b>")
    '<p><em>two</em> &lt;b&gt;words&lt;/b&gt;</p>\n'
    """
    import nh3  # noqa: PLC0415 - loading the extension must stay cheap

    text = clean_text(text)
    if len(text) > MARKDOWN_CHARS:
        return f"<pre>{escape(text, quote=False)}</pre>"
    html = nh3.clean(
        _parser().render(text, {"deadline": cpu_deadline()} if colours else {}),
        tags=set(ALLOWED_TAGS),
        attributes={"a": {"href"}, "ol": {"start"}, "span": {"style"}},
        attribute_filter=_filter_attribute,
        url_schemes={"https", "http", "mailto"},
        link_rel="noopener noreferrer",
    )
    # Entities of the source have become characters only now.
    return _protect_html(clean_text(html))


def protect(escaped: str) -> str:
    r"""Return escaped text in which JupyterLab finds no formula: `$` and `\` get own spans.

    >>> protect("$5 to $6")
    '<span>$</span>5 to <span>$</span>6'
    """
    return _TYPESET.sub(r"<span>\g<0></span>", escaped)


def _protect_html(html: str) -> str:
    code = 0
    pieces = []
    for match in _TAG_OR_TEXT.finditer(html):
        closing, tag, text = match.groups()
        if tag in {"code", "pre"}:
            code += -1 if closing else 1
        pieces.append(protect(text) if text is not None and not code else match.group())
    return "".join(pieces)


def _filter_attribute(tag: str, name: str, value: str) -> str | None:
    match tag, name:
        case "ol", "start":
            is_safe = value.isascii() and value.isdecimal()
        case "span", "style":
            is_safe = value in STYLES
        case "a", "href":
            is_safe = safe_address(value) is not None
        case _:  # nh3 allows `title` and `lang` everywhere
            is_safe = (tag, name) == ("a", "rel")
    return value if is_safe else None


def safe_address(address: str) -> str | None:
    """Return the address of a link if it is a web or mail address, else None.

    A relative address would point into the reader's own Jupyter server.
    """
    return address if _WEB_ADDRESS.match(address) else None


def parse_markdown(text: str) -> SyntaxTreeNode:
    """Return the syntax tree of a Markdown text in which raw HTML is text."""
    from markdown_it.tree import SyntaxTreeNode  # noqa: PLC0415 - as below

    return SyntaxTreeNode(_parser().parse(text))


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - loading the extension must stay cheap

    parser = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table")
    rules = parser.renderer.rules  # type: ignore[attr-defined]  # declared by RendererHTML only
    rules |= {"image": _image, "fence": _fence}
    return parser


def _image(tokens: Sequence[Any], index: int, *_: object) -> str:
    return escape(image_text(tokens[index].content, tokens[index].attrs))


def image_text(words: str, attrs: Mapping[str, Any]) -> str:
    """Return the text that replaces an image: its words and its address."""
    words, address = words.strip(), str(attrs.get("src", ""))
    return f"{words} ({address})" if words else address


def _fence(tokens: Sequence[Any], index: int, _options: object, env: Mapping[str, Any]) -> str:
    code, language = tokens[index].content, tokens[index].info.partition(" ")[0].lower()
    html = highlight(code, language, env["deadline"]) if env else escape(code, quote=False)
    return f"<pre><code>{html}</code></pre>\n"

"""Parse Markdown and render its top-level blocks as safe HTML: a short allow-list, no images."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any, Final
from unicodedata import bidirectional

from budget_magic.report.highlight import COLOURS, STYLES, Highlighter, Target
from budget_magic.report.text import clean_text

if TYPE_CHECKING:
    import nh3
    from markdown_it import MarkdownIt
    from markdown_it.token import Token
    from markdown_it.tree import SyntaxTreeNode

ALLOWED_TAGS: Final = frozenset({
    "p", "ul", "ol", "li", "code", "pre", "strong", "em", "h1", "h2", "h3", "h4", "h5", "h6",
    "table", "thead", "tbody", "tr", "th", "td", "blockquote", "hr", "br", "a", "s", "span", "div",
})  # fmt: skip
MARKDOWN_CHARS: Final = 40_000
"""Longer blocks are shown as they are: the parser takes more than linear time on hostile ones."""
TABLE_CELLS: Final = 5_000
"""Larger tables are shown as text: a short row is filled up with cells of a wide header."""
NOWRAP_CHARS: Final = 48
"""A cell of a table wraps only if it is longer."""
_EDGE: Final = "1px solid #8080804d"
_HEAD: Final = "margin:14px 0 0;font-weight:600;font-size"
_CODE: Final = (
    "margin:8px 0 0;padding:8px 12px;background-color:#eef0f4;color:#1f2328;border-radius:4px;"
    f"border:{_EDGE};font-family:monospace;font-size:12.5px;line-height:1.5;overflow-x:auto;"
    "white-space:pre"
)
_SAVED: Final = {
    "p": "margin:8px 0 0;max-width:1100px",
    "h1": f"{_HEAD}:16px",
    "h2": f"{_HEAD}:16px",
    "h3": f"{_HEAD}:15px",
    "h4": f"{_HEAD}:14px",
    "h5": f"{_HEAD}:14px",
    "h6": f"{_HEAD}:14px",
    "ul": "margin:8px 0 0;padding:0 24px;max-width:1100px",
    "ol": "margin:8px 0 0;padding:0 24px;max-width:1100px",
    "blockquote": f"margin:8px 0 0;padding:0 0 0 12px;border-left:3{_EDGE[1:]}",
    "table": "border-collapse:collapse;margin:0;font-size:13px",
    "tr": f"background-color:#0000;border-bottom:{_EDGE}",
    "div": "margin:8px 0 0;overflow-x:auto",
    "pre": _CODE,
}
"""Styles of saved output by tag. JupyterLab's own rules would align cells to the right, and
paragraphs to the left."""
_TO_THE_RIGHT: Final = ";text-align:right"
_CELL: Final = "text-align:{};padding:4px 20px 4px 0;{}"
_SHORT: Final = "white-space:nowrap"
_LONG: Final = "min-width:320px;vertical-align:top"
_BESIDE_LONG: Final = f"{_SHORT};vertical-align:top"
_ALIGNED: Final = {f"text-align:{side}": side for side in ("left", "center", "right")}
_CELLS: Final = frozenset(_ALIGNED) | frozenset(
    _CELL.format(side, width)
    for side in _ALIGNED.values()
    for width in (_SHORT, _LONG, _BESIDE_LONG)
)
_ALLOWED: Final[Mapping[Target, Mapping[tuple[str, str], frozenset[str]]]] = {
    "saved": {
        **{
            (tag, "style"): frozenset({style, f"{style}{_TO_THE_RIGHT}"})
            for tag, style in _SAVED.items()
        },
        ("span", "style"): STYLES,
        ("th", "style"): _CELLS,
        ("td", "style"): _CELLS,
    },
    "panel": {
        ("pre", "class"): frozenset({"bm-code"}),
        ("pre", "tabindex"): frozenset({"0"}),
        ("div", "class"): frozenset({"bm-scroll"}),
        ("div", "tabindex"): frozenset({"0"}),
        ("span", "class"): frozenset(COLOURS),
        ("th", "style"): frozenset(_ALIGNED),
        ("td", "style"): frozenset(_ALIGNED),
        ("td", "class"): frozenset({"wrap"}),
    },
}
"""The values of attributes that may stand in HTML, by tag and attribute."""
_WITH_DIRECTION: Final = frozenset({
    "p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "th", "td",
})  # fmt: skip
_RIGHT_TO_LEFT: Final = re.compile(
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_WEB_ADDRESS: Final = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
_TAG_OR_TEXT: Final = re.compile(r"<(/?)([a-z0-9]+)[^>]*>|([^<]+)", re.IGNORECASE)
_TYPESET: Final = re.compile(r"[$\\]")


def render_blocks(text: str, target: Target, highlighter: Highlighter | None) -> Iterator[str]:
    """Yield the HTML of each top-level block; without `highlighter`, code is not highlighted."""
    parser = _parser()
    tokens = parser.parse(text)
    _decorate(tokens, target, short=highlighter is None)
    env: dict[str, Any] = {"target": target, "highlighter": highlighter}
    first = 0
    for place, token in enumerate(tokens, start=1):
        if token.level == 0 and token.nesting <= 0:
            html = parser.renderer.render(tokens[first:place], parser.options, env)
            yield _sanitised(html, target)
            first = place


def block_starts(text: str) -> list[tuple[int, str]]:
    """Return the first line of each top-level block, from 0, and the type of its first token."""
    tokens: list[Token] = []
    parser = _parser()
    parser.block.parse(text, parser, {}, tokens)
    return [
        (token.map[0], token.type)
        for token in tokens
        if token.level == 0 and token.nesting >= 0 and token.map
    ]


def has_large_table(text: str) -> bool:
    """Return whether a text holds a table of more than `TABLE_CELLS`."""
    columns = rows = 0
    for line in text.split("\n"):
        if {"|", "-"} <= set(line) <= set(" \t>|:-"):  # the row below a header
            columns, rows = line.count("|") + 1, 0
        elif not line.strip():
            columns = 0
        rows += 1
        if columns * rows > TABLE_CELLS:
            return True
    return False


def plain_block(text: str, target: Target) -> str:
    """Return a text as it is, as one block."""
    return f"<pre {_opening('pre', target)}>{_code(text)}</pre>\n"


def parse_markdown(text: str) -> SyntaxTreeNode:
    """Return the syntax tree of a Markdown text in which raw HTML is text."""
    from markdown_it.tree import SyntaxTreeNode  # noqa: PLC0415 - as below

    return SyntaxTreeNode(_parser().parse(text))


def protect(escaped: str) -> str:
    r"""Return escaped text in which JupyterLab finds no formula: `$` and `\` get own spans.

    >>> protect("$5 to $6")
    '<span>$</span>5 to <span>$</span>6'
    """
    return _TYPESET.sub(r"<span>\g<0></span>", escaped)


def safe_address(address: str) -> str | None:
    """Return the address of a link if it is a web or mail address, else None.

    A relative address would point into the reader's own Jupyter server.
    """
    return address if _WEB_ADDRESS.match(address) else None


def image_text(words: str, attrs: Mapping[str, Any]) -> str:
    """Return the text that replaces an image: its words and its address."""
    words, address = words.strip(), str(attrs.get("src", ""))
    return f"{words} ({address})" if words else address


def _decorate(tokens: Sequence[Token], target: Target, *, short: bool) -> None:
    """Set styles or classes, and the direction of what holds right-to-left text.

    With `short`, cells of saved tables are only aligned.
    """
    opened: list[Token] = []
    row: list[tuple[Token, str]] = []
    for token in tokens:
        if token.nesting > 0:
            opened.append(token)
            if target == "saved" and (style := _SAVED.get(token.tag)):
                token.attrSet("style", style)
        elif token.nesting < 0:
            if opened.pop().tag == "tr":
                _decorate_row(row, target, short=short)
                row = []
        elif token.type == "inline":
            if opened[-1].tag in {"th", "td"}:
                row.append((opened[-1], token.content))
            if _RIGHT_TO_LEFT.search(token.content):
                _set_direction(opened, token.content, target)


def _set_direction(opened: Sequence[Token], text: str, target: Target) -> None:
    for holder in opened:
        if holder.tag in _WITH_DIRECTION:
            holder.attrSet("dir", "auto")
    if target == "saved" and opened[-1].tag == "p" and _starts_right(text):
        opened[-1].attrSet("style", _SAVED["p"] + _TO_THE_RIGHT)


def _starts_right(text: str) -> bool:
    """Return whether the first letter belongs to a script that is written from the right."""
    kinds = map(bidirectional, text)
    return next((kind != "L" for kind in kinds if kind in {"L", "R", "AL"}), False)


def _decorate_row(row: Sequence[tuple[Token, str]], target: Target, *, short: bool) -> None:
    long = [cell.tag == "td" and len(text) > NOWRAP_CHARS for cell, text in row]
    narrow = _BESIDE_LONG if any(long) else _SHORT
    for (cell, text), is_long in zip(row, long, strict=True):
        if target == "saved":
            natural = "right" if _starts_right(text) else "left"
            side = _ALIGNED.get(str(cell.attrGet("style")), natural)
            wide = _CELL.format(side, _LONG if is_long else narrow)
            cell.attrSet("style", f"text-align:{side}" if short else wide)
        elif is_long:
            cell.attrSet("class", "wrap")


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - loading the extension must stay cheap

    parser = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(
        ["table", "strikethrough"]
    )
    # A definition may follow blocks that refer to it and are shown by then; no block is raw HTML.
    parser.disable(["reference", "html_block"])
    rules = parser.renderer.rules  # type: ignore[attr-defined]  # declared by RendererHTML only
    rules |= {
        "image": _image,
        "fence": _fence,
        "code_block": _fence,
        "table_open": _table_open,
        "table_close": lambda *_: "</table></div>\n",
    }
    return parser


def _image(tokens: Sequence[Token], index: int, *_: object) -> str:
    return escape(image_text(tokens[index].content, tokens[index].attrs))


def _fence(tokens: Sequence[Token], index: int, _options: object, env: Mapping[str, Any]) -> str:
    code, language = tokens[index].content, tokens[index].info.partition(" ")[0].lower()
    html = _code(code.removesuffix("\n"), language, env["highlighter"])
    return f"<pre {_opening('pre', env['target'])}>{html}</pre>\n"


def _code(code: str, language: str = "", highlighter: Highlighter | None = None) -> str:
    html = highlighter.highlight(code, language) if highlighter else escape(code, quote=False)
    # HTML drops a newline right after the tag.
    return f"<span></span>{html}" if html.startswith("\n") else html


def _table_open(
    tokens: Sequence[Token], index: int, _options: object, env: Mapping[str, Any]
) -> str:
    style = tokens[index].attrGet("style")
    table = f'<table style="{style}">' if style else "<table>"
    return f"<div {_opening('div', env['target'])}>{table}\n"


def _opening(tag: str, target: Target) -> str:
    """Return the attributes of a box that scrolls."""
    if target == "saved":
        return f'style="{_SAVED[tag]}"'
    return f'class="{"bm-code" if tag == "pre" else "bm-scroll"}" tabindex="0"'


def _sanitised(html: str, target: Target) -> str:
    # Entities of the source become characters only here.
    return _protect_html(clean_text(_cleaner(target).clean(html)))


@cache
def _cleaner(target: Target) -> nh3.Cleaner:
    import nh3  # noqa: PLC0415 - loading the extension must stay cheap

    allowed = _ALLOWED[target]

    def kept(tag: str, name: str, value: str) -> str | None:
        match tag, name:
            case "ol", "start":
                is_safe = value.isascii() and value.isdecimal()
            case "a", "href":
                is_safe = safe_address(value) is not None
            case _, "dir":
                is_safe = tag in _WITH_DIRECTION and value == "auto"
            case _:  # nh3 allows `title` and `lang` everywhere
                is_safe = (tag, name) == ("a", "rel") or value in allowed.get((tag, name), ())
        return value if is_safe else None

    return nh3.Cleaner(
        tags=set(ALLOWED_TAGS),
        attributes={"*": {"dir", "style", "class", "tabindex"}, "a": {"href"}, "ol": {"start"}},
        attribute_filter=kept,
        url_schemes={"https", "http", "mailto"},
        link_rel="noopener noreferrer",
    )


def _protect_html(html: str) -> str:
    code = 0
    pieces = []
    for match in _TAG_OR_TEXT.finditer(html):
        closing, tag, text = match.groups()
        if tag in {"code", "pre"}:
            code += -1 if closing else 1
        pieces.append(protect(text) if text is not None and not code else match.group())
    return "".join(pieces)

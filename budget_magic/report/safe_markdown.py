"""Rewrite a model's Markdown so that it is harmless in any renderer.

A front end may render text/markdown with raw HTML, images and formulas: JupyterLab does in a
trusted notebook, scripts included. So the answer is parsed without raw HTML and written again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final, Literal

from budget_magic.report.markdown_blocks import (
    MARKDOWN_CHARS,
    has_large_table,
    image_text,
    parse_markdown,
    safe_address,
)
from budget_magic.report.text import clean_text

if TYPE_CHECKING:
    from markdown_it.tree import SyntaxTreeNode

_SPECIAL: Final = re.compile(r"[*_\[\]<>|~&@]|:(?=//)|(?<=www)\.")
_AT_LINE_START: Final = re.compile(r"^(?:(?=[#+=-])|\d+(?=[.)](?:\s|$)))")
# JupyterLab finds formulas also behind escapes, though never in code.
_TYPESET: Final = re.compile(r"([$\\`]+(?:(?<=\$)\d(?:[\d,.]*\d)?)?)")
_BACKTICKS: Final = re.compile(r"`+")
_LANGUAGE: Final = re.compile(r"[A-Za-z][\w+-]{0,19}")
Piece = tuple[Literal["text", "code", "mark"], str]
"""A part of a line: a model's text, code, or our own Markdown."""


def safe_markdown(text: str) -> str:
    r"""Return Markdown without HTML, images, formulas, and links other than web and mail.

    >>> safe_markdown("*two* <b>words</b>, ![a](http://b.example) $x$")
    '*two* \\<b\\>words\\</b\\>, a (http\\://b.example) `$`x`$`'
    """
    text = clean_text(text)
    if len(text) > MARKDOWN_CHARS or has_large_table(text):
        return code_block(text)
    return _blocks(parse_markdown(text).children)


def escape_markdown(text: str) -> str:
    r"""Return text as one line of Markdown that shows it literally.

    >>> escape_markdown("a_b*c $5")
    'a\\_b\\*c `$5`'
    """
    return _joined(_pieces(" ".join(text.split())))


def code_span(text: str) -> str:
    """Return text as a code span on one line, with a fence longer than any inside.

    >>> code_span("a `b` c")
    '`` a `b` c ``'
    """
    line = " ".join(text.split())
    fence = "`" * (_longest(line) + 1)
    pad = " " if "`" in line else ""
    return f"{fence}{pad}{line}{pad}{fence}" if line else ""


def code_block(text: str, language: str = "text") -> str:
    """Return text as a fenced block, with a fence longer than any inside."""
    fence = "`" * max(3, _longest(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _longest(text: str) -> int:
    return max((len(run) for run in _BACKTICKS.findall(text)), default=0)


def _pieces(text: str) -> list[Piece]:
    parts = _TYPESET.split(text)
    return [("code" if place % 2 else "text", part) for place, part in enumerate(parts) if part]


def _joined(pieces: Iterable[Piece], *, in_table: bool = False) -> str:
    """Return the pieces as Markdown; adjacent code is one span, or its fences would touch."""
    written: list[str] = []
    for kind, group in groupby(pieces, key=lambda piece: piece[0]):
        text = "".join(text for _, text in group)
        if kind == "code":
            span = code_span(text)
            written.append(span.replace("|", r"\|") if in_table else span)
        elif kind == "mark":
            written.append(text)
        else:
            escaped = _SPECIAL.sub(r"\\\g<0>", text)
            at_start = not written or written[-1].endswith("\n")
            written.append(_AT_LINE_START.sub(r"\g<0>\\", escaped) if at_start else escaped)
    return "".join(written)


def _blocks(nodes: Sequence[SyntaxTreeNode], apart: str = "\n\n") -> str:
    return apart.join(filter(None, map(_block, nodes)))


def _block(node: SyntaxTreeNode) -> str:  # noqa: PLR0911 - one case per kind of block
    match node.type:
        case "paragraph":
            return _joined(_inline(node.children))
        case "heading":
            words = _joined(_inline(node.children)).replace("\n", " ")
            return f"{'#' * int(node.tag[1])} {words}"
        case "fence" | "code_block":
            language = _LANGUAGE.fullmatch(node.info.strip())
            return code_block(node.content.rstrip("\n"), language.group() if language else "text")
        case "blockquote":
            return _indented(_blocks(node.children), "> ", "> ")
        case "bullet_list" | "ordered_list":
            return _list(node)
        case "table":
            return _table(node)
        case "hr":
            return "---"
        case _:
            return escape_markdown(node.content)


def _list(node: SyntaxTreeNode) -> str:
    first = int(node.attrs.get("start", 1)) if node.type == "ordered_list" else None
    parts = (child for item in node.children for child in item.children)
    is_tight = not any(child.type == "paragraph" and not child.hidden for child in parts)
    apart = "\n" if is_tight else "\n\n"
    items = []
    for place, item in enumerate(node.children):
        sign = "- " if first is None else f"{first + place}. "
        items.append(_indented(_blocks(item.children, apart), sign, " " * len(sign)))
    return apart.join(items)


def _indented(text: str, first: str, rest: str) -> str:
    lines = text.split("\n")
    indented = [first + lines[0], *(rest + line for line in lines[1:])]
    return "\n".join(line.rstrip() if not line.strip() else line for line in indented)


def _table(node: SyntaxTreeNode) -> str:
    rows = [
        [_joined(_inline(cell.children), in_table=True) for cell in row.children]
        for part in node.children
        for row in part.children
    ]
    rule = ["---"] * len(rows[0])
    return "\n".join(f"| {' | '.join(row)} |" for row in (rows[0], rule, *rows[1:]))


def _inline(nodes: Iterable[SyntaxTreeNode]) -> list[Piece]:
    return [piece for node in nodes for piece in _parts_of_line(node)]


def _parts_of_line(node: SyntaxTreeNode) -> list[Piece]:  # noqa: PLR0911 - likewise
    inside = _inline(node.children)
    match node.type:
        case "text":
            return _pieces(clean_text(node.content))
        case "softbreak":
            return [("mark", "\n")]
        case "hardbreak":
            return [("mark", "\\\n")]
        case "code_inline":
            return [("code", node.content)]
        case "image":
            return _pieces(image_text(node.content, node.attrs))
        case "strong" | "em" | "s":
            return [("mark", node.markup), *inside, ("mark", node.markup)]
        case "link":
            goal = safe_address(str(node.attrs.get("href", "")))
            return inside if goal is None else [("mark", "["), *inside, ("mark", f"](<{goal}>)")]
        case _:
            return inside

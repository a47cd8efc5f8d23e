"""Hostile texts, and a parser that says which tags and attributes an HTML text really holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

PAYLOADS: Final = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "<a href='javascript:alert(1)'>x</a>",
    "<form id=f><input name=parentNode></form>",
    '<div id="jp-main" name="body" class="jp-Cell" style="position:fixed">x</div>',
    "</pre></code></details></div><h1>out</h1>",
    "</p></summary><iframe src=//evil.example></iframe>",
    "<math><mtext></table><mglyph><style><!--</style><img title='--&gt;&lt;img onerror=1&gt;'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<!-- --!><img src=x onerror=alert(1)> -->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:msgbox(1))",
    "[x](/api/shutdown)",
    "[x](//evil.example/x)",
    '[x](https://ok.example "onmouseover=alert(1)")',
    "[x](https://ok.example/\"onmouseover='alert(1)')",
    "![x](https://evil.example/pixel.gif)",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml,<svg/onload=alert(1)>)",
    '![" onerror="alert(1)](https://e.example/a"b)',
    "<javascript:alert(1)>",
    "<https://ok.example/?a=<b>&c>",
    "[a]: javascript:alert(1)\n\n[a]",
    "[clobber][id]\n\n[id]: https://ok.example 'name=\"x\" id=y'",
    "# head {#parentNode onclick=alert(1)}",
    "```<img src=x onerror=alert(1)>\ncode\n```",
    '```"><script>alert(1)</script>\ncode\n```',
    "~~~ a onload=alert(1)\nx",
    "| a <script> | b |\n|---|---|\n| <img onerror=1> | `</code><b>` |",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "&#x202E;txt.exe &#27;[31m &#0; &#xD800;",
    "\x1b[2J\x1b[1;1Hgone\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x1bP1;1|17/ab\x1b\\ \x1b_Gf=100;AAAA\x1b\\ \x1b^pm\x1b\\ \x1bc \x9b31m \x9d0;t\x9c",
    "\x1b]never ends",
    "over\rwritten \b\b\b\x7f\x00\x0b\x0c\x85\u2028\u2029",
    "\u202etxt.exe\u202c \u2066isolate\u2069 \u202dlro \u2067rli\u2068",
    "lone \ud800 surrogate \udfff \ufffe \uffff \ufeff",
    "$x^2$ and $$\\frac{a}{b}$$ and \\(y\\) and \\\\[z\\\\] \\begin{align}a\\end{align} $5",
    "`" * 40,
    "> " * 500 + "deep",
    "- " * 500 + "deep",
    "[" * 3000 + "]" * 3000,
    "*_" * 3000,
    "![" * 3000,
    "{{constructor.constructor('alert(1)')()}} ${alert(1)} <%= 7*7 %>",
    "\u00ad\u200b\u2060zero\u200dwidth",
    "a" * 1_000_000,
    "<b>" * 300_000,
    "$" * 100_000,
)
"""Each stands for a family; the last ones are long on one line."""

OWN_TAGS: Final = frozenset({
    "div", "p", "b", "span", "code", "pre", "table", "tr", "th", "td", "details", "summary",
})  # fmt: skip


@dataclass(slots=True)
class Found:
    """What a browser would see."""

    tags: set[str] = field(default_factory=set)
    attributes: set[tuple[str, str]] = field(default_factory=set)
    values: list[tuple[str, str]] = field(default_factory=list)
    text: str = ""
    depth: int = 0


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found = Found()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.tags.add(tag)
        for name, value in attrs:
            self.found.attributes.add((tag, name))
            self.found.values.append((name, value or ""))
        if tag not in {"br", "hr"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        self.found.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl}")


def parse(html: str) -> Found:
    """What the HTML holds; every element is closed in its turn."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    reader.found.depth = len(reader.open)
    assert not reader.open
    return reader.found


def has_controls(text: str) -> bool:
    """Whether the text holds control codes or bidi overrides, newline and tab aside."""
    return any(
        (ord(c) < 32 and c not in "\n\t")
        or 0x7F <= ord(c) <= 0x9F
        or 0x202A <= ord(c) <= 0x202E
        or 0x2066 <= ord(c) <= 0x2069
        or 0xD800 <= ord(c) <= 0xDFFF
        for c in text
    )

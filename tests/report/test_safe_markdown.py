"""Markdown of a model, written again so that no renderer of Markdown can be made to do anything."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from budget_magic.report.bundle import markdown_report
from budget_magic.report.markdown import render_markdown
from budget_magic.report.safe_markdown import safe_markdown
from tests.report.hostile import has_controls, parse
from tests.report.payloads import ALL, FAMILIES
from tests.report.records import ANSWER
from tests.report.test_static_html import hostile_turn

TRUSTING = MarkdownIt("commonmark", {"html": True}).enable("table")
SAMPLES = {
    "the design's answer": ANSWER,
    "heads": "# One\n\n## Two *words*\n\n###### Six",
    "emphasis": "**bold** *em* ***both*** a*b*c `code` and ``co`de``",
    "lists": "1. one\n2. two\n   - inner\n   - more\n3. three\n\n- a\n\n  b\n\n- c",
    "a later start": "7. seven\n8. eight",
    "a quote": "> a quote\n> goes on\n>\n> > deeper",
    "code": "```python\nx = 1\n\ny = `2`\n```\n\n    indented\n",
    "a fence in a list": "- a\n\n  ```\n  x\n\n  y\n  ```\n",
    "links": "[x](https://ok.example/a?b=c&d=(e)) and <https://ok.example>",
    "a table": "| a | `b|c` |\n|---|---|\n| *d* | e \\| f |",
    "breaks": "one  \ntwo\nthree\n\n---\n\nfour",
    "at a line's start": "1986\\. a year\n\n\\# no head\n\n\\- no list\n\n\\+ nor this",
}


@pytest.mark.parametrize("text", SAMPLES.values(), ids=SAMPLES)
def test_what_a_model_usually_writes_looks_the_same(text: str) -> None:
    assert render_markdown(safe_markdown(text)) == render_markdown(text)


def test_formulas_images_and_html_are_shown_as_their_source() -> None:
    text = "![a](http://b.example) <b>x</b> $y$ \\\\(z\\\\) [j](javascript:k) [r](/api)"
    html = render_markdown(safe_markdown(text))
    said = "a (http://b.example) <b>x</b> $y$ \\(z\\) [j](javascript:k) r"
    assert parse(html).text.strip() == said
    assert parse(html).tags == {"p", "code"}


def assert_tame(markdown: str) -> None:
    """A renderer that trusts everything finds nothing but words, links and code."""
    open_tokens = TRUSTING.parse(markdown)
    while open_tokens:
        token = open_tokens.pop()
        open_tokens += token.children or []
        assert token.type not in {"html_block", "html_inline", "image"}, token.content
        href = str(token.attrs.get("href", "https://"))
        assert href.lower().startswith(("http://", "https://", "mailto:"))
        if token.type == "text":
            assert not set("$\\") & set(token.content)
    assert not has_controls(markdown)


@pytest.mark.parametrize("family", FAMILIES)
def test_hostile_text_is_tame(family: str) -> None:
    for payload in FAMILIES[family]:
        assert_tame(safe_markdown(payload))


def test_a_report_of_hostile_texts_is_tame_too() -> None:
    for payload in ALL:
        assert_tame(markdown_report(hostile_turn(payload)))


@settings(deadline=None)
@given(st.text(alphabet="`~ab \n*_<>!?/[]()|$\\&#+=-.:0123456789", max_size=60))
def test_any_text_is_tame_and_keeps_its_words(text: str) -> None:
    safe = safe_markdown(text)
    assert_tame(safe)
    words = "".join(parse(render_markdown(text)).text.split())
    assert "".join(parse(render_markdown(safe)).text.split()) == words

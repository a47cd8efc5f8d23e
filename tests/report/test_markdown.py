"""Markdown of a model as HTML that can do nothing."""

from __future__ import annotations

from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget_magic.report.highlight import STYLES
from budget_magic.report.markdown import ALLOWED_TAGS, render_markdown
from tests.report.hostile import PAYLOADS, has_controls, parse

ATTRIBUTES = {("a", "href"), ("a", "rel"), ("ol", "start"), ("span", "style")}
WORDS = (
    "<a", "href", "javascript:", "&#x3c;", "&lt;", "<script>", "https://e.example", "```",
    "onclick=", "\u202e", "\x1b[1m",
)  # fmt: skip
PIECES = st.lists(st.sampled_from([*"<>[]()!*_`#|\\&;:/-=\"' \n\t$", *WORDS]), max_size=40).map(
    "".join
)


def assert_harmless(html: str) -> None:
    found = parse(html)
    assert found.tags <= ALLOWED_TAGS
    assert found.attributes <= ATTRIBUTES
    for name, value in found.values:
        assert name != "href" or value.lower().startswith(("https://", "http://", "mailto:"))
        assert name != "style" or value in STYLES
        assert name != "rel" or value == "noopener noreferrer"
    assert not has_controls(html)


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_hostile_markdown_is_harmless_and_quick(payload: str) -> None:
    started = monotonic()
    assert_harmless(render_markdown(payload))
    assert monotonic() - started < 10


@settings(deadline=None)
@given(PIECES)
def test_any_mixture_is_harmless(text: str) -> None:
    assert_harmless(render_markdown(text))


def test_what_a_model_writes_is_kept() -> None:
    html = render_markdown(
        "# One\n\n3. *a* **b** `c`\n\n> q\n\n|x|\n|-|\n|y|\n\n---\n[l](https://e.example)"
    )
    assert "<h1>One</h1>" in html
    assert '<ol start="3">' in html
    assert "<em>a</em> <strong>b</strong> <code>c</code>" in html
    assert "<blockquote>" in html
    assert "<th>x</th>" in html
    assert '<a href="https://e.example" rel="noopener noreferrer">l</a>' in html


def test_raw_html_is_shown_as_text() -> None:
    assert render_markdown("a <b>c</b>") == "<p>a &lt;b&gt;c&lt;/b&gt;</p>\n"


def test_images_are_their_words_and_address_and_fetch_nothing() -> None:
    html = render_markdown("![a cat](https://e.example/cat.png)")
    assert html == "<p>a cat (https://e.example/cat.png)</p>\n"


def test_relative_links_lead_nowhere() -> None:
    assert "href" not in render_markdown("[x](/api/kernels) [y](//e.example) [z](#top)")


def test_dollars_outside_code_stand_alone_in_a_span() -> None:
    html = render_markdown("$5 and $6, `$x` \\\\(y\\\\)\n\n```\n$z \\(\n```")
    assert html.count("<span>$</span>") == 2
    assert html.count("<span>\\</span>") == 2
    assert "<code>$x</code>" in html
    assert "<pre><code>$z \\(\n</code></pre>" in html


def test_a_text_too_long_to_parse_is_shown_as_it_is() -> None:
    html = render_markdown("**a** " * 20_000)
    assert html.startswith("<pre>**a** ")
    assert parse(html).tags == {"pre"}


def test_entities_cannot_smuggle_overrides() -> None:
    assert "[U+202E]" in render_markdown("&#x202E;txt.exe")

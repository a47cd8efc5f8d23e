"""Markdown of a model as HTML that can do nothing."""

from __future__ import annotations

import re
from time import monotonic, thread_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget_magic.report.highlight import COLOURS, HIGHLIGHT_CHARS, LANGUAGES, STYLES, Target
from budget_magic.report.markdown import render_markdown
from budget_magic.report.markdown_blocks import ALLOWED_TAGS
from tests.report.hostile import PAYLOADS, has_controls, parse

DIRECTED = ("p", "li", "th", "td", "h1", "h2", "h3", "h4", "h5", "h6")
ATTRIBUTES = {
    ("a", "href"), ("a", "rel"), ("ol", "start"), *((tag, "dir") for tag in DIRECTED),
}  # fmt: skip
OF_TARGET = {
    "panel": {
        ("pre", "class"), ("pre", "tabindex"), ("div", "class"), ("div", "tabindex"),
        ("span", "class"), ("th", "style"), ("td", "style"), ("td", "class"),
    },
    "saved": {
        ("span", "style"), ("pre", "style"), ("div", "style"), ("table", "style"), ("tr", "style"),
        ("ul", "style"), ("ol", "style"), ("blockquote", "style"),
        *((tag, "style") for tag in DIRECTED if tag != "li"),
    },
}  # fmt: skip
BOX = '<pre class="bm-code" tabindex="0">'
CLASSES = {*COLOURS, "bm-code", "bm-scroll", "wrap"}
WORDS = (
    "<a", "href", "javascript:", "&#x3c;", "&lt;", "<script>", "https://e.example", "```",
    "onclick=", "\u202e", "\x1b[1m",
)  # fmt: skip
DECLARATION = re.compile(
    r"color:#[0-9a-f]{6}|background-color:(?:#eef0f4|#0000)|(?:margin|padding):[\dpx ]+"
    r"|(?:font-size|line-height|max-width|min-width|border-radius):[\d.]+(?:px)?"
    r"|text-align:(?:left|center|right)|vertical-align:top|white-space:(?:pre|nowrap)"
    r"|border(?:-left|-bottom)?:[13]px solid #8080804d|overflow-x:auto"
    r"|border-collapse:collapse|font-family:monospace|font-weight:600"
)
PIECES = st.lists(st.sampled_from([*"<>[]()!*_`#|\\&;:/-=\"' \n\t$", *WORDS]), max_size=40).map(
    "".join
)


def assert_harmless(html: str, target: Target = "panel") -> None:
    found = parse(html)
    assert found.tags <= ALLOWED_TAGS
    assert found.attributes <= ATTRIBUTES | OF_TARGET[target]
    for name, value in found.values:
        assert name != "href" or value.lower().startswith(("https://", "http://", "mailto:"))
        assert name != "style" or all(map(DECLARATION.fullmatch, value.split(";")))
        assert name != "class" or value in CLASSES
        assert name != "dir" or value == "auto"
        assert name != "tabindex" or value == "0"
        assert name != "rel" or value == "noopener noreferrer"
    assert not has_controls(html)


@pytest.mark.parametrize("target", ["panel", "saved"])
@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_hostile_markdown_is_harmless_and_quick(payload: str, target: Target) -> None:
    started = monotonic()
    assert_harmless(render_markdown(payload, target=target), target)
    assert monotonic() - started < 10


@settings(deadline=None)
@given(PIECES)
def test_any_mixture_is_harmless(text: str) -> None:
    assert_harmless(render_markdown(text))
    assert_harmless(render_markdown(text, target="saved"), "saved")


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
    assert f"{BOX}$z \\(</pre>" in html


def test_a_text_too_long_to_parse_is_shown_as_it_is() -> None:
    html = render_markdown("**a** " * 20_000)
    assert html.startswith(f"{BOX}**a** ")
    assert parse(html).tags == {"pre"}


def test_entities_cannot_smuggle_overrides() -> None:
    assert "[U+202E]" in render_markdown("&#x202E;txt.exe")


def test_code_of_a_known_language_has_colours() -> None:
    html = render_markdown("```python\ndef same(a):\n    return a == '<b>'  # $1\n```")
    assert parse(html).text == "def same(a):\n    return a == '<b>'  # $1\n"
    assert {value for name, value in parse(html).values} == {"k", "f", "s", "c", "bm-code", "0"}
    saved = render_markdown("```python\ndef f(): ...\n```", target="saved")
    styles = {value for name, value in parse(saved).values if name == "style"}
    assert len(styles & STYLES) == 2


@pytest.mark.parametrize("language", ["", "nonsense", "python3.99", "text"])
def test_code_of_any_other_language_stays_plain(language: str) -> None:
    html = render_markdown(f"```{language}\nreturn 1\n```")
    assert html == f"{BOX}return 1</pre>\n"


def test_code_that_is_too_long_stays_plain() -> None:
    html = render_markdown("```python\n" + "x = 1\n" * (HIGHLIGHT_CHARS // 6 + 1) + "```")
    assert parse(html).tags == {"pre"}


def test_without_colours_only_the_colours_are_missing() -> None:
    text = '```json\n{"a": [1, true]}\n```'
    plain = render_markdown(text, colours=False)
    assert plain == f'{BOX}{{"a": [1, true]}}</pre>\n'
    assert parse(render_markdown(text)).text == parse(plain).text


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_hostile_code_is_harmless_and_quick(language: str) -> None:
    for part in ("<a b='</script>", "'\\", "\t\n", "a.", "#[", '"""', "/*", "<<EOF\n", "f'{a:{"):
        code = part * (HIGHLIGHT_CHARS // len(part) - 1)
        started = thread_time()
        html = render_markdown(f"~~~{language}\n{code}\n~~~")
        assert thread_time() - started < 2
        assert_harmless(html)
        assert parse(html).text.rstrip("\n") == code.rstrip("\n")


@settings(deadline=None)
@given(PIECES, st.sampled_from(sorted(LANGUAGES)))
def test_colours_leave_any_code_as_it_is(code: str, language: str) -> None:
    text = f"{'~' * 9}{language}\n{code}\n{'~' * 9}"
    html = render_markdown(text)
    assert_harmless(html)
    assert parse(html).text == parse(render_markdown(text, colours=False)).text


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, by WCAG 2.2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colour", re.findall("#[0-9a-f]{6}", " ".join(sorted(STYLES))))
def test_colours_of_code_can_be_read_on_its_paper(colour: str) -> None:
    assert contrast(colour, "#eef0f4") >= 4.5


def test_a_table_is_aligned_left_unless_it_says_otherwise_and_scrolls() -> None:
    text = f"|a|b|c|\n|-|-:|:-:|\n|x|y|{'word ' * 10}|"
    saved = render_markdown(text, target="saved")
    for side, cells in (("left", 2), ("right", 2), ("center", 2)):
        assert saved.count(f"text-align:{side};") == cells
    assert saved.startswith('<div style="margin:8px 0 0;overflow-x:auto"><table style=')
    assert (saved.count("white-space:nowrap"), saved.count("min-width:320px")) == (5, 1)
    panel = render_markdown(text)
    assert panel.startswith('<div class="bm-scroll" tabindex="0"><table>')
    assert '<td style="text-align:center" class="wrap">word' in panel


@pytest.mark.parametrize("target", ["panel", "saved"])
def test_right_to_left_text_sets_the_direction(target: Target) -> None:
    word = "\u05e9\u05dc\u05d5\u05dd"
    text = f"# {word}\n\n{word}\n\n- {word}\n- x\n\n|{word}|x|\n|-|-|\n"
    html = render_markdown(text, target=target)
    assert html.count('dir="auto"') == 4
    assert "dir" not in render_markdown("# x\n\nEnglish only… 日本", target=target)


def test_a_head_is_smaller_than_the_number_of_the_panel() -> None:
    html = render_markdown("\n\n".join(f"{'#' * n} head" for n in range(1, 7)), target="saved")
    assert sorted(map(int, re.findall(r"font-size:(\d+)px", html))) == [14, 14, 14, 15, 16, 16]


def test_code_that_begins_with_an_empty_line_keeps_it() -> None:
    html = render_markdown("```\n\nx\n```")
    assert html == f"{BOX}<span></span>\nx</pre>\n"

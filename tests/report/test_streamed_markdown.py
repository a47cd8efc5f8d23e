"""Markdown that streams: the same HTML as the whole text, wherever it is split."""

from __future__ import annotations

from itertools import pairwise
from time import thread_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget_magic.report.highlight import Highlighter
from budget_magic.report.markdown import render_markdown
from budget_magic.report.markdown_blocks import MARKDOWN_CHARS, render_blocks
from budget_magic.report.safe_markdown import safe_markdown
from budget_magic.report.streamed_markdown import StreamedMarkdown
from budget_magic.report.text import clean_text
from tests.report.hostile import PAYLOADS
from tests.report.payloads import FAMILIES
from tests.report.test_markdown import assert_harmless

EVERYTHING = """\
# A head

Text with *emphasis*, **strong**, `code`, `code over
two lines`, a [link](https://e.example), <b>HTML</b> as text\\
and a hard break,\x20\x20
another one, $5 and \U0001f469\u200d\U0001f4bb emoji.
A setext head
=============
Another
-------
- tight
- list
  - nested
    1. deeper
  - more
* another list
* of stars
# A head right after it
1. loose

2. list

   with a paragraph

   ```python
   def same(a):

       return a == "b"  # in a list
   ```

3. third
text that continues lazily

10) other numbers
11) go on
> a quote
goes on lazily
> > deeper
>
> - a list in it

> another quote

```python
def f():

    return 1
```
~~~~
tildes
~~~
``` no end
~~~~

    indented

    code


not code
| a | b |
|---|--:|
| `c\\|d` | שלום, a cell that is so long that it has to wrap |
no | row
| x

***

text [ref][1] and [ref] here

[1]: https://e.example "title"
[ref]: <https://e.example>

שלום עולם

- שלום
- - -
+
  empty first line

1234567890. no list
![image](https://e.example/x.png) <https://auto.example> &amp; &#x202E; \\*escaped\\*

```
never closed

# not a head
- not a list"""
SNIPPETS = (
    "", " ", "\t", "    x", "  x", "text", "more text", "- a", "- ", "-", "* b", "+ c", "  - d",
    "    e",
    "1. a", "2) b", "12", "1234567890. x", "> q", ">", "> > r", "> ```", "```", "````", "```python",
    "~~~", "  ```", "   ~~~ x", "- ```", "# h", "#", "#x", "===", "---", "- - -", "***", "_ _ _",
    "| a | b |", "|---|---|", "a | b", "--|--", "| c", "[x]: https://e.example", "[x]", "\u05d0",
    "`code", "span`", "hard  ", "hard\\", "<b>", "\u00a0", "a\tb", "-\tx", "1.\tx", "&#10;",
)  # fmt: skip


def streamed(pieces: list[str], *, colours: bool = True) -> str:
    stream = StreamedMarkdown(target="saved", colours=colours)
    done = [block for piece in pieces for block in stream.feed(piece)]
    return "".join([*done, *stream.finish()])


def parsed_at_once(text: str) -> str:
    text = clean_text(text)
    whole = text if text.endswith("\n") else f"{text}\n"
    return "".join(render_blocks(whole, "saved", Highlighter("saved")))


def test_the_whole_text_is_rendered_as_the_parser_reads_it() -> None:
    assert render_markdown(EVERYTHING, target="saved") == parsed_at_once(EVERYTHING)


def test_a_text_may_be_split_at_every_character() -> None:
    assert streamed(list(EVERYTHING)) == render_markdown(EVERYTHING, target="saved")
    whole = render_markdown(EVERYTHING, target="saved", colours=False)
    for place in range(len(EVERYTHING)):
        pieces = [EVERYTHING[:place], EVERYTHING[place:]]
        assert streamed(pieces, colours=False) == whole


@settings(deadline=None)
@given(st.lists(st.integers(0, len(EVERYTHING)), max_size=40))
def test_a_text_may_be_split_anywhere(places: list[int]) -> None:
    ends = [0, *sorted(places), len(EVERYTHING)]
    pieces = [EVERYTHING[start:end] for start, end in pairwise(ends)]
    assert streamed(pieces) == render_markdown(EVERYTHING, target="saved")


@settings(deadline=None, max_examples=150)
@given(st.lists(st.sampled_from(SNIPPETS), max_size=14), st.booleans())
def test_any_lines_are_the_same_in_pieces_and_at_once(lines: list[str], ends: bool) -> None:  # noqa: FBT001
    text = "\n".join(lines) + "\n" * ends
    whole = parsed_at_once(text)
    assert render_markdown(text, target="saved") == whole
    assert streamed(list(text)) == whole


@pytest.mark.parametrize("family", FAMILIES)
def test_hostile_texts_stream_as_they_are_rendered(family: str) -> None:
    for payload in FAMILIES[family]:
        text = clean_text(payload)[:500]
        html = streamed([text[at : at + 7] for at in range(0, len(text), 7)])
        assert html == render_markdown(text, target="saved") == parsed_at_once(text)
        assert_harmless(html, "saved")


@pytest.mark.parametrize(
    ("text", "blocks", "tail"),
    [
        ("# Head\n", 1, ""),
        ("text\n\n", 1, ""),
        ("text\nmore", 0, "text\nmore"),
        ("- a\n\nT", 1, "T"),
        ("- a\n\n*", 0, "- a\n\n*"),
        ("- a\n\n* b", 0, "- a\n\n* b"),
        ("- a\n\n**", 1, "**"),
        ("    code\n\n1", 0, "    code\n\n1"),
        ("    code\n\n1x", 1, "1x"),
        ("```\nx\n\ny\n", 0, "```\nx\n\ny\n"),
        ("```\nx\n\ny\n```\n", 1, ""),
        ("text\n```\nx\n```\n\n", 2, ""),
        ("|a|\n|-|\n|b|\n\n", 1, ""),
        ("***\n\n\n", 1, ""),
    ],
)
def test_a_block_is_rendered_as_soon_as_nothing_can_change_it(
    text: str, blocks: int, tail: str
) -> None:
    stream = StreamedMarkdown()
    assert len([block for one in text for block in stream.feed(one)]) == blocks
    assert stream.tail == tail


def test_a_link_whose_address_stands_elsewhere_is_shown_as_it_is_written() -> None:
    html = render_markdown("[a][1] b\n\n[1]: https://e.example\n\n[1]")
    assert html == "<p>[a][1] b</p>\n<p>[1]: https://e.example</p>\n<p>[1]</p>\n"


LONG = {
    "one line": "word " * 20_000,
    "lines": "x\n" * 25_000,
    "list": "- a\n" * 10_500,
    "loose list": "- a\n\n" * 8_500,
    "code": "    x\n\n" * 15_000,
    "fence": "```\n" + "x\n\n" * 30_000,
    "fence in a list": "- ```\n" + "x\n\n" * 5_000,
    "quotes": "> a\n" * 25_000,
    "table": "|a|\n|-|\n" + "|b|\n" * 25_000,
    "blocks": "a\n\n# b\n\n- c\n" * 2_000,
    "numbers": "1\n\n" * 5_000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_long_text_takes_linear_time_and_a_long_block_is_text(text: str) -> None:
    started = thread_time()
    html = streamed([text[at : at + 40] for at in range(0, len(text), 40)])
    assert thread_time() - started < 20
    assert html == render_markdown(text, target="saved")


def test_a_table_that_is_too_large_is_shown_as_it_is() -> None:
    head = f"|{'a|' * 100}\n|{'-|' * 100}\n"
    html = render_markdown(head + "|\n" * 3_000)

    assert "<td" not in html
    assert html.startswith("<pre")
    assert "<td" in render_markdown(head + "|\n" * 20)
    assert safe_markdown(head + "|\n" * 3_000).startswith("```")


def test_from_a_block_that_is_too_long_on_the_text_is_shown_as_it_is() -> None:
    before, long = "# Head\n\n*text*\n\n", "*x* " * (MARKDOWN_CHARS // 4 + 1)
    html = render_markdown(f"{before}{long}\n\n**after**")
    assert html.startswith("<h1>Head</h1>\n<p><em>text</em></p>\n<pre ")
    assert html.count("<em>") == 1
    assert "**after**</pre>" in html


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_hostile_text_is_harmless_in_pieces(payload: str) -> None:
    stream = StreamedMarkdown()
    for piece in clean_text(payload).splitlines(keepends=True):
        for block in stream.feed(piece):
            assert_harmless(block)
    for block in stream.finish():
        assert_harmless(block)

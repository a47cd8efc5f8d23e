"""Render a model's whole Markdown text as safe HTML."""

from __future__ import annotations

from budget_magic.report.highlight import Target
from budget_magic.report.streamed_markdown import StreamedMarkdown
from budget_magic.report.text import clean_text


def render_markdown(text: str, *, target: Target = "panel", colours: bool = True) -> str:
    r"""Return `text` as safe HTML: CommonMark and tables, raw HTML as text, images as their words.

    The same as all blocks of `StreamedMarkdown`. Its tags are those of `ALLOWED_TAGS`. A table
    stands in a box that scrolls sideways, and a cell of up to `NOWRAP_CHARS` does not wrap. What
    holds right-to-left text has `dir="auto"`. Spans without attributes keep `$` and `\` from being
    typeset as formulas. Links have `href` and `rel`, lists `start`; the other attributes depend on
    `target`:

    - `panel`: classes for its style sheet, `bm-code` of code, `bm-scroll` of a table's box, `wrap`
      of long cells, and those of `COLOURS` in code; `tabindex` of what scrolls; `text-align` of
      aligned cells.
    - `saved`: inline styles that JupyterLab's sanitiser keeps, and nothing else.

    With `colours`, code is highlighted and cells of saved tables are spaced; their HTML is then
    several times as long.

    >>> render_markdown("*two* <b>words</b>")
    '<p><em>two</em> &lt;b&gt;words&lt;/b&gt;</p>\n'
    """
    stream = StreamedMarkdown(target=target, colours=colours)
    return "".join([*stream.feed(clean_text(text)), *stream.finish()])

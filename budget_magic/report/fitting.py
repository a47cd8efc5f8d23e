"""Share the room of one saved output among its forms: HTML, Markdown and plain text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from budget_magic.report.plain import plain_report
from budget_magic.report.saved import KEPT_ROWS, SavedForm, size
from budget_magic.report.view_models import TurnView

SAVED_BYTES: Final = 20_000
"""Most bytes of a turn's saved output, all forms together."""
LONG_BYTES: Final = 40_000
"""The same if the answer is so long that it would otherwise be whole in no form."""
_ROWS: Final = (KEPT_ROWS, 12, 8, 5, 2)
_LEAST_ANSWER: Final = 600
"""Bytes of an answer that is cut."""
_HTML_SHARE: Final = 0.5
"""Share of the HTML in the room for answers that are whole in no form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The forms of a turn that were fitted into a room together."""

    html: str
    markdown: str
    plain: str


def fitted(view: TurnView, html: SavedForm, markdown: SavedForm, others: int) -> Fitted:
    """Return the forms in `SAVED_BYTES`, or `LONG_BYTES`, less the bytes of `others`.

    The answer is whole in all forms if it fits, otherwise in the HTML, otherwise in none. What
    gives way first: colours of code, parts of steps, most of a long prompt, rows of steps but the
    last two, the answer in plain text and Markdown, the answer in HTML.
    """
    bare = size(plain_report(view, answer_bytes=0))

    @cache
    def needed(rows: int, *, short: bool) -> int:
        forms = html.needed(rows, short=short) + markdown.needed(rows, short=short)
        return others + bare + forms

    limits = (SAVED_BYTES, LONG_BYTES) if len(view.answer) < LONG_BYTES else ()
    for limit in limits:
        for answers in (_Answers(html.answer(), markdown.answer(), plain_report(view)), None):
            for rows, short in _choices():
                room = limit - needed(rows, short=short)
                tried = answers or _shared(view, html, markdown, room)
                if tried is not None and (spare := room - tried.bytes(bare)) >= 0:
                    return _written(html, markdown, tried, rows, spare, short=short)
    rows, short = _ROWS[-1], True
    room = max(0, LONG_BYTES - needed(rows, short=short))
    in_html = html.cut_answer(int(room * _HTML_SHARE))
    tried = _cut(view, markdown, room - size(in_html), in_html)
    return _written(html, markdown, tried, rows, max(0, room - tried.bytes(bare)), short=short)


@dataclass(frozen=True, slots=True)
class _Answers:
    html: str
    markdown: str
    plain: str
    """The whole report in plain text, with as much of the answer as it takes."""

    def bytes(self, bare: int) -> int:
        """Return the bytes that answers add; `bare` are those of the plain text without one."""
        return size(self.html) + size(self.markdown) + size(self.plain) - bare


def _choices() -> Iterator[tuple[int, bool]]:
    for rows in _ROWS:
        yield rows, False
        yield rows, True


def _shared(view: TurnView, html: SavedForm, markdown: SavedForm, room: int) -> _Answers | None:
    """Return the answer whole in HTML and cut in the other forms; None without room."""
    rest = room - size(html.answer())
    if rest < 2 * _LEAST_ANSWER:
        return None
    return _cut(view, markdown, rest, html.answer())


def _cut(view: TurnView, markdown: SavedForm, room: int, in_html: str) -> _Answers:
    is_long = len(view.answer) > room  # then it is not worth rendering whole
    in_markdown = "" if is_long else markdown.answer()
    if is_long or size(in_markdown) > room - _LEAST_ANSWER:
        in_markdown = markdown.cut_answer(room // 2)
    plain = plain_report(view, answer_bytes=max(0, room - size(in_markdown)))
    return _Answers(in_html, in_markdown, plain)


def _written(  # noqa: PLR0913 - what was chosen
    html: SavedForm, markdown: SavedForm, answers: _Answers, rows: int, spare: int, *, short: bool
) -> Fitted:
    in_html, _ = html.write(rows, spare, answers.html, short=short)
    if html.is_whole(answers.html):
        coloured = html.answer(colours=True)
        colours = size(coloured) - size(answers.html)
        written, is_whole = html.write(rows, spare - colours, coloured, short=short)
        if is_whole and colours <= spare:
            in_html = written
    bare, _ = html.write(rows, 0, answers.html, short=short)
    left = max(0, spare - (size(in_html) - size(bare)))
    return Fitted(
        html=in_html,
        markdown=markdown.write(rows, left, answers.markdown, short=short)[0],
        plain=answers.plain,
    )

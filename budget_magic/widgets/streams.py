"""How much of each streaming block a browser was told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from budget_magic.report.live_turn import StreamedBlock
from budget_magic.report.streamed_markdown import StreamedMarkdown

LONG_TEXT_CHARS: Final = 40_000
"""Longer texts are not rendered: the browser keeps what has streamed, or gets both ends."""
SNAPSHOT_CHARS: Final = 200_000
"""Most of a block's open text that a snapshot holds: its end."""


def utf16_length(text: str) -> int:
    """Return the length of `text` as a browser counts it.

    >>> utf16_length("a€𝄞")
    4
    """
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


@dataclass(slots=True)
class Stream:
    """One block on its way to the browser."""

    block: StreamedBlock
    told: int = 0
    """Pieces that the browser has."""
    length: int = 0
    """UTF-16 units in these."""
    html: list[str] = field(default_factory=list)
    """The finished Markdown blocks of a text, rendered."""
    rendered: int = 0
    """UTF-16 units of the text that these show."""
    _markdown: StreamedMarkdown = field(default_factory=StreamedMarkdown)
    _fed: int = 0
    """Pieces that were given to it."""
    _is_finished: bool = False

    @property
    def text(self) -> str:
        """What the browser has, as text or rendered."""
        return "".join(self.block.pieces[: self.told])

    @property
    def is_rendered(self) -> bool:
        """Whether the browser has all of it as HTML."""
        return bool(self.html) and self.rendered == self.length and self.block.ended

    def new_piece(self) -> list[int | str] | None:
        """Return what arrived since the last call as (id, offset, text); it counts as told."""
        pieces = self.block.pieces[self.told :]
        if not pieces:
            return None
        offset, text = self.length, "".join(pieces)
        self.told += len(pieces)
        self.length += utf16_length(text)
        return [self.block.id, offset, text]

    def new_html(self) -> list[int | str] | None:
        """Return what was finished since the last call as (id, from, to, html)."""
        if self._is_finished or self.block.kind != "text":
            return None
        if self.block.characters > LONG_TEXT_CHARS:
            return None
        has_ended, told = self.block.ended, self.told
        finished = self._markdown.feed("".join(self.block.pieces[self._fed : told]))
        self._fed = told
        if has_ended and told == len(self.block.pieces):
            finished += self._markdown.finish()
            self._is_finished = True
        start, self.rendered = self.rendered, self.length - utf16_length(self._markdown.tail)
        if not finished:
            self.rendered = start
            return None
        self.html.append("".join(finished))  # one for each message, as the browser has them
        return [self.block.id, start, self.rendered, self.html[-1]]

    def as_json(self) -> dict[str, object]:
        """Return the block as told so far, for a view that missed a part."""
        kept = self._open_text()[-SNAPSHOT_CHARS:]
        return {
            "id": self.block.id,
            "step": self.block.step,
            "kind": self.block.kind,
            "name": self.block.name,
            "html": self.html,
            "rendered": self.rendered,
            "from": self.length - utf16_length(kept),
            "text": kept,
        }

    def _open_text(self) -> str:
        if not self.rendered:
            return self.text
        units = self.text.encode("utf-16-le", "surrogatepass")[2 * self.rendered :]
        return units.decode("utf-16-le", "surrogatepass")

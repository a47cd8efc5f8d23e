"""How much of each streaming block a browser was told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from budget_magic.report.live_turn import StreamedBlock

SNAPSHOT_CHARS: Final = 200_000
"""Most of a block's text that a snapshot holds: its end."""


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
    html: str | None = None
    """The text rendered, once its block has ended."""

    @property
    def text(self) -> str:
        """What the browser has."""
        return "".join(self.block.pieces[: self.told])

    def new_piece(self) -> list[int | str] | None:
        """Return what arrived since the last call as (id, offset, text); it counts as told."""
        pieces = self.block.pieces[self.told :]
        if not pieces:
            return None
        offset, text = self.length, "".join(pieces)
        self.told += len(pieces)
        self.length += utf16_length(text)
        return [self.block.id, offset, text]

    def as_json(self) -> dict[str, object]:
        """Return the block as told so far, for a view that missed a part."""
        kept = self.text[-SNAPSHOT_CHARS:]
        return {
            "id": self.block.id,
            "step": self.block.step,
            "kind": self.block.kind,
            "name": self.block.name,
            "from": self.length - utf16_length(kept),
            "text": kept,
            "html": self.html,
        }

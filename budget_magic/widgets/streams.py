"""The blocks that stream right now, with the offsets by which a browser joins their pieces."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from budget_magic.events import BlockStarted, Delta, DeltaKind, Live
from budget_magic.report.text import clean_text

SNAPSHOT_CHARS: Final = 200_000
"""Most of a block's text that a snapshot holds: its end."""


def utf16_length(text: str) -> int:
    """Length of `text` as a browser counts it.

    >>> utf16_length("a€𝄞")
    4
    """
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


@dataclass(slots=True, kw_only=True)
class Stream:
    """One block's text, so far."""

    id: int
    step: int
    kind: DeltaKind
    name: str
    sent: list[str] = field(default_factory=list)
    """Cleaned pieces that the browser was told."""
    length: int = 0
    """UTF-16 units in `sent`."""
    pending: list[str] = field(default_factory=list)
    html: str | None = None
    """The text rendered, once its block has ended."""
    ended: bool = False
    announced: bool = False

    @property
    def text(self) -> str:
        """What the browser was told."""
        return "".join(self.sent)


@dataclass(slots=True)
class Drained:
    """What the browser must be told of the streams."""

    new: list[list[int | str]] = field(default_factory=list)
    """Rows of (id, step, kind, name)."""
    pieces: list[list[int | str]] = field(default_factory=list)
    """Rows of (id, offset, text)."""
    gone: list[int] = field(default_factory=list)


class Streams:
    """The streams of the steps under way; the caller guards it against other threads."""

    def __init__(self) -> None:
        self._open: dict[int, Stream] = {}
        self._current: dict[tuple[int, int], Stream] = {}
        self._gone: list[int] = []
        self._ids = 0

    def take(self, event: Live) -> None:
        """Take a piece of what streams."""
        if isinstance(event, BlockStarted):
            for stream in self._current.values():
                stream.ended = True
            self._start(event, event.name)
            return
        stream = self._current.get((event.step, event.block)) or self._start(event, "")
        stream.pending.append(event.text)

    def _start(self, event: BlockStarted | Delta, name: str) -> Stream:
        self._ids += 1
        name = clean_text(name)[:80]
        stream = Stream(id=self._ids, step=event.step, kind=event.kind, name=name)
        self._open[stream.id] = self._current[event.step, event.block] = stream
        return stream

    def forget(self, step: int) -> None:
        """The step is tried again: what it said does not count."""
        for stream in self.of(step):
            self._drop(stream)
            if stream.announced:
                self._gone.append(stream.id)

    def of(self, step: int) -> list[Stream]:
        """Return the streams of one step, in their order."""
        return [stream for stream in self._open.values() if stream.step == step]

    def steps(self) -> set[int]:
        """Steps that have streams."""
        return {stream.step for stream in self._open.values()}

    def finish(self, step: int) -> None:
        """The step is complete: its blocks are known otherwise from now on."""
        for stream in self.of(step):
            self._drop(stream)

    def unrendered(self) -> list[Stream]:
        """Texts that have ended but are not rendered yet."""
        return [
            stream
            for stream in self._open.values()
            if stream.ended and stream.kind == "text" and stream.html is None
        ]

    def drain(self) -> Drained:
        """Return what came since the last call; it counts as told."""
        drained = Drained(gone=self._gone)
        self._gone = []
        for stream in self._open.values():
            if not stream.announced:
                stream.announced = True
                drained.new.append([stream.id, stream.step, stream.kind, stream.name])
            if stream.pending:
                text = clean_text("".join(stream.pending))
                stream.pending.clear()
                drained.pieces.append([stream.id, stream.length, text])
                stream.sent.append(text)
                stream.length += utf16_length(text)
        return drained

    def as_json(self) -> list[dict[str, object]]:
        """Return the streams as told so far, for a view that missed some of it."""
        return [_stream_json(stream) for stream in self._open.values() if stream.announced]

    def _drop(self, stream: Stream) -> None:
        self._open.pop(stream.id, None)
        for key, current in list(self._current.items()):
            if current is stream:
                del self._current[key]


def _stream_json(stream: Stream) -> dict[str, object]:
    text = stream.text
    kept = text[-SNAPSHOT_CHARS:]
    return {
        "id": stream.id,
        "step": stream.step,
        "kind": stream.kind,
        "name": stream.name,
        "from": stream.length - utf16_length(kept),
        "text": kept,
        "html": stream.html,
    }

"""What the browser was told so far, and the messages that bring it up to date."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from budget_magic.events import Live
from budget_magic.report.markdown import render_markdown
from budget_magic.report.view_models import StepView, TurnView
from budget_magic.widgets.serialize import (
    LONG_TEXT_CHARS,
    blocks_json,
    cut_blocks_json,
    difference,
    head_json,
    row_json,
)
from budget_magic.widgets.streams import Drained, Stream, Streams

Message = dict[str, Any]
SNAPSHOT_ROWS: Final = 200
"""Last steps that a snapshot holds."""
SNAPSHOT_BODIES: Final = 3
"""Last steps whose parts a snapshot holds; the others are asked for when they are opened."""


class PanelSync:
    """One turn as the browser knows it.

    `beat` and `text_beat` are for one thread; everything else may be called from any.

    Notes
    -----
    Keys of a message: `r` its number, `n` streams that began as (id, step, kind, name), `d` pieces
    as (stream, offset in UTF-16 units, text), `m` rendered texts as (stream, html), `x` streams
    that no longer count, `s` changes of steps, `h` changes of everything else.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams = Streams()
        self._revision = 0
        self._head: dict[str, Any] = {}
        self._views: dict[int, StepView] = {}
        self._rows: dict[int, dict[str, Any]] = {}
        self._blocks: dict[int, list[dict[str, Any]]] = {}
        self._render = lru_cache(maxsize=64)(render_markdown)

    @property
    def revision(self) -> int:
        """Number of the last message."""
        return self._revision

    def live(self, event: Live) -> None:
        """Take a piece of what streams."""
        with self._lock:
            self._streams.take(event)

    def forget(self, step: int) -> None:
        """The step is tried again: what streamed in it does not count."""
        with self._lock:
            self._streams.forget(step)

    def text_beat(self) -> Message:
        """Return the message with what streamed since the last one; empty where nothing did."""
        with self._lock:
            drained, ended = self._streams.drain(), self._streams.unrendered()
        return self._numbered(_told(drained) | self._rendered(ended))

    def beat(self, view: TurnView, extra: Message, *, every_step: bool) -> Message:
        """Return the message that brings the browser from what it was told to `view`.

        Parameters
        ----------
        view
            The turn at this moment, without the texts that stream.
        extra
            What else stands in the head, such as the offers.
        every_step
            False where only the last step can have changed.
        """
        complete = {step.number for step in view.steps if step.state != "live"}
        with self._lock:
            drained, ended = self._streams.drain(), self._streams.unrendered()
            ready = {n: self._streams.of(n) for n in self._streams.steps() & complete}
        message = _told(drained)
        done = {stream.id for streams in ready.values() for stream in streams}
        message |= self._rendered([stream for stream in ended if stream.id not in done])
        changed = view.steps if every_step else view.steps[-1:]
        steps = [told for step in changed if (told := self._step(step, ready.get(step.number, [])))]
        if steps:
            message["s"] = steps
        head = head_json(view, self._render) | extra
        patch = difference(self._head, head)
        if patch:
            message["h"] = patch
        with self._lock:
            self._head = head
            for number in ready:
                self._streams.finish(number)
        return self._numbered(message)

    def step_again(self, number: int) -> Message:
        """Return the whole of one step of which the browser knows only the row."""
        with self._lock:
            row, blocks = self._rows.get(number), self._blocks.get(number, [])
        if row is None:
            return {}
        return self._numbered({"s": [{"number": number, "row": row, "from": 0, "blocks": blocks}]})

    def whole_call(self, call_id: str) -> str | None:
        """Return the whole text of a call; None where no step made it."""
        with self._lock:
            blocks = [block for view in self._views.values() for block in view.blocks]
        found = (b.text for b in blocks if b.kind == "call" and b.call_id == call_id)
        return next(found, None)

    def snapshot(self) -> Message:
        """Return a snapshot, bounded in size, for a view that begins now or missed a message."""
        with self._lock:
            rows = list(self._rows)[-SNAPSHOT_ROWS:]
            bodies = set(rows[-SNAPSHOT_BODIES:])
            return {
                "r": self._revision,
                "head": self._head,
                "steps": [
                    {
                        "number": number,
                        "row": self._rows[number],
                        "blocks": self._blocks.get(number, []) if number in bodies else None,
                    }
                    for number in rows
                ],
                "earlier": len(self._rows) - len(rows),
                "streams": self._streams.as_json(),
            }

    def _rendered(self, streams: Sequence[Stream]) -> Message:
        rendered = []
        for stream in streams:
            text = stream.text
            stream.html = self._render(text) if len(text) <= LONG_TEXT_CHARS else ""
            if stream.html:
                rendered.append([stream.id, stream.html])
        return {"m": rendered} if rendered else {}

    def _step(self, step: StepView, streams: Sequence[Stream]) -> Message:
        """Return what changed in a step; empty where nothing did."""
        number = step.number
        if self._views.get(number) == step and not streams:
            return {}
        row = row_json(step)
        before = self._blocks.get(number, [])
        blocks: list[Message] = []
        if step.state == "done":
            blocks = blocks_json(step, streams, self._render)
        elif step.state == "cut":
            blocks = cut_blocks_json(streams) or list(before)
        first = _kept(before, blocks)
        told: Message = {"number": number}
        patch = difference(self._rows.get(number, {}), row)
        if patch:
            told["row"] = patch
        if first < len(blocks) or len(before) != len(blocks):
            html_told = {stream.id for stream in streams if stream.html}
            told |= {"from": first, "blocks": [_lean(b, html_told) for b in blocks[first:]]}
        with self._lock:
            self._views[number], self._rows[number], self._blocks[number] = step, row, blocks
        return told if len(told) > 1 else {}

    def _numbered(self, message: Message) -> Message:
        if not message:
            return message
        with self._lock:
            self._revision += 1
            return {"r": self._revision, **message}


def _told(drained: Drained) -> Message:
    parts = {"n": drained.new, "d": drained.pieces, "x": drained.gone}
    return {key: part for key, part in parts.items() if part}


def _kept(before: Sequence[Message], blocks: list[Message]) -> int:
    """Return how many blocks stay as they were; those keep their streams."""
    for place, (old, new) in enumerate(zip(before, blocks, strict=False)):
        if {key: value for key, value in old.items() if key != "stream"} != new:
            return place
        blocks[place] = old
    return min(len(before), len(blocks))


def _lean(block: Message, html_told: set[int]) -> Message:
    """Return the block without what the browser has from its stream."""
    if "stream" not in block:
        return block
    left_out = {"text", "cut"} | ({"html"} if block["stream"] in html_told else set())
    return {key: value for key, value in block.items() if key not in left_out}

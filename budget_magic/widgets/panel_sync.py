"""Track what a browser knows of a turn, and build the messages that bring it up to date."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from budget_magic.report.live_turn import StreamedBlock
from budget_magic.report.markdown import render_markdown
from budget_magic.report.view_models import StepView, TurnView
from budget_magic.widgets.requests import Part
from budget_magic.widgets.serialize import (
    blocks_json,
    cut_blocks_json,
    difference,
    head_json,
    row_json,
)
from budget_magic.widgets.streams import Stream

Message = dict[str, Any]
SNAPSHOT_ROWS: Final = 200
"""Most steps in a snapshot, the last ones."""
SNAPSHOT_BODIES: Final = 3
"""Most steps whose blocks it holds; others are requested when they are opened."""


class PanelSync:
    """One turn as the browser knows it; may be used from any thread.

    Keys of a message: `r` its number, `n` new streams as (id, step, kind, name), `d` pieces as
    (stream, offset, text), `m` finished Markdown as (stream, from, to, html), `x` streams that no
    longer count, `s` changes of steps, `h` changes of everything else. Offsets are UTF-16 units.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: dict[int, Stream] = {}
        self._last_stream = 0
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

    def text_beat(self, blocks: Sequence[StreamedBlock]) -> Message:
        """Return the message with what has streamed since the last one; empty if nothing has."""
        with self._lock:
            return self._numbered(self._stream(blocks) | self._rendered())

    def beat(self, view: TurnView, blocks: Sequence[StreamedBlock], extra: Message) -> Message:
        """Return the message that brings the browser up to `view`.

        `blocks` is what streams, and `extra` what else belongs in the head, such as the offers.
        """
        steps = {step.number: step for step in view.steps}
        with self._lock:
            message = self._stream(blocks)
            message |= self._rendered()
            done: dict[int, list[Stream]] = {}
            for stream in list(self._streams.values()):
                step = steps.get(stream.block.step)
                if step is not None and step.state != "live":
                    done.setdefault(step.number, []).append(stream)
                    del self._streams[stream.block.id]
            told = [
                self._step(step, done.get(number, []))
                for number, step in steps.items()
                if self._views.get(number) is not step
            ]
            if any(told):
                message["s"] = list(filter(None, told))
            head = head_json(view, self._render) | extra
            if patch := difference(self._head, head):
                message["h"] = patch
            self._head = head
            return self._numbered(message)

    def step_again(self, number: int) -> Message:
        """Return a step with all its blocks, for a browser that knows only its row."""
        with self._lock:
            row, blocks = self._rows.get(number), self._blocks.get(number, [])
            if row is None:
                return {}
            step = {"number": number, "row": row, "from": 0, "blocks": blocks}
            return self._numbered({"s": [step]})

    def whole(self, part: Part, call_id: str) -> str:
        """Return the whole text of a call or of its result; empty if there is none."""
        with self._lock:
            blocks = [block for view in self._views.values() for block in view.blocks]
        found = (b.text for b in blocks if b.kind == part and b.call_id == call_id)
        return next(found, "")

    def snapshot(self) -> Message:
        """Return a snapshot of bounded size, for a view that is new or missed a message."""
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
                "streams": [stream.as_json() for stream in self._streams.values()],
            }

    def _stream(self, blocks: Sequence[StreamedBlock]) -> Message:
        gone = [number for number, stream in self._streams.items() if stream.block.is_void]
        for number in gone:
            del self._streams[number]
        new = [block for block in blocks if block.id > self._last_stream]
        for block in new:
            self._streams[block.id] = Stream(block)
            self._last_stream = block.id
        pieces = [stream.new_piece() for stream in self._streams.values()]
        parts = {
            "n": [[block.id, block.step, block.kind, block.name] for block in new],
            "d": list(filter(None, pieces)),
            "x": gone,
        }
        return {key: part for key, part in parts.items() if part}

    def _rendered(self) -> Message:
        rendered = [stream.new_html() for stream in self._streams.values()]
        return {"m": list(filter(None, rendered))} if any(rendered) else {}

    def _step(self, step: StepView, streams: Sequence[Stream]) -> Message:
        """Return what changed in a step; empty if nothing did."""
        number = step.number
        if self._views.get(number) == step and not streams:
            return {}
        row, before = row_json(step), self._blocks.get(number, [])
        blocks: list[Message] = []
        if step.state == "done":
            blocks = blocks_json(step, streams, self._render)
        elif step.state == "cut":
            blocks = cut_blocks_json(streams) or blocks_json(step, (), self._render)
        first = _kept(before, blocks)
        told: Message = {}
        if patch := difference(self._rows.get(number, {}), row):
            told["row"] = patch
        if first < len(blocks) or len(before) != len(blocks):
            rendered = {stream.block.id for stream in streams if stream.is_rendered}
            told |= {"from": first, "blocks": [_lean(b, rendered) for b in blocks[first:]]}
        self._views[number], self._rows[number], self._blocks[number] = step, row, blocks
        return {"number": number, **told} if told else {}

    def _numbered(self, message: Message) -> Message:
        if not message:
            return message
        self._revision += 1
        return {"r": self._revision, **message}


def _kept(before: Sequence[Message], blocks: list[Message]) -> int:
    """Return how many blocks stay as they were; those keep their streams."""
    for place, (old, new) in enumerate(zip(before, blocks, strict=False)):
        if {key: value for key, value in old.items() if key != "stream"} != new:
            return place
        blocks[place] = old
    return min(len(before), len(blocks))


def _lean(block: Message, rendered: set[int]) -> Message:
    """Return the block without what the browser has from its stream."""
    if "stream" not in block:
        return block
    left_out = {"text", "cut"} | ({"html"} if block["stream"] in rendered else set())
    return {key: value for key, value in block.items() if key not in left_out}

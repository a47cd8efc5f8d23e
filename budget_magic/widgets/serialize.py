"""Serialize a view for the browser as JSON values, and find what has changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from typing import Any, Final

from budget_magic.report.bars import sampled
from budget_magic.report.bill import EXPLANATION
from budget_magic.report.gauges import KINDS
from budget_magic.report.numbers import compact, exact
from budget_magic.report.text import cut_text
from budget_magic.report.view_models import (
    BlockView,
    CeilingKind,
    CeilingView,
    GaugeView,
    MetersView,
    PaceView,
    StepView,
    TurnView,
    listed,
)
from budget_magic.widgets.streams import LONG_TEXT_CHARS, Stream

SPARK_POINTS: Final = 60
PREVIEW_LINES: Final = 8
"""Lines of a result that the panel shows before it is opened."""
PREVIEW_CHARS: Final = 2_000
THINKING_LINES: Final = 12
PROMPT_LINES: Final = 20
LONG_TEXT_LINES: Final = 400
LONG_TEXT_KEPT: Final = 20_000
SPENT: Final[dict[CeilingKind, str]] = {
    "cost": "spent", "tokens": "used", "steps": "taken", "time": "used",
}  # fmt: skip
NEXT: Final[dict[CeilingKind, str]] = {
    "cost": "when the next step no longer fits, the turn ends, if possible with a last answer",
    "tokens": "when the next step no longer fits, the turn ends, if possible with a last answer",
    "steps": "then the turn ends with a last answer",
    "time": "then the turn is cut off, if possible after a last answer",
}


def head_json(view: TurnView, render: Callable[[str], str]) -> dict[str, Any]:
    """Return everything of the view but its steps; `render` turns Markdown into safe HTML.

    Rows are keyed by kind, so that changes are small.
    """
    prompt = cut_text(view.prompt, lines=PROMPT_LINES, chars=PREVIEW_CHARS)
    return {
        **_picked(view, "task", "turn", "simulated"),
        # The row of the step says why it is tried again.
        "now": view.now.partition(": ")[0] if view.state.name == "retrying" else view.now,
        "prompt": prompt.text,
        "prompt_note": prompt.note,
        "step": current_step(view),
        "state": view.state.name,
        **_picked(view.state, "word", "ended"),
        "settings": " · ".join(
            filter(
                None,
                (f"{view.task}, turn {view.turn}", listed(view.model, view.effort), view.scope),
            )
        ),
        "verdict": None if view.verdict is None else astuple(view.verdict),
        "notes": [*view.notes, *filter(None, (view.unconfirmed,))],
        "gauge": _gauge(view.gauge),
        "pace": _pace(view.pace),
        "ceilings": {row.kind: _ceiling(row) for row in view.ceilings},
        "meters": _meters(view.meters, view.gauge),
        "answer": render(view.answer) if view.answer else "",
        "cut": view.answer_cut_off,
        "steps_text": view.steps_text,
        "approvals": [
            {
                "id": asked.call_id,
                **_picked(asked, "name", "sentence"),
                "fields": list(map(astuple, asked.fields)),
                "place": asked.place,
            }
            for asked in view.approvals
        ],
    }


def current_step(view: TurnView) -> int:
    """Return the number of the step under way, else of the last one; 0 before the first."""
    return view.steps[-1].number if view.steps else 0


def _gauge(gauge: GaugeView) -> dict[str, Any]:
    return {
        **_picked(gauge, "budget", "used", "number", "caption", "used_text", "over", "turn_line"),
        "estimated": any(kind.live_tokens for kind in gauge.kinds),
        "limit": None if gauge.limit_share is None else _share(gauge.limit_share),
        "began": None if gauge.began_share is None else _share(gauge.began_share),
        "kinds": {
            kind.kind: {**_picked(kind, "label", "text", "share"), "live": _share(kind.live_share)}
            for kind in gauge.kinds
        },
    }


def _ceiling(row: CeilingView) -> dict[str, Any]:
    return {
        **_picked(row, "spent", "of", "ceiling", "level", "nearest", "word"),
        "held": row.held.rpartition(" ")[0],
        "share": _share(row.share),
        "held_share": _share(min(row.held_share, max(0.0, 1 - row.share))),
        "near": _near(row) if row.level == "near" else None,
    }


def _near(row: CeilingView) -> tuple[str, str]:
    """Return what is said of a ceiling that is nearly used up: the main clause, and the rest."""
    unit = {"cost": "", "tokens": " tokens", "steps": " steps", "time": ""}[row.kind]
    is_one = row.kind in {"cost", "time"}
    told = f"{row.spent} {row.of}{unit} {'is' if is_one else 'are'} {SPENT[row.kind]}."
    if row.kind == "steps" and row.left == "0":
        return told, "This step is the last."
    return (
        told,
        f"{row.left} {'is' if is_one or row.left == '1' else 'are'} left; {NEXT[row.kind]}.",
    )


def _pace(pace: PaceView) -> dict[str, Any]:
    return {
        "shares": [_share(share) for share in sampled(pace.shares, SPARK_POINTS)],
        "steps": max(0, len(pace.shares) - 1),
        "more": pace.more,
        "left": [compact(round(left)) for left in sampled(pace.left, SPARK_POINTS)],
        "text": pace.line,
    }


def _meters(meters: MetersView, gauge: GaugeView) -> dict[str, Any]:
    row = ("kind", "label", "tokens", "cost", "price", "token_share")
    return {
        "says": EXPLANATION,
        **_picked(meters, "counted", "billed", "source", "scope", "counted_share"),
        "kinds": {kind.kind: kind.tokens - kind.live_tokens for kind in gauge.kinds},
        "rows": [_picked(line, *row) for line in meters.rows],
        "total": meters.total,
    }


def row_json(step: StepView) -> dict[str, Any]:
    """Return the row of one step; it holds tokens, not shares, so no row depends on another."""
    return {
        **_picked(step, "state", "counted", "cost", "time", "why"),
        "parts": list(map(astuple, step.parts)),
        "marks": list(map(astuple, step.marks)),
        "tokens": {kind: getattr(step.tokens, kind) for kind, *_ in KINDS},
        "live": {kind: getattr(step.streaming, kind) for kind, *_ in KINDS},
    }


def blocks_json(
    step: StepView, streams: Sequence[Stream], render: Callable[[str], str]
) -> list[dict[str, Any]]:
    """Return the blocks of a finished step, long ones cut to a preview.

    A block that has streamed to the browser in full names its stream, which holds the text.
    """
    streamed: dict[int | None, Stream] = {stream.block.index: stream for stream in streams}
    blocks = []
    for block in step.blocks:
        shown, stream = _block(block, render), streamed.get(block.index)
        # A call streams as JSON, and a reply may have been corrected after it streamed.
        if stream is not None and block.text and stream.text == block.text:
            shown["stream"] = stream.block.id
        blocks.append(shown)
    return blocks


def cut_blocks_json(streams: Sequence[Stream]) -> list[dict[str, Any]]:
    """Return what a step said before it was cut off."""
    blocks = []
    for stream in streams:
        block = stream.block
        lines = LONG_TEXT_LINES if block.kind == "text" else THINKING_LINES
        cut = cut_text(stream.text, lines=lines, chars=LONG_TEXT_KEPT)
        shown = {"kind": block.kind, "text": cut.text, "cut": cut.note, "stream": block.id}
        blocks.append(shown | ({"name": block.name} if block.kind == "call" else {}))
    return blocks


def _block(block: BlockView, render: Callable[[str], str]) -> dict[str, Any]:
    if block.kind == "text" and len(block.text) <= LONG_TEXT_CHARS:
        return {"kind": block.kind, "html": render(block.text)}
    lines, chars = PREVIEW_LINES, PREVIEW_CHARS
    if block.kind == "thinking":
        lines = THINKING_LINES
    elif block.kind == "text":
        lines, chars = LONG_TEXT_LINES, LONG_TEXT_KEPT
    cut = cut_text(block.text, lines=lines, chars=chars)
    note = listed(cut.note, block.cut)
    shown: dict[str, Any] = {"kind": block.kind, "text": cut.text, "cut": note}
    if block.kind in {"call", "result"}:
        shown |= {"name": block.name, "id": block.call_id, "more": bool(cut.note)}
    if block.kind == "result":
        shown |= {
            "label": block.label.partition(",")[0],
            "size": "" if block.tokens is None else f"{exact(block.tokens)} tokens",
            "lines": block.text.count("\n") + 1,
            "error": block.is_error,
        }
    return shown


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes from `old` to `new`; dicts are compared key by key.

    >>> difference({"a": 1, "b": {"c": 2, "d": 3}}, {"a": 1, "b": {"c": 4, "d": 3}})
    {'b': {'c': 4}}
    >>> difference({"a": 1, "b": 2}, {"a": 1})
    {'b': None}
    """
    changed: dict[str, Any] = dict.fromkeys(key for key in old if key not in new)
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            if inner := difference(before, value):
                changed[key] = inner
        elif key not in old or value != before:
            changed[key] = value
    return changed


def _picked(view: object, *names: str) -> dict[str, Any]:
    values = {name: getattr(view, name) for name in names}
    return {name: _share(v) if isinstance(v, float) else v for name, v in values.items()}


def _share(share: float) -> float:
    return round(share, 3)

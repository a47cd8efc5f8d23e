"""What the browser is shown, as JSON values: pure functions from a view, and what has changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from budget_magic.report import StepView, TurnView, cut_text
from budget_magic.report.bars import sampled
from budget_magic.report.bill import EXPLANATION
from budget_magic.report.gauges import KINDS
from budget_magic.report.numbers import compact, exact
from budget_magic.report.view_models import BlockView, GaugeView, MetersView, PaceView
from budget_magic.widgets.streams import Stream

SPARK_POINTS: Final = 60
PREVIEW_LINES: Final = 8
"""Lines of a result that the panel shows before it is opened."""
PREVIEW_CHARS: Final = 2_000
THINKING_LINES: Final = 12
LONG_TEXT_CHARS: Final = 40_000
"""Longer texts are not Markdown any more: the browser keeps what it has, or gets both ends."""
LONG_TEXT_LINES: Final = 400
LONG_TEXT_KEPT: Final = 20_000


def head_json(view: TurnView, render: Callable[[str], str]) -> dict[str, Any]:
    """Everything of the view but its steps; rows are keyed by kind, so that changes are small.

    Parameters
    ----------
    view
        The turn at this moment.
    render
        Markdown to safe HTML.
    """
    return {
        "task": view.task,
        "turn": view.turn,
        "model": view.model,
        "effort": view.effort_text,
        "state": view.state.name,
        "word": view.state.word,
        "ended": view.state.ended,
        "now": view.now,
        "verdict": None if view.verdict is None else [
            view.verdict.sentence, view.verdict.lead, view.verdict.command, view.verdict.after,
        ],
        "tags": [[tag.text, tag.sentence] for tag in view.tags],
        "notes": [*view.notes, *filter(None, (view.unconfirmed,))],
        "gauge": _gauge(view.gauge),
        "pace": _pace(view.pace),
        "ceilings": {
            row.kind: {
                "label": row.label,
                "spent": row.spent,
                "held": row.held,
                "of": row.of,
                "open": not row.ceiling,
                "share": _share(row.share),
                "held_share": _share(min(row.held_share, max(0.0, 1 - row.share))),
                "level": row.level,
                "nearest": row.nearest,
                "word": row.word,
            }
            for row in view.ceilings
        },
        "input": {
            "cached": view.input.cached,
            "new": view.input.new,
            "share": _share(view.input.cached_share),
            "percent": view.input.percent,
        },
        "meters": _meters(view.meters, view.gauge),
        "answer": render(view.answer) if view.answer else "",
        "steps_text": "; ".join(filter(None, (view.steps_text, view.scope))),
        "approvals": [
            {
                "id": asked.call_id,
                "name": asked.name,
                "sentence": asked.sentence,
                "fields": [[field.name, field.value, field.size] for field in asked.fields],
                "place": asked.place,
            }
            for asked in view.approvals
        ],
    }  # fmt: skip


def _gauge(gauge: GaugeView) -> dict[str, Any]:
    return {
        "budget": gauge.budget,
        "used": gauge.used,
        "number": gauge.number,
        "caption": gauge.caption,
        "used_text": gauge.used_text,
        "over": gauge.over,
        "limit": None if gauge.limit_share is None else _share(gauge.limit_share),
        "began": None if gauge.began_share is None else _share(gauge.began_share),
        "turn_line": gauge.turn_line,
        "kinds": {
            kind.kind: {
                "label": kind.label,
                "text": kind.text,
                "share": _share(kind.share),
                "live": _share(kind.live_share),
            }
            for kind in gauge.kinds
        },
    }


def _pace(pace: PaceView) -> dict[str, Any]:
    return {
        "shares": [_share(share) for share in sampled(pace.shares, SPARK_POINTS)],
        "steps": max(0, len(pace.shares) - 1),
        "more": pace.more_steps,
        "left": [compact(round(left)) for left in sampled(pace.left, SPARK_POINTS)],
        "text": pace.text,
    }


def _meters(meters: MetersView, gauge: GaugeView) -> dict[str, Any]:
    return {
        "says": EXPLANATION,
        "counted": meters.counted,
        "billed": meters.billed,
        "counted_share": _share(meters.counted_share),
        "kinds": {kind.kind: kind.tokens - kind.live_tokens for kind in gauge.kinds},
        "rows": [
            {
                "kind": row.kind,
                "label": row.label,
                "tokens": row.tokens,
                "price": row.usd_per_mtok,
                "cost": row.cost,
                "token_share": _share(row.token_share),
                "cost_share": _share(row.cost_share),
            }
            for row in meters.rows
        ],
        "total": meters.total_cost,
        "source": meters.source,
        "scope": meters.scope,
    }


def row_json(step: StepView) -> dict[str, Any]:
    """Return the row of one step; bars are drawn from tokens, so that no row depends on another."""
    return {
        "state": step.state,
        "parts": [[part.name, part.times, part.detail] for part in step.parts],
        "marks": [[mark.kind, mark.text, mark.glyph] for mark in step.marks],
        "tokens": {kind: getattr(step.tokens, kind) for kind, *_ in KINDS},
        "live": {kind: getattr(step.streaming, kind) for kind, *_ in KINDS},
        "counted": step.counted,
        "cost": step.cost,
        "time": step.time,
        "why": step.why,
    }


def blocks_json(
    step: StepView, streams: Sequence[Stream], render: Callable[[str], str]
) -> list[dict[str, Any]]:
    """Return what is under the row of a finished step, long parts cut to a preview.

    A block that a browser has watched from its beginning names its stream: the text is there.
    """
    streamed = {stream.block.index: stream for stream in streams}
    blocks = []
    for block in step.blocks:
        shown = _block(block, render)
        stream = None if block.index is None else streamed.get(block.index)
        # A call streams as JSON, and a reply may have been mended after it streamed.
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
    shown: dict[str, Any] = {"kind": block.kind}
    if block.kind == "text" and len(block.text) <= LONG_TEXT_CHARS:
        shown["html"] = render(block.text)
        return shown
    lines, chars = PREVIEW_LINES, PREVIEW_CHARS
    if block.kind == "thinking":
        lines = THINKING_LINES
    elif block.kind == "text":
        lines, chars = LONG_TEXT_LINES, LONG_TEXT_KEPT
    cut = cut_text(block.text, lines=lines, chars=chars)
    shown |= {"text": cut.text, "cut": ", ".join(filter(None, (cut.note, block.cut)))}
    if block.kind in {"call", "result"}:
        shown |= {"name": block.name, "id": block.call_id, "more": bool(cut.note)}
    if block.kind == "result":
        size = "" if block.tokens is None else f"{exact(block.tokens)} tokens"
        shown |= {
            "label": block.label.partition(",")[0],
            "size": size,
            "lines": block.lines,
            "error": block.is_error,
        }
    return shown


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of `new` a holder of `old` must be told; dicts are compared key by key.

    >>> difference({"a": 1, "b": {"c": 2, "d": 3}}, {"a": 1, "b": {"c": 4, "d": 3}})
    {'b': {'c': 4}}
    >>> difference({"a": 1, "b": 2}, {"a": 1})
    {'b': None}
    """
    changed: dict[str, Any] = dict.fromkeys(key for key in old if key not in new)
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            inner = difference(before, value)
            if inner:
                changed[key] = inner
        elif key not in old or value != before:
            changed[key] = value
    return changed


def _share(share: float) -> float:
    return round(share, 3)

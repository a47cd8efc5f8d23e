"""A turn as HTML for saved notebooks: no script, no class, at most 20 kB by construction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from html import escape
from typing import Final

from budget_magic.report.markdown import protect, render_markdown
from budget_magic.report.numbers import dollars, exact, plural
from budget_magic.report.static_parts import (
    body_html,
    ceilings_html,
    gauge_html,
    grey,
    header,
    meters_html,
    step_html,
)
from budget_magic.report.text import cut_text
from budget_magic.report.view_models import StepView, TurnView

LIMIT_BYTES: Final = 20_000
"""Most bytes of one turn in a saved notebook."""
ANSWER_BYTES: Final = 9_000
ROWS_BYTES: Final = 4_500
"""Kept free for the rows of the transcript before the answer is cut."""
KEPT_ROWS: Final = 20
"""Last steps that keep a line of their own."""
KEPT_BODIES: Final = 5
"""Last steps whose parts are kept; those with errors or decisions are kept too."""
CUTS: Final = ((12, 1_000), (5, 300))
"""Most lines and characters of a part, and the shorter form where that does not fit."""
BODY_BYTES: Final = 3_600
_WRAP: Final = (
    '<div style="font-size:13px;line-height:1.5;max-width:900px;overflow-wrap:break-word;'
    'overflow:hidden">\n'
)
_END: Final = "\n</div>"
_ELSEWHERE: Final = "What the other steps said and read is in task.events."
_TRANSCRIPT_BYTES: Final = 700
"""The frame of the transcript: summary, the line of earlier steps, what is missing."""


def static_html(view: TurnView, *, limit: int = LIMIT_BYTES) -> str:
    """Return the turn as HTML that needs no kernel, no style sheet and no trust.

    Parameters
    ----------
    view
        The turn.
    limit
        Most bytes, at least 16,000: the figures alone can need so many.

    Returns
    -------
    str
        At most `limit` bytes of UTF-8; what was left out is named in it.
    """
    figures = [header(view), gauge_html(view.gauge, view.pace), ceilings_html(view)]
    meters = meters_html(view.meters)
    room = limit - sum(_size(part) + 1 for part in (_WRAP, _END, *figures, meters))
    kept = view.steps if view.save_transcript else ()
    rows_need = min(ROWS_BYTES, sum(_size(step_html(step)) for step in kept))
    answer = _answer(view, min(ANSWER_BYTES, room - rows_need - _TRANSCRIPT_BYTES))
    transcript = _transcript(view, room - _size(answer))
    parts = [*figures, answer + transcript, meters]
    return _WRAP + "\n".join(filter(None, parts)) + _END


def _answer(view: TurnView, room: int) -> str:
    if not view.answer.strip():
        return ""
    html = _framed(render_markdown(view.answer))
    chars = min(len(view.answer), max(room, 200))
    while _size(html) > room:
        chars = int(chars * 0.75)
        if chars < 20:  # noqa: PLR2004 - nothing readable is left
            return ""
        cut = cut_text(view.answer, lines=len(view.answer) + 2, chars=chars)
        head, _, tail = cut.text.partition("\n…\n")
        # A fence that the cut tears open is closed before the gap and opened again after it.
        torn = head.count("```") % 2
        gap = f"<p>… {grey(f'{cut.note} of the answer; the whole is in the turn')} …</p>"
        fence = "```\n" if torn else ""
        html = _framed(render_markdown(head) + gap + render_markdown(fence + tail))
    return html


def _framed(inner: str) -> str:
    return f'<div style="margin:8px 0;max-width:720px;font-size:14px;overflow:auto">{inner}</div>'


def _transcript(view: TurnView, room: int) -> str:
    if not view.save_transcript:
        text = f"{_told(view)}; transcript not saved"
        return f'<p style="margin:6px 0 0 0">{grey(text)}</p>'
    if not view.steps:
        return ""
    room -= _TRANSCRIPT_BYTES
    rows = [step_html(step) for step in view.steps]
    first = len(rows)
    while first > max(0, len(rows) - KEPT_ROWS) and room >= _size(rows[first - 1]):
        first -= 1
        room -= _size(rows[first])
    missing = first
    for place in _body_order(view.steps, first):
        step = _without_answer(view.steps[place], view.answer.strip())
        wholes = (step_html(step, _body(step, cut)) for cut in CUTS)
        whole = next((w for w in wholes if _size(w) - _size(rows[place]) <= room), None)
        if whole is None:
            # Bodies are dropped oldest first: what is older than this one goes too.
            break
        room -= _size(whole) - _size(rows[place])
        rows[place] = whole
    missing += sum(row.startswith("<div") for row in rows[first:])
    kept = ([_earlier(view.steps[:first])] if first else []) + rows[first:]
    note = f'<p style="margin:4px 0 0 13px">{grey(_ELSEWHERE)}</p>' if missing else ""
    return (
        f'<details style="margin:6px 0 0 0"><summary>Transcript: {_told(view)}</summary>'
        f'<div style="margin:4px 0 4px 14px">{"".join(kept)}{note}</div></details>'
    )


def _told(view: TurnView) -> str:
    scope = protect(escape(view.scope))
    return f"{view.steps_text}; {scope}" if scope else view.steps_text


def _body_order(steps: Sequence[StepView], first: int) -> list[int]:
    """Places of the steps whose parts are kept, newest first."""
    last = len(steps) - KEPT_BODIES
    return [
        place
        for place in range(len(steps) - 1, first - 1, -1)
        if steps[place].blocks and (place >= last or steps[place].notable)
    ]


def _without_answer(step: StepView, answer: str) -> StepView:
    kept = [b for b in step.blocks if not (b.kind == "text" and b.text.strip() == answer)]
    return replace(step, blocks=tuple(kept))


def _body(step: StepView, cut: tuple[int, int]) -> str:
    lines, chars = cut
    return body_html(step, lines=lines, chars=chars, most=BODY_BYTES)


def _earlier(steps: Sequence[StepView]) -> str:
    counted = sum(step.counted_tokens for step in steps)
    costs = [step.cost_usd for step in steps]
    cost = f", {dollars(sum(map(Decimal, costs), Decimal(0)))}" if all(costs) else ""
    text = f"{plural(len(steps), 'earlier step')}, {exact(counted)} tokens{cost}"
    return f'<div style="padding:2px 0 2px 13px">{grey(text)}</div>'


def _size(html: str) -> int:
    return len(html.encode())

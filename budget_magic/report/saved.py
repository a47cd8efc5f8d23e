"""Fit a turn into saved output: all figures, then as much of answer and steps as fits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from budget_magic.report.numbers import dollars, exact, plural
from budget_magic.report.text import cut_text
from budget_magic.report.view_models import StepView, TurnView, listed

ANSWER_BYTES: Final = 9_000
ROWS_BYTES: Final = 4_500
"""Reserved for the rows of the steps before the answer is cut."""
KEPT_ROWS: Final = 20
"""Most steps that keep a row, the last ones."""
KEPT_BODIES: Final = 5
"""Last steps that keep their parts; so do those with errors or decisions."""
CUTS: Final = ((12, 1_000), (5, 300))
"""Most lines and characters of a part, and of its shorter form."""
BODY_BYTES: Final = 3_600
_SHORTEST_ANSWER: Final = 20
_PAGE_BYTES: Final = 150
_TRANSCRIPT_BYTES: Final = 700
"""For the summary, the line of earlier steps, and the note of what is missing."""
_ROW_BYTES: Final = 70
_ELSEWHERE: Final = "What the other steps said and read is in task.events."
_FENCE: Final = re.compile(r"^\s*(?:```|~~~).*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format of saved output."""

    macro: Callable[..., str]
    """Renders a macro of its template: `macro("row", step)`."""
    answers: Sequence[Callable[[str], str]]
    """Renderers of an answer, the longest form first."""


def saved_output(view: TurnView, form: Format, limit: int) -> str:
    """Return the turn in about `limit` bytes of UTF-8, with a note of what is left out."""
    figures, meters = form.macro("figures", view), form.macro("meters", view.meters)
    room = limit - _PAGE_BYTES - _size(figures) - _size(meters)
    steps = view.steps[-KEPT_ROWS:] if view.save_transcript else ()
    rows = [form.macro("row", step) for step in steps]
    needed = min(ROWS_BYTES, sum(_size(row) + _ROW_BYTES for row in rows)) + _TRANSCRIPT_BYTES
    answer = _answer(view.answer, min(ANSWER_BYTES, room - needed), form)
    transcript = _transcript(view, rows, room - _size(answer), form)
    # A plain string: `Markup` would escape what callers add or replace.
    return str(form.macro("page", figures, answer, transcript, meters))


def _answer(answer: str, room: int, form: Format) -> str:
    if not answer.strip():
        return ""
    for rendered in _answers(answer, max(room, 200), form):
        framed = form.macro("answer", rendered)
        if _size(framed) <= room:
            return framed
    return ""


def _answers(answer: str, chars: int, form: Format) -> Iterator[str]:
    """Yield the whole answer, then its head and tail, shorter and shorter."""
    for render in form.answers:
        yield render(answer)
    render, chars = form.answers[-1], min(len(answer), chars)
    while (chars := int(chars * 0.75)) >= _SHORTEST_ANSWER:
        cut = cut_text(answer, lines=len(answer) + 2, chars=chars)
        head, _, tail = cut.text.partition("\n…\n")
        # If the cut splits a code block, close its fence before the gap and open it again after.
        fences = _FENCE.findall(head)
        fence = f"{fences[-1].strip()}\n" if len(fences) % 2 else ""
        yield render(head) + str(form.macro("gap", cut.note)) + render(fence + tail)


def _transcript(view: TurnView, rows: Sequence[str], room: int, form: Format) -> str:
    if not view.save_transcript:
        return form.macro("not_saved", view)
    if not rows:
        return ""
    room -= _TRANSCRIPT_BYTES
    first = len(view.steps)
    for row in reversed(rows):
        if room < _size(row) + _ROW_BYTES:
            break
        room -= _size(row) + _ROW_BYTES
        first -= 1
    kept = view.steps[first:]
    bodies = _bodies(kept, view.answer.strip(), room, form)
    numbers = [step.number for step in kept]
    saved = list(zip(numbers, rows[len(rows) - len(kept) :], bodies, strict=True))
    rest = _ELSEWHERE if first or None in bodies else ""
    return form.macro("transcript", view, saved, _earlier(view.steps[:first]), rest)


def _bodies(
    steps: Sequence[StepView], answer: str, room: int, form: Format
) -> list[Sequence[str] | None]:
    """Return the parts of each step, None for those that do not fit; the last steps go first."""
    bodies: list[Sequence[str] | None] = [None] * len(steps)
    for place in reversed(range(len(steps))):
        if place < len(steps) - KEPT_BODIES and not steps[place].notable:
            continue
        forms = (_body(steps[place], answer, cut, form) for cut in CUTS)
        body = next((body for body in forms if sum(map(_size, body)) <= room), None)
        if body is None:
            break
        room -= sum(map(_size, body))
        bodies[place] = body
    return bodies


def _body(step: StepView, answer: str, cut: tuple[int, int], form: Format) -> list[str]:
    blocks = [b for b in step.blocks if not (b.kind == "text" and b.text.strip() == answer)]
    parts: list[str] = []
    used = 0
    for place, block in enumerate(blocks):
        text = cut_text(block.text, lines=cut[0], chars=cut[1])
        label = listed(block.label, text.note, block.cut)
        part = form.macro("block", block, text.text, label)
        used += _size(part)
        if used > BODY_BYTES:
            more = f"{len(blocks) - place} more parts in task.events"
            return [*parts, form.macro("label", more)]
        parts.append(part)
    return parts


def _earlier(steps: Sequence[StepView]) -> str:
    if not steps:
        return ""
    counted = sum(step.counted_tokens for step in steps)
    costs = [step.cost_usd for step in steps if step.cost_usd is not None]
    cost = dollars(sum(costs, Decimal(0))) if len(costs) == len(steps) else ""
    return listed(plural(len(steps), "earlier step"), f"{exact(counted)} tokens", cost)


def _size(text: str) -> int:
    return len(text.encode())

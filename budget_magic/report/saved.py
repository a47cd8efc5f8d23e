"""Write a turn in one format of saved output: all figures, then as much of the rest as fits."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from budget_magic.report.numbers import dollars, exact, plural
from budget_magic.report.text import cut_text, one_line
from budget_magic.report.view_models import StepView, TurnView, listed

KEPT_ROWS: Final = 20
"""Most steps that keep a row, the last ones."""
KEPT_BODIES: Final = 5
"""Last steps that keep their parts; so do those with errors or decisions."""
CUTS: Final = ((12, 1_000), (5, 300))
"""Most lines and characters of a part, and of its shorter form."""
BODY_BYTES: Final = 3_600
FOLDED: Final = (5, 400)
"""A prompt of more lines or characters is folded."""
LONG_PROMPT: Final = (40, 2_000)
"""Most lines and characters of a prompt."""
SHORT_PROMPT: Final = (8, 600)
"""The same where room is short."""
_SHORTEST_ANSWER: Final = 20
_SHRINK: Final = 0.75
"""Most of a cut answer that is tried again if it does not fit."""
_FOLD_BYTES: Final = 120
"""For what folds the parts of a step."""
_ELSEWHERE: Final = "What the other steps said and read is in task.events."
_FENCE: Final = re.compile(r"^\s*(?:```|~~~).*$", re.MULTILINE)
_FEWEST_BYTES: Final = 2
"""Bytes of an empty JSON string."""


def size(text: str) -> int:
    """Return the bytes of a text in a saved notebook, in which quotes are escaped."""
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace")) - _FEWEST_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format of saved output."""

    macro: Callable[..., str]
    """Renders a macro of its template: `macro("row", step)`."""
    render: Callable[[str, bool], str]
    """Renders an answer, with or without colours."""


class SavedForm:
    """A turn in one format, to be written in as much room as there is."""

    def __init__(self, view: TurnView, form: Format) -> None:
        self._view, self._form = view, form
        self._head, self._details = form.macro("head", view), form.macro("details", view)
        self._steps = view.steps[-KEPT_ROWS:] if view.save_transcript else ()
        self._rows = [form.macro("row", step) for step in self._steps]
        self._answers: dict[bool, str] = {}

    def needed(self, rows: int, *, short: bool = False) -> int:
        """Return the bytes of all but answer and parts, with the last `rows` steps."""
        return size(self.write(rows, 0, "", short=short)[0])

    def answer(self, *, colours: bool = False) -> str:
        """Return the whole answer; empty if there is none."""
        if not self._view.answer.strip():
            return ""
        if colours not in self._answers:
            html = self._form.render(self._view.answer, colours)
            self._answers[colours] = self._framed(html)
        return self._answers[colours]

    def is_whole(self, answer: str) -> bool:
        """Return whether this is the whole answer, without rendering it again."""
        return bool(answer) and answer is self._answers.get(False)

    def cut_answer(self, room: int) -> str:
        """Return head and tail of the answer in `room` bytes; empty if nothing fits."""
        answer = self._view.answer
        chars = int(min(len(answer), max(room, 200)) * _SHRINK)
        while chars >= _SHORTEST_ANSWER:
            cut = cut_text(answer, lines=len(answer) + 2, chars=chars)
            head, _, tail = cut.text.partition("\n…\n")
            tail = _begun_again(head, tail)
            render, gap = self._form.render, str(self._form.macro("gap", cut.note))
            framed = self._framed(render(head, False) + gap + render(tail, False))  # noqa: FBT003 - no colours
            if (needed := size(framed)) <= room:
                return framed
            chars = int(chars * min(_SHRINK, room / needed))
        return ""

    def write(self, rows: int, room: int, answer: str, *, short: bool = False) -> tuple[str, bool]:
        """Return the turn with `room` bytes of parts of steps, and whether all of them fit."""
        transcript, is_whole = self._transcript(rows, room)
        prompt = self._prompt(short=short)
        page = self._form.macro("page", self._head, prompt, answer, transcript, self._details)
        # A plain string: `Markup` would escape what callers add or replace.
        return str(page), is_whole

    def _framed(self, rendered: str) -> str:
        mark = str(self._form.macro("cut_off")) if self._view.answer_cut_off else ""
        return self._form.macro("answer", rendered + mark)

    def _prompt(self, *, short: bool) -> str:
        if not self._view.prompt:
            return ""
        lines, chars = SHORT_PROMPT if short else LONG_PROMPT
        text, note = cut_text(self._view.prompt, lines=lines, chars=chars)
        lines, chars = FOLDED
        is_long = len(text) > chars or text.count("\n") >= lines
        return self._form.macro("prompt", text, one_line(text, 100) if is_long else "", note)

    def _transcript(self, rows: int, room: int) -> tuple[str, bool]:
        view, form = self._view, self._form
        if not view.save_transcript:
            return form.macro("not_saved", view), True
        if not self._steps or not rows:
            return "", not self._steps
        kept, first = self._steps[-rows:], max(0, len(view.steps) - rows)
        bodies, is_whole = _bodies(kept, view.answer.strip(), room, form)
        numbers = [step.number for step in kept]
        saved = list(zip(numbers, self._rows[-rows:], bodies, strict=True))
        rest = _ELSEWHERE if first or None in bodies else ""
        earlier = _earlier(view.steps[:first])
        return form.macro("transcript", view, saved, earlier, rest), is_whole


def _begun_again(head: str, tail: str) -> str:
    """Return the tail of a cut Markdown text; a code block or table that was cut begins again."""
    fences = _FENCE.findall(head)
    if len(fences) % 2:
        return f"{fences[-1].strip()}\n{tail}"
    first, _, rest = tail.partition("\n")
    table = _table_head(head)
    return f"{table}{rest}" if table and "|" in first else tail  # the first row is cut too


def _table_head(text: str) -> str:
    """Return the two lines that begin the table which a text ends with; empty without one."""
    lines = text.split("\n")
    first = len(lines)
    while first and "|" in lines[first - 1]:
        first -= 1
    head = lines[first : first + 2]
    is_table = len(head) > 1 and {"-"} <= set(head[1]) <= set(" \t|:-")
    return "\n".join([*head, ""]) if is_table else ""


def _bodies(
    steps: Sequence[StepView], answer: str, room: int, form: Format
) -> tuple[list[Sequence[str] | None], bool]:
    """Return the parts of each step, None for those that do not fit, and whether none is left out.

    Those with errors or decisions go first, then the last ones.
    """
    bodies: list[Sequence[str] | None] = [None] * len(steps)
    if room <= 0:
        return bodies, False
    is_whole = True
    last_first = reversed(range(len(steps)))
    for place in sorted(last_first, key=lambda place: not steps[place].notable):
        if place < len(steps) - KEPT_BODIES and not steps[place].notable:
            continue
        forms = (_body(steps[place], answer, cut, form) for cut in CUTS)
        for body in forms:
            needed = sum(map(size, body)) + _FOLD_BYTES
            if not body or needed <= room:
                room -= needed if body else 0
                bodies[place] = body
                break
        else:
            is_whole = False
    return bodies, is_whole


def _body(step: StepView, answer: str, cut: tuple[int, int], form: Format) -> list[str]:
    parts: list[str] = []
    used = 0
    # A reply that is the answer, or that was cut off at the end of it, is not shown twice.
    blocks = [
        one for one in step.blocks if not (one.kind == "text" and answer.endswith(one.text.strip()))
    ]
    for place, block in enumerate(blocks):
        text = cut_text(block.text, lines=cut[0], chars=cut[1])
        label = listed(block.label, text.note, block.cut)
        part = form.macro("block", block, text.text, label)
        used += size(part)
        if used > BODY_BYTES:
            more = f"{len(blocks) - place} more parts in task.events"
            return [*parts, form.macro("label", more)]
        parts.append(part)
    return list(filter(None, (*parts, form.macro("why", step.why))))


def _earlier(steps: Sequence[StepView]) -> str:
    if not steps:
        return ""
    counted = sum(step.counted_tokens for step in steps)
    costs = [step.cost_usd for step in steps if step.cost_usd is not None]
    cost = dollars(sum(costs, Decimal(0))) if len(costs) == len(steps) else ""
    return listed(plural(len(steps), "earlier step"), f"{exact(counted)} tokens", cost)

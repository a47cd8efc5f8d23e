"""A turn as Markdown, for text/markdown and for readers such as GitHub."""

from __future__ import annotations

import re
from typing import Final

from budget_magic.report.bars import text_bar
from budget_magic.report.bill import EXPLANATION
from budget_magic.report.safe_markdown import (
    code_block,
    code_span,
    escape_markdown,
    safe_markdown,
)
from budget_magic.report.text import cut_text
from budget_magic.report.view_models import BlockView, StepView, TurnView

RESULT_LINES: Final = 12
RESULT_CHARS: Final = 1_000
KEPT_ROWS: Final = 20
KEPT_BODIES: Final = 5
ANSWER_CHARS: Final = 6_000
LIMIT_BYTES: Final = 16_000
"""Bodies of steps are kept while the report is shorter than this."""
_FENCES: Final = re.compile(r"^\s*(```+|~~~+)", re.MULTILINE)


def markdown_report(view: TurnView) -> str:
    """Return the turn as Markdown: the same facts as the HTML, in the same order."""
    meters = _meters(view)
    figures = [*_head(view), _gauge(view), _ceilings(view), _answer(view)]
    room = LIMIT_BYTES - sum(len(part.encode()) + 2 for part in [*figures, meters])
    parts = [*figures, *_transcript(view, room), meters]
    return "\n\n".join(filter(None, parts)) + "\n"


def _head(view: TurnView) -> list[str]:
    named = [view.heading, view.model, view.effort_text, *(tag.text for tag in view.tags)]
    about = escape_markdown(", ".join(filter(None, named)))
    now = "" if view.state.ended else f" {escape_markdown(view.now)}"
    head = [f"**{view.state.glyph} {view.state.word}**{now} {about}"]
    head += [escape_markdown(tag.sentence) for tag in view.tags]
    head += [escape_markdown(note) for note in view.notes]
    if view.verdict is not None:
        verdict = view.verdict
        command = [escape_markdown(verdict.lead), code_span(verdict.command)]
        after = escape_markdown(verdict.after)
        head.append(" ".join(filter(None, [escape_markdown(verdict.sentence), *command, after])))
    head.append(escape_markdown(view.unconfirmed))
    return head


def _gauge(view: TurnView) -> str:
    gauge = view.gauge
    caption = ", ".join(filter(None, (gauge.caption, gauge.used_text)))
    lines = [f"**{gauge.number}** {caption}", code_span(text_bar(gauge, 48))]
    lines.append(", ".join(f"{k.glyph} {k.label} {k.text}" for k in gauge.kinds))
    pace = view.pace.text.replace(" a step", " tokens a step")
    lines += filter(None, (pace, escape_markdown(gauge.turn_line)))
    return "  \n".join(lines)


def _ceilings(view: TurnView) -> str:
    heads = [", ".join(filter(None, (c.label, c.word))) for c in view.ceilings] + ["input"]
    cells = [
        escape_markdown(
            f"{c.spent}{' ' if c.ceiling else ', '}{c.of}" + (f", {c.held}" if c.held else "")
        )
        for c in view.ceilings
    ]
    cells.append(f"{view.input.cached} cached, {view.input.new} new")
    return _table([heads, cells])


def _table(rows: list[list[str]], right_from: int | None = None) -> str:
    width = len(rows[0])
    rule = ["---:" if right_from is not None and c >= right_from else "---" for c in range(width)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (rows[0], rule, *rows[1:]))


def _answer(view: TurnView) -> str:
    text = view.answer.strip("\n")
    cut = cut_text(text, lines=10_000, chars=ANSWER_CHARS)
    if not cut.note:
        return safe_markdown(text)
    head, _, tail = cut.text.partition("\n…\n")
    torn = len(_FENCES.findall(head)) % 2
    tail = ("```\n" if torn else "") + tail
    return f"{safe_markdown(head)}\n\n… {cut.note} …\n\n{safe_markdown(tail)}"


def _told(view: TurnView) -> str:
    scope = escape_markdown(view.scope)
    return f"{view.steps_text}; {scope}" if scope else view.steps_text


def _transcript(view: TurnView, room: int) -> list[str]:
    if not view.save_transcript:
        return [f"{_told(view)}; transcript not saved"]
    if not view.steps:
        return []
    first = max(0, len(view.steps) - KEPT_ROWS)
    rows = [["step", "", "counted", "cost", "time"]]
    rows += [_row(step) for step in view.steps[first:]]
    parts = [f"**Transcript: {_told(view)}**"]
    if first:
        parts.append(f"{first} earlier steps are in task.events.")
    parts.append(_table(rows, right_from=2))
    room -= sum(len(part.encode()) + 2 for part in parts)
    bodies: list[str] = []
    for step in reversed(view.steps[first:]):
        if step.number <= view.steps[-1].number - KEPT_BODIES and not step.notable:
            continue
        body = "\n\n".join(_body(step, view.answer.strip()))
        room -= len(body.encode()) + 2
        if room < 0:
            break
        bodies.insert(0, body)
    missing = "What the other steps said and read is in task.events."
    return [*parts, *bodies, *([missing] if len(bodies) < len(view.steps) else [])]


def _row(step: StepView) -> list[str]:
    marks = "".join(f" **{escape_markdown(f'{m.glyph} {m.text}'.strip())}**" for m in step.marks)
    title = escape_markdown(step.title) + marks
    return [str(step.number), title, step.counted, escape_markdown(step.cost), step.time]


def _body(step: StepView, answer: str) -> list[str]:
    blocks = [b for b in step.blocks if not (b.kind == "text" and b.text.strip() == answer)]
    parts = [_block(block) for block in blocks[:6]]
    if len(blocks) > 6:  # noqa: PLR2004 - six parts say what a step did
        parts.append(f"{len(blocks) - 6} more parts in task.events")
    return [f"Step {step.number}", *parts] if parts else []


def _block(block: BlockView) -> str:
    cut = cut_text(block.text, lines=RESULT_LINES, chars=RESULT_CHARS)
    label = ", ".join(filter(None, (block.label, cut.note, block.cut)))
    return f"{escape_markdown(label)}\n\n{code_block(cut.text)}"


def _meters(view: TurnView) -> str:
    meters = view.meters
    scope = f", {meters.scope}" if meters.scope else ""
    summary = f"{meters.counted} tokens counted, {meters.billed} billed, {meters.cost}"
    rows = [["billed as", "tokens", "USD per M", "cost"]]
    rows += [
        [row.label, row.tokens, escape_markdown(row.usd_per_mtok), escape_markdown(row.cost)]
        for row in meters.rows
    ]
    rows.append(
        ["**total**", f"**{meters.billed}**", "", f"**{escape_markdown(meters.total_cost)}**"]
    )
    head = f"Two meters{scope}: {escape_markdown(summary)}. {EXPLANATION}"
    return "\n\n".join((head, _table(rows, right_from=1), escape_markdown(meters.source)))

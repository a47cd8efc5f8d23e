"""Render a turn as plain text: the report, the progress line, and one line for each step."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

from budget_magic.report.bars import spark, text_bar
from budget_magic.report.numbers import percent, rough
from budget_magic.report.text import cut_text, one_line
from budget_magic.report.view_models import (
    CUT_OFF,
    CeilingView,
    GaugeView,
    StepView,
    TurnView,
    listed,
)

INDENT: Final = "  "
ANSWER_LINES: Final = 300
ANSWER_CHARS: Final = 12_000
PROMPT_LINES: Final = 6
PROMPT_CHARS: Final = 480
_FEWEST_CHARS: Final = 100
_LINE_BARS: Final = (20, 12)
_CEILING_BAR: Final = 20
NOTES: Final = 5
"""Most notes that are shown."""
_TITLE_COLUMNS: Final = 46
_LEAD: Final = re.compile(r"\s*(?:[-*+>] |\d{1,9}[.)] )?\s*")
_ASCII: Final = str.maketrans({
    "\u2026": "...", "\u00d7": "x", "\u00b7": ".", "\u2248": "~", "\u2013": "-", "\u203a": ">",
    "\u201c": '"', "\u201d": '"', "\u2018": "'", "\u2019": "'", "\u2713": "OK", "\u2715": "!",
    "\u2501": "=", "\u2588": "#", "\u2593": "=", "\u2592": "-", "\u2591": ".",
})  # fmt: skip
"""Replacements on terminals that have ASCII only."""


def plain_report(
    view: TurnView, *, width: int = 80, utf8: bool = True, answer_bytes: int | None = None
) -> str:
    """Return the turn as plain text of at most `width` columns (40 or more), except long words.

    Without `utf8`, words and ASCII replace marks and bars. `answer_bytes` limits the answer to
    about so many bytes; a very long one is cut anyway.
    """
    lines = [
        *_head(view, width, utf8=utf8),
        "",
        *_gauge(view, width, utf8=utf8),
        "",
        *_ceilings(view, utf8=utf8),
        *_prompt(view, width),
        *_answer(view, width, answer_bytes),
        *_tail(view),
    ]
    text = "\n".join(line.rstrip() for line in lines).rstrip() + "\n"
    return text if utf8 else in_ascii(text)


def progress_line(view: TurnView, *, width: int = 80, utf8: bool = True) -> str:
    """Return a running turn on one line of at most `width` columns.

    `▶ audit  step 8/50  █████▓▒▒▒▒▒▒▒▒░······  27k of 64k left  $0.52  1:22  writing`
    """
    mark = view.state.glyph if utf8 else view.state.ascii
    parts, rest = [f"{mark} {one_line(view.task, 16)}"], [_left(view.gauge)]
    if view.ceilings:
        cost, _, steps, time = view.ceilings
        number = view.steps[-1].number if view.steps else 1
        parts.append(f"step {number}" + (f"/{steps.ceiling}" if steps.ceiling else ""))
        rest += [cost.spent, time.spent]
    rest.append(_doing(view))
    room = width if utf8 else width - 2  # an ellipsis becomes three characters
    widths = () if view.gauge.budget is None else _LINE_BARS
    for bar in [*(text_bar(view.gauge, n, utf8=utf8) for n in widths), ""]:
        line = "  ".join(filter(None, [*parts, bar, *rest]))
        if columns(line) <= room:
            break
    return fit(line, room) if utf8 else in_ascii(fit(line, room))


def _left(gauge: GaugeView) -> str:
    if gauge.budget is None:
        return f"{rough(gauge.used)} used"
    word = "over" if gauge.over else "left"
    return f"{rough(abs(gauge.budget - gauge.used))} of {rough(gauge.budget)} {word}"


def step_line(step: StepView, *, utf8: bool = True) -> str:
    """Return a finished step on one line of 80 columns."""
    marks = " ".join(mark.line for mark in step.marks)
    title = fit(f"{step.title} {marks}".strip(), _TITLE_COLUMNS)
    title += " " * (_TITLE_COLUMNS - columns(title))
    figures = f"{step.counted or '?':>7} tok  {step.cost:<6}  {step.time:>7}"
    line = f"{step.number:>3}  {title} {figures}".rstrip()
    return line if utf8 else in_ascii(line)


def in_ascii(text: str) -> str:
    """Return the text in ASCII: look-alikes of the marks, and question marks for the rest."""
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")


def columns(text: str) -> int:
    """Return the terminal columns of a line: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def fit(text: str, width: int) -> str:
    """Return the line, cut to `width` columns with an ellipsis."""
    if columns(text) <= width:
        return text
    text = text[:width]
    while columns(text) > width - 1:
        text = text[:-1]
    return f"{text.rstrip()}…"


def wrapped(text: str, width: int) -> Iterator[str]:
    """Yield the text's lines, folded to `width` columns unless they are code or table rows."""
    fenced = False
    for raw in text.split("\n"):
        line = raw.expandtabs(4).rstrip()
        fence = line.lstrip().startswith(("```", "~~~"))
        fenced ^= fence
        if fenced or fence or line.lstrip().startswith("|") or columns(line) <= width:
            yield line
        else:
            match = _LEAD.match(line)
            lead = match.group() if match and len(match.group()) <= width // 2 else ""
            yield from _folded(line[len(lead) :].split(), width, lead=lead)


def _folded(words: Iterable[str], width: int, *, lead: str = "", gap: str = " ") -> Iterator[str]:
    """Yield the words in lines, the first after `lead`, the others indented as far."""
    line = ""
    for word in words:
        joined = f"{line}{gap}{word}" if line else word
        if line and columns(lead + joined) > width:
            yield lead + line
            lead, joined = " " * len(lead), word
        line = joined
    yield lead + line


def _head(view: TurnView, width: int, *, utf8: bool) -> list[str]:
    mark = f"{view.state.glyph} {view.state.word}" if utf8 else view.state.ascii
    now = "" if view.state.ended else f"  {view.now}"
    lines = [f"{mark}{now}  {view.heading}"]
    paragraphs = [view.unconfirmed, *view.notes[:NOTES]]
    if len(view.notes) > NOTES:
        paragraphs.append(f"{len(view.notes) - NOTES} more notes")
    if verdict := view.verdict:
        lead = f"{verdict.lead}:" if verdict.lead else ""
        command = " ".join(filter(None, (lead, verdict.command, verdict.after)))
        paragraphs = [verdict.sentence, command, *paragraphs]
    for paragraph in filter(None, paragraphs):
        lines += [INDENT + line for line in wrapped(paragraph, width - 2)]
    sim = "~" if utf8 else "SIM"
    if view.simulated:
        first, *rest = wrapped(view.simulated, width - 2 - len(sim))
        lines += [f"{sim} {first}", *(INDENT + line for line in rest)]
    return lines


def _gauge(view: TurnView, width: int, *, utf8: bool) -> list[str]:
    gauge = view.gauge
    kinds = [f"{k.glyph if utf8 else k.ascii} {k.label} {k.text}" for k in gauge.kinds]
    bar = text_bar(gauge, min(60, width - 4), utf8=utf8)
    lines = [f"{gauge.number} {gauge.line}", bar if utf8 else f"[{bar}]"]
    lines += _folded(kinds, width - 2, gap="  ")
    if utf8 and view.pace.shares:
        lines.append(f"left after each step  {spark(view.pace.shares)}  {view.pace.text}")
    elif view.pace.text:
        lines.append(view.pace.text)
    if gauge.turn_line:
        lines.append(gauge.turn_line)
    return [INDENT + line for line in lines]


def _ceilings(view: TurnView, *, utf8: bool) -> list[str]:
    lines = [_ceiling(ceiling, utf8=utf8) for ceiling in view.ceilings]
    lines.append(f"{INDENT}input    {view.input.line}: {view.input.percent}")
    meters = view.meters
    figures = f"{meters.counted} counted against the budget, {meters.billed} billed"
    lines.append(f"{INDENT}{listed('two meters', meters.scope)}: {figures}")
    if meters.source.startswith(("Your", "No")):
        lines.append(f"{INDENT}{meters.source}")
    return lines


def _ceiling(ceiling: CeilingView, *, utf8: bool) -> str:
    filled = round(ceiling.share * _CEILING_BAR)
    bar = ("━" if utf8 else "=") * (filled or (1 if ceiling.share else 0))
    held = f"  {ceiling.held}" if ceiling.held else ""
    line = f"{INDENT}{ceiling.kind:<8}{ceiling.spent:>7} {ceiling.of:<10}"
    if not ceiling.ceiling:
        return line + held
    return f"{line} {bar:<{_CEILING_BAR}} {percent(ceiling.share):>6}{held}  {ceiling.word}"


def _prompt(view: TurnView, width: int) -> list[str]:
    if not view.prompt:
        return []
    cut = cut_text(view.prompt, lines=PROMPT_LINES, chars=PROMPT_CHARS)
    text = f"Prompt: {cut.text}" + (f" ({cut.note})" if cut.note else "")
    return ["", *(INDENT + line for line in wrapped(text, width - 2))]


def _answer(view: TurnView, width: int, most: int | None) -> list[str]:
    text = view.answer.strip("\n")
    if not text.strip() or most == 0:
        return []
    chars = ANSWER_CHARS
    lines, note = _answer_lines(text, chars, width)
    while most is not None and chars > _FEWEST_CHARS and _bytes([*lines, note]) > most:
        chars = int(min(chars, len(text)) * 0.8)
        lines, note = _answer_lines(text, chars, width)
    mark = [f"{INDENT}[{CUT_OFF}]"] if view.answer_cut_off else []
    return ["", *lines, *mark, *([note] if note else [])]


def _answer_lines(text: str, chars: int, width: int) -> tuple[list[str], str]:
    cut = cut_text(text, lines=ANSWER_LINES, chars=chars)
    lines = [INDENT + line for line in wrapped(cut.text, width - 2)]
    return lines, f"{INDENT}({cut.note})" if cut.note else ""


def _bytes(lines: list[str]) -> int:
    """Return the bytes of lines in a saved notebook, where line ends and quotes are escaped."""
    return sum(len(line.encode()) + line.count('"') + line.count("\\") + 2 for line in lines)


def _tail(view: TurnView) -> list[str]:
    scope = ["", f"{INDENT}{view.scope}"] if view.scope else []
    if not view.state.ended or not view.save_transcript:
        return scope
    return [*(scope or [""]), f"{INDENT}transcript: {view.transcript}"]


def _doing(view: TurnView) -> str:
    if view.state.name == "wrapping_up":
        return "last step"
    if view.state.name == "running":
        return view.now.partition(", ")[2] or view.now
    return view.state.word.lower().removesuffix(" for you")

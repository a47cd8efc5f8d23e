"""Parts of the saved HTML: literal inline styles only, every fact also as text."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Final

from budget_magic.report.bars import sampled, spark, text_bar
from budget_magic.report.bill import EXPLANATION
from budget_magic.report.call_labels import part_text
from budget_magic.report.markdown import protect
from budget_magic.report.text import cut_text, one_line
from budget_magic.report.view_models import (
    BlockView,
    CeilingView,
    GaugeView,
    KindName,
    MetersView,
    PaceView,
    StepView,
    TurnView,
    VerdictView,
)

COLOURS: Final[dict[KindName, str]] = {
    "thinking": "#8c8aa8",
    "calls": "#2f6fc4",
    "results": "#b5863c",
    "text": "#1f9e7a",
}
_GREY: Final = "#86868c"
_BAR: Final = (
    '<div style="display:flex;height:10px;margin:4px 0 5px 0;border-radius:3px;overflow:hidden;'
    'background-color:rgba(128,128,128,0.22)">'
)
_DASH: Final = '<span style="display:none"> \N{EN DASH} </span>'
_BAR_CHARS: Final = 48
_MIDDLE: Final = 0.5
_COMMAND: Final = '<code style="display:inline-block">'
"""A command stays on one line as long as it fits on one."""
_CODE: Final = '<code style="background-color:rgba(0,0,0,0);padding:0">'
_PRE: Final = (
    '<pre style="margin:2px 0 4px 0;padding:6px 10px;background-color:rgba(128,128,128,0.10);'
    'white-space:pre-wrap;overflow-wrap:break-word;font-size:12px">'
)
_HEAD: Final = (
    '<th style="text-align:left;font-weight:400;vertical-align:top;padding:2px 28px 0 0">'
)
_CELL: Final = '<td style="text-align:left;vertical-align:top;padding:0 28px 2px 0">'


def words(text: str) -> str:
    """Return text as HTML."""
    return protect(escape(text, quote=False))


def code(text: str) -> str:
    """Return text as HTML inside a code element."""
    return escape(text, quote=False)


def grey(text: str) -> str:
    """Return text as HTML, in secondary ink."""
    return f'<span style="opacity:0.7">{words(text)}</span>'


def fitted(text: str, most: int, render: Callable[[str], str] = words) -> str:
    """Return the text as HTML of at most `most` bytes, an ellipsis where it was cut."""
    html = render(text)
    while len(html.encode()) > most and text:
        text = text[: int(len(text) * 0.8)]
        html = render(text.rstrip() + "…")
    return html


def header(view: TurnView) -> str:
    """State, what happens now, and what ran."""
    state = f"<b>{view.state.glyph} {view.state.word}</b>"
    now = "" if view.state.ended else f" &nbsp;{fitted(view.now, 600)}"
    named = [view.heading, view.model, view.effort_text, *(tag.text for tag in view.tags)]
    about = fitted(", ".join(filter(None, named)), 700)
    line = f'{state}{now} &nbsp;<span style="opacity:0.7">{about}</span>'
    html = [f'<p style="margin:0 0 4px 0">{line}</p>']
    html += [_small(fitted(tag.sentence, 700)) for tag in view.tags]
    html += [_small(fitted(one_line(note, 300), 500)) for note in view.notes[:3]]
    if len(view.notes) > 3:  # noqa: PLR2004 - three notes fit
        html.append(_small(f"{len(view.notes) - 3} more notes"))
    if view.verdict is not None:
        html.append(_verdict(view.verdict))
    if view.unconfirmed:
        html.append(_small(_with_code(view.unconfirmed)))
    return "\n".join(html)


def _small(inner: str) -> str:
    return f'<p style="margin:0 0 4px 0"><span style="opacity:0.7">{inner}</span></p>'


def _with_code(text: str) -> str:
    """Return text of ours as HTML, what stands between backticks as code."""
    return "".join(
        f"{_COMMAND}{code(part)}</code>" if number % 2 else words(part)
        for number, part in enumerate(text.split("`"))
    )


def _verdict(verdict: VerdictView) -> str:
    parts = [fitted(verdict.sentence, 1_500)]
    if verdict.command:
        command = f"{_COMMAND}{fitted(verdict.command, 500, code)}</code>"
        parts += [fitted(verdict.lead, 300), command]
    if verdict.after:
        parts.append(fitted(verdict.after, 500))
    return f'<p style="margin:4px 0 6px 0">{" ".join(filter(None, parts))}</p>'


def gauge_html(gauge: GaugeView, pace: PaceView) -> str:
    """Return what is left, what it went to, and how it went down."""
    bits = [gauge.caption, gauge.used_text]
    caption = ", ".join(filter(None, bits))
    segments = "".join(
        f'<div style="width:{share * 100:.2f}%;background-color:{COLOURS[kind.kind]};'
        'margin-right:1px"></div>'
        for kind in gauge.kinds
        if (share := kind.share + kind.live_share) > 0
    )
    html = [
        f'<p style="margin:0"><b style="font-size:20px">{gauge.number}</b> {grey(caption)}</p>',
        f"{_BAR}{segments}</div>",
        *_ticks(gauge),
        f'<p style="display:none"><code>{text_bar(gauge, _BAR_CHARS)}</code></p>',
        f'<p style="margin:0">{" &nbsp; ".join(_legend(gauge))}</p>',
    ]
    if pace.shares:
        html.append(_spark(pace))
    if gauge.turn_line:
        html.append(f'<p style="margin:2px 0 0 0">{grey(gauge.turn_line)}</p>')
    return "\n".join(html)


def _legend(gauge: GaugeView) -> list[str]:
    return [
        '<span style="white-space:nowrap"><span style="display:inline-block;width:8px;height:8px;'
        f'margin-right:5px;border-radius:2px;background-color:{COLOURS[kind.kind]}"></span>'
        f'<span style="display:none">{kind.glyph} </span>{grey(kind.label)} {kind.text}</span>'
        for kind in gauge.kinds
    ]


def _ticks(gauge: GaugeView) -> list[str]:
    marks = ((gauge.began_share, gauge.began_text), (gauge.limit_share, gauge.limit_text))
    return [_tick(share, text) for share, text in marks if share is not None]


def _tick(share: float, text: str) -> str:
    # Words stand right of the tick, or left of it where they would leave the bar.
    side = "right" if share > _MIDDLE else "left"
    place = f"{'width' if side == 'right' else 'margin-left'}:{share * 100:.2f}%"
    return (
        f'<div style="{place};margin-bottom:3px;font-size:11px;line-height:13px;'
        f'text-align:{side};border-{side}:2px solid {_GREY}">&nbsp;{grey(text)}&nbsp;</div>'
    )


def _spark(pace: PaceView) -> str:
    bars = "".join(
        f'<span style="width:6px;height:{max(4, round(share * 100))}%;margin-right:1px;'
        f'background-color:{_GREY}"></span>'
        for share in sampled(pace.shares)
    )
    text = pace.text.replace(" a step", " tokens a step")
    return (
        f'<p style="margin:2px 0 0 0">{grey("left after each step")} '
        '<span style="display:inline-flex;align-items:flex-end;height:16px;margin:0 6px 0 4px;'
        f'vertical-align:middle">{bars}</span>'
        f'<span style="display:none"><code>{spark(pace.shares)}</code> </span> {grey(text)}</p>'
    )


def ceilings_html(view: TurnView) -> str:
    """Return the four ceilings and the input as one small table."""
    ceilings = view.ceilings
    heads = [", ".join(filter(None, (c.label, c.word))) for c in ceilings] + ["input"]
    cells = [_ceiling(ceiling) for ceiling in ceilings]
    cells.append(f"{view.input.cached} cached, {view.input.new} new")
    head = "".join(f"{_HEAD}{grey(label)}</th>" for label in heads)
    row = "".join(f"{_CELL}{cell}</td>" for cell in cells)
    return (
        f'<table style="margin:8px 0;border-collapse:collapse"><tr>{head}</tr>'
        f'<tr style="background-color:rgba(0,0,0,0)">{row}</tr></table>'
    )


def _ceiling(ceiling: CeilingView) -> str:
    spent = words(ceiling.spent)
    spent = f"<b>{spent}</b>" if ceiling.word else spent
    held = f", {words(ceiling.held)}" if ceiling.held else ""
    return f"{spent}{' ' if ceiling.ceiling else ', '}{words(ceiling.of)}{held}"


def step_html(step: StepView, body: str = "") -> str:
    """Return one row of the transcript, with its body where it is kept."""
    named = [
        f"{_CODE}{fitted(part_text(part), 300, code)}</code>"
        if part.name
        else f"<span>{fitted(part.detail, 200)}</span>"
        for part in step.parts
    ]
    title = " <span>and</span> ".join(named) if len(named) < 3 else ", ".join(named)  # noqa: PLR2004
    marks = [f"<b>{m.glyph} {fitted(m.text, 200)}</b>".replace("<b> ", "<b>") for m in step.marks]
    figures = ", ".join(
        filter(None, (f"{step.counted} tokens" if step.counted else "", step.cost, step.time))
    )
    row = (
        f"{step.number}. {title} {' '.join(marks[:4])}".rstrip()
        + _DASH
        + f'<span style="float:right;opacity:0.7">{words(figures)}</span>'
    )
    if not body:
        return f'<div style="padding:2px 0 2px 13px;clear:both">{row}</div>'
    return f'<details style="padding:2px 0;clear:both"><summary>{row}</summary>{body}</details>'


def body_html(step: StepView, *, lines: int, chars: int, most: int) -> str:
    """Return a step's body in at most `most` bytes, each part cut to its head and tail."""
    html, size = [], 0
    for place, block in enumerate(step.blocks):
        part = _block(block, lines, chars)
        size += len(part.encode())
        if size > most:
            html.append(_label(f"{len(step.blocks) - place} more parts in task.events"))
            break
        html.append(part)
    return "".join(html)


def _block(block: BlockView, lines: int, chars: int) -> str:
    cut = cut_text(block.text, lines=lines, chars=chars)
    label = _label(", ".join(filter(None, (block.label, cut.note, block.cut))))
    if block.kind in {"thinking", "text"}:
        ink = ";opacity:0.7" if block.kind == "thinking" else ""
        inner = f'<p style="margin:0;white-space:pre-wrap{ink}">{words(cut.text)}</p>'
    else:
        inner = f"{_PRE}{code(cut.text)}</pre>"
    return f'{label}<div style="margin:0 0 0 22px">{inner}</div>'


def _label(text: str) -> str:
    return f'<p style="margin:4px 0 0 22px;opacity:0.7">{words(text)}</p>'


def meters_html(meters: MetersView) -> str:
    """Return the two meters, folded."""
    scope = f", {meters.scope}" if meters.scope else ""
    summary = f"{meters.counted} tokens counted, {meters.billed} billed, {meters.cost}"
    left = '<td style="text-align:left">'
    rows = "".join(
        f"<tr>{left}{row.label}</td><td>{row.tokens}</td><td>{words(row.usd_per_mtok)}</td>"
        f"<td>{words(row.cost)}</td></tr>"
        for row in meters.rows
    )
    total = (
        f"<tr>{left}<b>total</b></td><td><b>{meters.billed}</b></td><td></td>"
        f"<td><b>{words(meters.total_cost)}</b></td></tr>"
    )
    return (
        f'<details style="margin:2px 0 0 0"><summary>Two meters{scope}: {words(summary)}</summary>'
        '<div style="margin:4px 0 4px 14px">'
        f'<p style="margin:0 0 4px 0;opacity:0.7">{words(EXPLANATION)}</p>'
        '<table><tr><th style="text-align:left">billed as</th><th>tokens</th><th>USD per M</th>'
        f"<th>cost</th></tr>{rows}{total}</table>"
        f'<p style="margin:4px 0 0 0;opacity:0.7">{fitted(meters.source, 500)}</p></div></details>'
    )

"""Build the views of a turn's steps, and of the calls that wait for approval."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from budget_magic.events import StepFinished, ToolFinished
from budget_magic.meter import Kinds
from budget_magic.report.blocks import block_views, cut_blocks, is_call, why_text
from budget_magic.report.call_labels import approval_sentence, input_fields, title_parts
from budget_magic.report.gauges import kinds_sum, live_mark
from budget_magic.report.numbers import dollars, exact, marked, plural, step_time
from budget_magic.report.text import exact_line, one_line
from budget_magic.report.turn_facts import StepFacts, TurnFacts
from budget_magic.report.view_models import (
    ApprovalView,
    LiveState,
    MarkView,
    StepView,
    TitlePart,
    listed,
)

STEP_PLACES: Final = 3
_MARK_CHARS: Final = 60
_CUT: Final = "cut off"


def step_view(facts: TurnFacts, place: int, live: LiveState | None = None) -> StepView:
    """Return the step at an index of `facts.steps`; `live` is the state of the one under way.

    Its tool results are those of its own calls, which the next reply measures; until then they are
    an estimate. Once that reply is there, this view is final. Results of an earlier turn's calls
    stay in the row of the reply that measured them.
    """
    step = facts.steps[place]
    following = facts.steps[place + 1] if place + 1 < len(facts.steps) else None
    if step.finished is not None:
        has_ended = facts.finished is not None
        results = _row_results(facts, place, live)
        return _done(step, step.finished, following, results, has_ended=has_ended)
    if step is not facts.live_step:
        return _cut(step)
    before = facts.replied_before(place)
    if live is not None and before is not None and facts.steps[before].results:
        streaming = replace(live.streaming, results=0)  # they stand in the row of their calls
        live = replace(live, streaming=streaming)
    return _live(step, live)


def approval_views(facts: TurnFacts) -> tuple[ApprovalView, ...]:
    """Return the calls that wait for a person, with their whole input."""
    waiting = facts.open_approvals
    total = len(waiting) + max((asked.behind for asked in waiting), default=0)
    return tuple(
        ApprovalView(
            call_id=asked.call_id,
            name=exact_line(asked.name),
            sentence=approval_sentence(asked.name, asked.why),
            fields=input_fields(asked.input),
            place=f"{place} of {total} waiting" if total > 1 else "",
        )
        for place, asked in enumerate(waiting, start=1)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _RowResults:
    """The tool results of a step's row."""

    tokens: int = 0
    is_estimated: bool = False
    """Whether what was measured is an estimate."""
    streaming: int = 0
    """Estimated tokens of results that no reply has measured yet."""
    reply: StepFinished | None = None
    """The reply that measured the results of the step's own calls."""
    note: str = ""


def _row_results(facts: TurnFacts, place: int, live: LiveState | None) -> _RowResults:
    step, before, after = (
        facts.steps[place],
        facts.replied_before(place),
        facts.replied_after(place),
    )
    own, later = step.finished, None if after is None else facts.steps[after].finished
    replies = []
    if own is not None and (before is None or not facts.steps[before].results):
        replies.append(own)
    if not step.results:
        later = None
    if later is not None:
        replies.append(later)
    is_open = bool(step.results) and after is None
    return _RowResults(
        tokens=sum(reply.tool_result_tokens for reply in replies),
        is_estimated=any(reply.tool_result_tokens_estimated for reply in replies),
        streaming=live.streaming.results if live and is_open else 0,
        reply=later,
        note="not sent" if is_open and facts.finished is not None else "",
    )


def _done(
    step: StepFacts,
    reply: StepFinished,
    following: StepFacts | None,
    results: _RowResults,
    *,
    has_ended: bool,
) -> StepView:
    is_last = following is None
    output = reply.budget_tokens - reply.tool_result_tokens
    counted = output + results.tokens + results.streaming
    calls = [(str(b.get("name", "")), b.get("input")) for b in step.content if is_call(b)]
    words = _words(step, reply, is_last=is_last and has_ended)
    parts = title_parts(calls) or (TitlePart(detail=words),)
    marks = _marks(step, reply, is_running=is_last and not has_ended)
    return StepView(
        number=step.number,
        state="done",
        parts=parts,
        marks=marks,
        tokens=Kinds(
            thinking=reply.usage.thinking_tokens,
            calls=reply.call_tokens,
            results=results.tokens,
            text=reply.text_tokens,
        ),
        streaming=Kinds(results=results.streaming),
        counted=marked(exact(counted), estimated=results.streaming > 0),
        counted_tokens=counted,
        cost=marked(dollars(reply.cost_usd, STEP_PLACES), estimated=reply.cost_estimated),
        cost_usd=reply.cost_usd,
        time=step_time(reply.elapsed_s),
        blocks=block_views(step, results.reply),
        why=why_text(reply, counted, _results_text(results)),
        notable=any(mark.kind in {"error", "approved", "denied"} for mark in marks),
    )


def _results_text(results: _RowResults) -> str:
    is_estimated = results.is_estimated or results.streaming > 0
    tokens = marked(exact(results.tokens + results.streaming), estimated=is_estimated)
    return listed(tokens if results.tokens or not results.note else "", results.note)


def _live(step: StepFacts, live: LiveState | None) -> StepView:
    doing = one_line(live.doing, _MARK_CHARS) if live else "working"
    why = one_line(step.retry.why, 120) if step.retry and doing == "retrying" else ""
    streaming = live.streaming if live else Kinds()
    counted, mark = kinds_sum(streaming), live_mark(streaming)
    state = MarkView(kind="streaming", text="streaming" if live and live.has_begun else "sent")
    if doing == "waiting for approval":
        state = MarkView(kind="waiting", text="waiting for you")
    return StepView(
        number=step.number,
        state="live",
        parts=(TitlePart(detail=f"{doing}: {why}" if why else doing),),
        marks=_retried(step) if why else (*_retried(step), state),
        streaming=streaming,
        counted=f"{mark}{exact(counted)}" if counted else "",
        counted_tokens=counted,
        cost=_live_cost(live.estimated_usd if live else None, mark),
        time=step_time(live.step_elapsed_s) if live else "",
    )


def _live_cost(usd: Decimal | None, mark: str) -> str:
    """Return the dollars of a step that streams; `<` marks a small amount already."""
    if not usd:
        return ""
    shown = dollars(usd, STEP_PLACES)
    return shown if shown.startswith("<") else f"{mark}{shown}"


def _cut(step: StepFacts) -> StepView:
    last = step.failures[-1] if step.failures else None
    held = sum((failure.unconfirmed_usd for failure in step.failures), Decimal(0))
    why = one_line(last.why, 200) if last else ""
    was_stopped = why == _CUT
    streamed = next((f.streamed_text for f in reversed(step.failures) if f.streamed_text), "")
    return StepView(
        number=step.number,
        state="cut",
        parts=(TitlePart(detail="no reply"),),
        marks=(MarkView(kind="cut", text=_CUT), *_retried(step, fewer=int(was_stopped))),
        counted="0",
        counted_tokens=0,
        cost=("up to " if held else "") + dollars(held, STEP_PLACES),
        cost_usd=Decimal(0),
        blocks=cut_blocks(streamed),
        why="" if was_stopped else why,  # the mark says so
        notable=bool(streamed),
    )


def _words(step: StepFacts, reply: StepFinished, *, is_last: bool) -> str:
    if step.rewritten is not None:
        return "summary"
    if reply.stop_reason == "refusal":
        return "declined"
    if not any(block.get("type") == "text" for block in step.content):
        return "thinking only" if step.content else "empty reply"
    return "answer" if is_last or reply.stop_reason == "end_turn" else "text"


def _retried(step: StepFacts, *, fewer: int = 0) -> tuple[MarkView, ...]:
    """Return the number of failed tries; one that a person cut off is not among them."""
    times = len(step.failures) - fewer
    if times <= 0:
        return ()
    return (MarkView(kind="retried", text=plural(times, "failed try", "failed tries")),)


def _marks(step: StepFacts, reply: StepFinished, *, is_running: bool) -> tuple[MarkView, ...]:
    marks: list[MarkView] = _running(step) if is_running else []
    denied = set()
    for given in step.given.values():
        if given.decision == "denied":
            denied.add(given.call_id)
            reason = f": {one_line(given.reason, _MARK_CHARS)}" if given.reason else ""
            marks.append(MarkView(kind="denied", text=f"denied{reason}"))
        elif given.by != "policy":
            task = " for this task" if given.decision == "task" else ""
            marks.append(MarkView(kind="approved", text=f"approved{task}", glyph="✓"))
    for result in step.results.values():
        if result.ran and result.is_error:
            marks.append(MarkView(kind="error", text="error", glyph="✕"))
        elif not result.ran and result.call_id not in denied:
            marks.append(MarkView(kind="not_run", text=_not_run(result)))
    if reply.stop_reason == "max_tokens":
        marks.append(MarkView(kind="cut", text=_CUT))
    if step.started is not None and step.started.last_answer:
        marks.append(MarkView(kind="last_answer", text="last answer"))
    if step.rewritten is not None:
        gone = plural(step.rewritten.removed_messages, "message")
        marks.append(MarkView(kind="summary", text=f"replaces {gone}"))
    return (*dict.fromkeys(marks), *_retried(step))


def _running(step: StepFacts) -> list[MarkView]:
    """Return a mark of the calls that run now, by name if the step called different tools."""
    run = [started.name for call_id, started in step.begun.items() if call_id not in step.results]
    called = {block.get("name") for block in step.content if is_call(block)}
    names = "" if len(called) == 1 else ", ".join(dict.fromkeys(run))
    text = one_line(f"running {names}", _MARK_CHARS)
    return [MarkView(kind="running", text=text)] if run else []


def _not_run(result: ToolFinished) -> str:
    said = one_line(result.shown.removeprefix("Error: "), _MARK_CHARS)
    return said.rstrip(".") if said.lower().startswith("not run") else "not run"

"""Compute the view of a turn from the fold of its records."""

from __future__ import annotations

from typing import Final

from budget_magic.errors import join_clauses
from budget_magic.events import CUT_OFF_MARK, Suggestion
from budget_magic.models import find_model
from budget_magic.report import labels
from budget_magic.report.bill import meters_view
from budget_magic.report.ceilings import ceiling_views
from budget_magic.report.gauges import gauge_view, input_view, pace_view
from budget_magic.report.steps import approval_views, step_view
from budget_magic.report.text import clean_text, one_line
from budget_magic.report.turn_facts import TurnFacts
from budget_magic.report.turn_fold import TurnFold
from budget_magic.report.view_models import LiveState, TurnView

NOTE_CHARS: Final = 600


def view_turn(
    fold: TurnFold, live: LiveState | None = None, *, save_transcript: bool = True
) -> TurnView:
    """Return the last turn of a fold as a reader sees it.

    `live` is the state of the stream; None shows only what was recorded. Without `save_transcript`,
    saved output keeps only figures, prompt and answer.
    """
    task, facts, reading = one_line(fold.task, 80), fold.facts, fold.reading
    if facts.finished is not None:
        live = None
    settings = facts.settings
    model = one_line(settings.model, 80) if settings else ""
    effort = one_line(settings.effort, 20) if settings else ""
    row = find_model(model)
    gauge = gauge_view(reading, live)
    ceilings = ceiling_views(facts, reading, live)
    verdict = labels.verdict_view(facts, fold.word)
    answer, is_cut_off = _answer(facts)
    notes = [join_clauses(note.text, map(fold.word, note.suggestions)) for note in facts.notes]
    running = labels.unfinished_text(facts) if live is None else ""
    notes = [labels.unattended_text(facts), running, *notes, labels.tasks_text(reading)]
    rest = range(len(fold.settled), len(facts.steps))
    return TurnView(
        task=task,
        turn=reading.turn,
        model=model,
        effort=f"effort {effort}" if effort and (row is None or row.effort_levels) else "",
        state=labels.state_view(facts, live),
        now=labels.now(facts, reading, live),
        verdict=verdict,
        simulated=labels.simulated_text(facts),
        notes=tuple(one_line(note, NOTE_CHARS) for note in notes if note),
        gauge=gauge,
        pace=pace_view(facts, reading, gauge),
        ceilings=ceilings,
        input=input_view(reading.total),
        meters=meters_view(fold.bill, settings, reading),
        prompt=clean_text(facts.prompt).strip(),
        answer=answer,
        answer_cut_off=is_cut_off,
        steps=fold.settled + tuple(step_view(facts, place, live) for place in rest),
        steps_text=labels.steps_text(reading),
        scope=labels.scope_text(facts),
        approvals=approval_views(facts),
        unconfirmed=labels.unconfirmed_text(fold.task, facts, reading, verdict, fold.word),
        transcript=fold.word(Suggestion(action="transcript", task=task)),
        save_transcript=save_transcript,
    )


def _answer(facts: TurnFacts) -> tuple[str, bool]:
    """Return the answer of a turn that ended, and whether its last reply was cut off."""
    text = clean_text(facts.finished.text) if facts.finished else ""
    last = facts.steps[-1] if facts.steps else None
    if last is None or last.finished is not None or not any(f.streamed_text for f in last.failures):
        return text, False
    whole = text.removesuffix(CUT_OFF_MARK)
    return whole.rstrip("\n"), whole != text

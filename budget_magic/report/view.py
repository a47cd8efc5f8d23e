"""WHAT THE READER SEES: a pure function from records to everything that is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from budget_magic.errors import join_clauses
from budget_magic.events import Record, Suggestion, Word
from budget_magic.meter import Reading
from budget_magic.models import PriceTable, find_model
from budget_magic.report.bill import meters_view
from budget_magic.report.ceilings import ceiling_views
from budget_magic.report.gauges import gauge_view, input_view, pace_view
from budget_magic.report.labels import (
    now,
    scope_text,
    state_view,
    steps_text,
    tag_views,
    tasks_text,
    unconfirmed_text,
    verdict_view,
)
from budget_magic.report.steps import approval_views, step_views, turn_text
from budget_magic.report.text import one_line
from budget_magic.report.turn_facts import turn_facts
from budget_magic.report.view_models import LiveBlock, LiveState, TurnView

__all__ = ["LiveBlock", "LiveState", "TurnView", "view_turn"]

PREVIEW_LINES: Final = 8
"""Lines of a result that the panel shows before it is opened."""
PREVIEW_CHARS: Final = 2_000
THINKING_LINES: Final = 12
NOTE_CHARS: Final = 600


def view_turn(  # noqa: PLR0913 - the last four are rarely given
    task: str,
    records: Sequence[Record],
    reading: Reading,
    *,
    live: LiveState | None = None,
    save_transcript: bool = True,
    prices: Mapping[str, PriceTable] | None = None,
    word: Word = str,
) -> TurnView:
    """Everything that a reader of the turn `reading.turn` is shown.

    Parameters
    ----------
    task
        Name of the task.
    records
        The turn's records so far; those of other turns may be among them, and with all of the
        task's the bill is that of the whole task.
    reading
        The task's meter after them.
    live
        What streams right now; None between deltas and after the turn.
    save_transcript
        False where saved output keeps only figures and answer.
    prices
        Prices that the user gave, by model id, for the lines of the bill.
    word
        Words what the user can do; by default as plain Python does.
    """
    facts = turn_facts(records, reading.turn)
    if facts.finished is not None:
        live = None
    settings = facts.settings
    model = one_line(settings.model, 80) if settings else ""
    effort = one_line(settings.effort, 20) if settings else ""
    row = find_model(model)
    gauge = gauge_view(reading, live)
    notes = (join_clauses(note.text, map(word, note.suggestions)) for note in facts.notes)
    ceilings = ceiling_views(facts, reading, live)
    verdict = verdict_view(facts, word)
    return TurnView(
        task=one_line(task, 80),
        turn=reading.turn,
        heading=f"{one_line(task, 80)} turn {reading.turn}",
        model=model,
        effort=effort,
        effort_text=f"effort {effort}" if effort and (row is None or row.effort_levels) else "",
        state=state_view(facts, live),
        reason=facts.finished.reason if facts.finished else "",
        now=now(facts, reading, live, ceilings),
        verdict=verdict,
        tags=tag_views(facts),
        notes=tuple(one_line(note, NOTE_CHARS) for note in (*notes, tasks_text(reading)) if note),
        gauge=gauge,
        pace=pace_view(facts, reading, gauge),
        ceilings=ceilings,
        input=input_view(reading.total),
        meters=meters_view(records, facts, reading, prices or {}),
        answer=turn_text(facts),
        steps=step_views(facts, live),
        scope=scope_text(facts),
        steps_text=steps_text(reading),
        approvals=approval_views(facts),
        unconfirmed=unconfirmed_text(task, facts, reading, verdict, word),
        transcript=word(Suggestion(action="transcript", task=one_line(task, 80))),
        save_transcript=save_transcript,
    )

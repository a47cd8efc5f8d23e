"""The facts of one turn, sorted by step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from budget_magic.events import (
    ApprovalAsked,
    ApprovalGiven,
    AttemptFailed,
    Fact,
    HeldReleased,
    HistoryRewritten,
    NoticePosted,
    Record,
    RetryScheduled,
    SettingsChanged,
    StepFinished,
    StepStarted,
    TasksRun,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    TurnSettings,
    TurnStarted,
    WaitFinished,
    WaitStarted,
)


@dataclass(slots=True, kw_only=True)
class StepFacts:
    """What happened in one step."""

    number: int
    started: StepStarted | None = None
    finished: StepFinished | None = None
    failures: list[AttemptFailed] = field(default_factory=list)
    retry: RetryScheduled | None = None
    """The last pause before another try."""
    asked: dict[str, ApprovalAsked] = field(default_factory=dict)
    given: dict[str, ApprovalGiven] = field(default_factory=dict)
    begun: dict[str, ToolStarted] = field(default_factory=dict)
    results: dict[str, ToolFinished] = field(default_factory=dict)
    rewritten: HistoryRewritten | None = None
    """Where its reply took the place of the history."""


@dataclass(slots=True, kw_only=True)
class TurnFacts:
    """What happened in one turn, so far or to its end."""

    settings: TurnSettings | None = None
    """Those in force; those of the end once it ended."""
    finished: TurnFinished | None = None
    """None while the turn runs, also after it was resumed."""
    inserted: list[str] = field(default_factory=list)
    """Expressions whose values were put into the prompt."""
    notes: list[NoticePosted] = field(default_factory=list)
    steps: list[StepFacts] = field(default_factory=list)
    waiting_for_room: WaitStarted | None = None
    released: list[HeldReleased] = field(default_factory=list)

    @property
    def live_step(self) -> StepFacts | None:
        """The step whose request is under way."""
        last = self.steps[-1] if self.steps and self.finished is None else None
        return last if last is not None and last.finished is None else None

    @property
    def open_approvals(self) -> list[ApprovalAsked]:
        """Calls that wait for a person, first asked first."""
        if self.finished is not None:
            return []
        return [
            asked
            for step in self.steps
            for call_id, asked in step.asked.items()
            if call_id not in step.given and call_id not in step.results
        ]


def turn_facts(records: Sequence[Record], turn: int) -> TurnFacts:
    """Return the facts of turn `turn` among `records`, which may hold other turns too."""
    facts = TurnFacts()
    for fact in (record.fact for record in records):
        if fact.turn == turn:
            _take(facts, fact)
    return facts


def finished_steps(records: Iterable[Record], turn: int | None = None) -> list[StepFinished]:
    """Return the completed replies of one turn, or of all."""
    found = (record.fact for record in records)
    return [
        fact
        for fact in found
        if isinstance(fact, StepFinished) and (turn is None or fact.turn == turn)
    ]


def _take(facts: TurnFacts, fact: Fact) -> None:  # noqa: C901 - one case per kind of fact
    match fact:
        case TurnStarted():
            facts.settings, facts.finished = fact.settings, None
            facts.inserted = list(fact.inserted)
        case SettingsChanged():
            if facts.finished is None:
                facts.settings = fact.settings
        case TurnFinished():
            facts.finished, facts.waiting_for_room = fact, None
        case NoticePosted():
            facts.notes.append(fact)
        case WaitStarted():
            facts.waiting_for_room = fact
        case WaitFinished():
            facts.waiting_for_room = None
        case HeldReleased():
            facts.released.append(fact)
        case TasksRun():
            pass  # the meter counts it
        case StepStarted():
            facts.steps.append(StepFacts(number=fact.step, started=fact))
        case _:
            _take_in_step(_step(facts, fact.step), fact)


def _step(facts: TurnFacts, number: int) -> StepFacts:
    for step in reversed(facts.steps):
        if step.number == number:
            return step
    facts.steps.append(StepFacts(number=number))
    return facts.steps[-1]


def _take_in_step(step: StepFacts, fact: Fact) -> None:
    match fact:
        case StepFinished():
            step.finished, step.retry = fact, None
        case AttemptFailed():
            step.failures.append(fact)
        case RetryScheduled():
            step.retry = fact
        case ApprovalAsked():
            step.asked[fact.call_id] = fact
        case ApprovalGiven():
            step.given[fact.call_id] = fact
        case ToolStarted():
            step.begun[fact.call_id] = fact
        case ToolFinished():
            step.results[fact.call_id] = fact
        case HistoryRewritten():
            step.rewritten = fact
        case _:
            pass

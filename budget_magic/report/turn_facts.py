"""The facts of one turn, sorted by step: frozen values that grow by one fact at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from budget_magic.events import (
    ApprovalAsked,
    ApprovalGiven,
    AttemptFailed,
    EffortChanged,
    Fact,
    HeldReleased,
    HistoryRewritten,
    MessageAppended,
    MessagesWithdrawn,
    NoticePosted,
    RetryScheduled,
    SettingsChanged,
    StepFinished,
    StepStarted,
    TasksRun,
    ToolFinished,
    ToolsOffered,
    ToolStarted,
    TurnFinished,
    TurnSettings,
    TurnStarted,
    WaitFinished,
    WaitStarted,
)

_OfStep = (
    MessageAppended
    | StepFinished
    | AttemptFailed
    | RetryScheduled
    | ApprovalGiven
    | ToolStarted
    | ToolFinished
    | HistoryRewritten
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFacts:
    """What happened in one step."""

    number: int
    started: StepStarted | None = None
    content: Sequence[Mapping[str, Any]] = ()
    """The reply's blocks, secrets replaced."""
    finished: StepFinished | None = None
    failures: tuple[AttemptFailed, ...] = ()
    retry: RetryScheduled | None = None
    """The last pause before another try."""
    given: Mapping[str, ApprovalGiven] = field(default_factory=dict)
    """By id of the call; `begun` and `results` likewise."""
    begun: Mapping[str, ToolStarted] = field(default_factory=dict)
    results: Mapping[str, ToolFinished] = field(default_factory=dict)
    rewritten: HistoryRewritten | None = None
    """Set where its reply replaced the history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFacts:
    """What happened in one turn, so far or to its end."""

    settings: TurnSettings | None = None
    """Those in force; those of the end once it ended."""
    finished: TurnFinished | None = None
    """None while the turn runs, also after it was resumed."""
    inserted: tuple[str, ...] = ()
    """Expressions whose values were put into the prompt."""
    notes: tuple[NoticePosted, ...] = ()
    steps: tuple[StepFacts, ...] = ()
    """A step that was cut off and sent again after a resume stands here twice."""
    left: tuple[int, ...] = ()
    """Left of the budget before the first reply and after each one; empty without a budget."""
    replied_s: float = 0.0
    """Duration of the finished steps."""
    waiting: Mapping[str, ApprovalAsked] = field(default_factory=dict)
    """Calls without an answer, by id, first asked first."""
    waiting_for_room: WaitStarted | None = None
    released: tuple[HeldReleased, ...] = ()

    @property
    def live_step(self) -> StepFacts | None:
        """The step whose request is under way."""
        last = self.steps[-1] if self.steps and self.finished is None else None
        return last if last is not None and last.finished is None else None

    @property
    def open_approvals(self) -> list[ApprovalAsked]:
        """Calls that wait for a person, first asked first."""
        return [] if self.finished is not None else list(self.waiting.values())

    def place(self, step: int) -> int:
        """Return the place in `steps` of the last step with this number; the end without one."""
        for place in range(len(self.steps) - 1, -1, -1):
            if self.steps[place].number == step:
                return place
        return len(self.steps)


def add_fact(facts: TurnFacts, fact: Fact) -> TurnFacts:  # noqa: C901 - one case per kind of fact
    """Return the facts of a turn after one more fact of that turn."""
    match fact:
        case TurnStarted():
            facts = replace(facts, settings=fact.settings, finished=None, inserted=fact.inserted)
        case SettingsChanged():
            facts = facts if facts.finished else replace(facts, settings=fact.settings)
        case TurnFinished():
            facts = replace(facts, finished=fact, waiting_for_room=None)
        case NoticePosted():
            facts = replace(facts, notes=(*facts.notes, fact))
        case WaitStarted():
            facts = replace(facts, waiting_for_room=fact)
        case WaitFinished():
            facts = replace(facts, waiting_for_room=None)
        case HeldReleased():
            facts = replace(facts, released=(*facts.released, fact))
        case TasksRun() | ToolsOffered() | EffortChanged() | MessagesWithdrawn():
            pass
        case MessageAppended() if fact.message["role"] != "assistant":
            pass
        case StepStarted():
            started = StepFacts(number=fact.step, started=fact)
            facts = replace(facts, steps=(*facts.steps, started))
        case ApprovalAsked():
            facts = replace(facts, waiting={**facts.waiting, fact.call_id: fact})
        case _:
            facts = _add_in_step(facts, fact)
    return facts


def _add_in_step(facts: TurnFacts, fact: _OfStep) -> TurnFacts:
    place = facts.place(fact.step)
    step = facts.steps[place] if place < len(facts.steps) else StepFacts(number=fact.step)
    steps = (*facts.steps[:place], _add_to_step(step, fact), *facts.steps[place + 1 :])
    match fact:
        case StepFinished():
            left = facts.left
            if fact.remaining is not None:
                left = (*(left or (fact.remaining + fact.budget_tokens,)), fact.remaining)
            replied_s = facts.replied_s + fact.elapsed_s
            return replace(facts, steps=steps, left=left, replied_s=replied_s)
        case ApprovalGiven() | ToolFinished():
            waiting = {key: asked for key, asked in facts.waiting.items() if key != fact.call_id}
            return replace(facts, steps=steps, waiting=waiting)
        case _:
            return replace(facts, steps=steps)


def _add_to_step(step: StepFacts, fact: _OfStep) -> StepFacts:
    match fact:
        case MessageAppended():
            step = replace(step, content=fact.message["content"])
        case StepFinished():
            step = replace(step, finished=fact, retry=None)
        case AttemptFailed():
            step = replace(step, failures=(*step.failures, fact))
        case RetryScheduled():
            step = replace(step, retry=fact)
        case ApprovalGiven():
            step = replace(step, given={**step.given, fact.call_id: fact})
        case ToolStarted():
            step = replace(step, begun={**step.begun, fact.call_id: fact})
        case ToolFinished():
            step = replace(step, results={**step.results, fact.call_id: fact})
        case HistoryRewritten():
            step = replace(step, rewritten=fact)
    return step

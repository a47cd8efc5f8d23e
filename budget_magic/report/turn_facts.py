"""The facts of one turn, sorted by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from budget_magic import events

_OfStep = (
    events.MessageAppended
    | events.StepFinished
    | events.AttemptFailed
    | events.RetryScheduled
    | events.ApprovalGiven
    | events.ToolStarted
    | events.ToolFinished
    | events.HistoryRewritten
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFacts:
    """What happened in one step."""

    number: int
    started: events.StepStarted | None = None
    content: Sequence[Mapping[str, Any]] = ()
    """The reply's blocks."""
    finished: events.StepFinished | None = None
    failures: tuple[events.AttemptFailed, ...] = ()
    retry: events.RetryScheduled | None = None
    """The last pause before another try."""
    given: Mapping[str, events.ApprovalGiven] = field(default_factory=dict)
    """By id of the call; `begun` and `results` likewise."""
    begun: Mapping[str, events.ToolStarted] = field(default_factory=dict)
    results: Mapping[str, events.ToolFinished] = field(default_factory=dict)
    rewritten: events.HistoryRewritten | None = None
    """Set if its reply replaced the history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFacts:
    """What happened in one turn so far."""

    settings: events.TurnSettings | None = None
    """Those in force, or at the end."""
    prompt: str = ""
    """As it was typed."""
    finished: events.TurnFinished | None = None
    """None while the turn runs, also after a resume."""
    inserted: tuple[str, ...] = ()
    """Expressions whose values were inserted into the prompt."""
    notes: tuple[events.NoticePosted, ...] = ()
    steps: tuple[StepFacts, ...] = ()
    """A step that was cut off and sent again after a resume appears twice."""
    left: tuple[int, ...] = ()
    """Budget tokens left before the first reply and after each one; empty without a budget."""
    waiting: Mapping[str, events.ApprovalAsked] = field(default_factory=dict)
    """Calls that no one has answered yet, by id, oldest first."""
    waiting_for_room: events.WaitStarted | None = None
    released: tuple[events.HeldReleased, ...] = ()

    @property
    def live_step(self) -> StepFacts | None:
        """The step whose request is under way."""
        last = self.steps[-1] if self.steps and self.finished is None else None
        return last if last is not None and last.finished is None else None

    @property
    def open_approvals(self) -> list[events.ApprovalAsked]:
        """Calls that wait for a person, oldest first."""
        return [] if self.finished is not None else list(self.waiting.values())

    def replied_before(self, place: int) -> int | None:
        """Return the index in `steps` of the last finished step before `place`; None without."""
        last_first = range(min(place, len(self.steps)) - 1, -1, -1)
        return next((at for at in last_first if self.steps[at].finished is not None), None)

    def replied_after(self, place: int) -> int | None:
        """Return the index in `steps` of the first finished step after `place`; None without."""
        later = range(place + 1, len(self.steps))
        return next((at for at in later if self.steps[at].finished is not None), None)

    def place(self, step: int) -> int:
        """Return the index in `steps` of the last step with this number; the end without one."""
        last_first = range(len(self.steps) - 1, -1, -1)
        found = (place for place in last_first if self.steps[place].number == step)
        return next(found, len(self.steps))


def add_fact(facts: TurnFacts, fact: events.Fact) -> TurnFacts:  # noqa: C901, PLR0911, PLR0912 - one case per kind of fact
    """Return the facts of a turn after one more fact of that turn."""
    match fact:
        case events.TurnStarted():
            return replace(
                facts,
                settings=fact.settings,
                finished=None,
                inserted=fact.inserted,
                prompt=fact.prompt_typed or fact.prompt_sent or facts.prompt,
            )
        case events.SettingsChanged():
            return facts if facts.finished else replace(facts, settings=fact.settings)
        case events.TurnFinished():
            return replace(facts, finished=fact, waiting_for_room=None)
        case events.NoticePosted():
            return replace(facts, notes=(*facts.notes, fact))
        case events.WaitStarted():
            return replace(facts, waiting_for_room=fact)
        case events.WaitFinished():
            return replace(facts, waiting_for_room=None)
        case events.HeldReleased():
            return replace(facts, released=(*facts.released, fact))
        case events.StepStarted():
            return replace(facts, steps=(*facts.steps, StepFacts(number=fact.step, started=fact)))
        case events.ApprovalAsked():
            return replace(facts, waiting={**facts.waiting, fact.call_id: fact})
        case events.ApprovalGiven() | events.ToolFinished():
            waiting = {key: asked for key, asked in facts.waiting.items() if key != fact.call_id}
            return replace(facts, steps=_add_in_step(facts, fact), waiting=waiting)
        case events.StepFinished():
            left = facts.left
            if fact.remaining is not None:
                left = (*(left or (fact.remaining + fact.budget_tokens,)), fact.remaining)
            return replace(facts, steps=_add_in_step(facts, fact), left=left)
        case events.MessageAppended() if fact.message["role"] != "assistant":
            return facts
        case (
            events.TasksRun()
            | events.ToolsOffered()
            | events.EffortChanged()
            | events.MessagesWithdrawn()
        ):
            return facts
        case _:
            return replace(facts, steps=_add_in_step(facts, fact))


def _add_in_step(facts: TurnFacts, fact: _OfStep) -> tuple[StepFacts, ...]:
    place = facts.place(fact.step)
    step = facts.steps[place] if place < len(facts.steps) else StepFacts(number=fact.step)
    match fact:
        case events.MessageAppended():
            step = replace(step, content=fact.message["content"])
        case events.StepFinished():
            step = replace(step, finished=fact, retry=None)
        case events.AttemptFailed():
            step = replace(step, failures=(*step.failures, fact))
        case events.RetryScheduled():
            step = replace(step, retry=fact)
        case events.ApprovalGiven():
            step = replace(step, given={**step.given, fact.call_id: fact})
        case events.ToolStarted():
            step = replace(step, begun={**step.begun, fact.call_id: fact})
        case events.ToolFinished():
            step = replace(step, results={**step.results, fact.call_id: fact})
        case events.HistoryRewritten():
            step = replace(step, rewritten=fact)
    return (*facts.steps[:place], step, *facts.steps[place + 1 :])

"""The estimate while a reply streams, beside the exact count at its end."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest

from budget_magic import Task
from budget_magic.events import Delta, Live, Record, StepFinished
from budget_magic.report import LiveState
from budget_magic.report.live_turn import LiveTurn
from budget_magic.simulator import Reply, Simulator
from budget_magic.simulator.scenes import SceneLike
from budget_magic.simulator.tokens import count_text
from tests.loop.running import lookup, note, task_on

CODE = Path(__file__).parents[2] / "budget_magic"
SAMPLE = Path(__file__).parents[2] / "notebooks" / "sample"
THOUGHT = (
    "I go through the functions one after the other, and look at what each of them does where the"
    " list is empty, where a number is negative, and where a name is given twice. "
) * 12
MOST = 0.10
"""Largest median error of text and calls, as a share of the exact count."""


class Beside:
    """A sink that keeps, of each step, what was shown last and what it really was."""

    def __init__(self, task: Task) -> None:
        self.turn = LiveTurn(task.fold, task.ratios)
        self.steps: list[tuple[LiveState, StepFinished]] = []
        self._last = self.turn.look().live

    def record(self, record: Record) -> None:
        """Keep a finished step beside what was shown of it."""
        if isinstance(record.fact, StepFinished):
            self.steps.append((self._last, record.fact))
        self.turn.record(record)

    def live(self, event: Live) -> None:
        """Look at what is shown now."""
        self.turn.live(event)
        if isinstance(event, Delta):
            self._last = self.turn.look().live


def watched(scene: SceneLike, folder: Path = SAMPLE) -> list[tuple[LiveState, StepFinished]]:
    """All steps of a turn on a scene."""
    task = task_on(Simulator(scene), tools=["files", lookup, note], root=folder, budget=500_000)
    beside = Beside(task)
    prompt = "Audit this folder and say what to mend first."
    task.start(prompt, sinks=[beside])
    task.wait()
    return beside.steps


def spoken(shown: LiveState) -> int:
    """Text and calls as estimated."""
    return shown.streaming.text + shown.streaming.calls


def errors(steps: list[tuple[LiveState, StepFinished]]) -> list[float]:
    """How far off each step's estimate was, as a share of the exact count."""
    exact = [fact.usage.output_tokens - fact.usage.thinking_tokens for _, fact in steps]
    return [
        abs(spoken(shown) - count) / count
        for (shown, _), count in zip(steps, exact, strict=True)
        if count
    ]


@pytest.mark.parametrize(
    ("scene", "folder"),
    [("audit", SAMPLE), ("audit", CODE), ("long_audit", CODE), ("runaway", CODE)],
    ids=["audit of the sample", "audit of our code", "long audit", "runaway"],
)
def test_text_and_calls_are_estimated_within_a_tenth(scene: str, folder: Path) -> None:
    steps = watched(scene, folder)
    assert len(steps) >= 3
    assert median(errors(steps)) <= MOST


@pytest.mark.parametrize("share", [1, 3, 8])
def test_thinking_is_never_shown_as_more_than_it_was(share: int) -> None:
    # Summaries are between all of the thinking and an eighth of it.
    tokens = count_text(THOUGHT) * share
    thinking = Reply(thinking=THOUGHT, thinking_tokens=tokens, text="Done.")
    steps = watched([thinking]) + watched("audit", CODE)
    thought = [
        (shown.streaming.thinking, fact) for shown, fact in steps if fact.usage.thinking_tokens
    ]
    assert thought
    assert all(least <= fact.usage.thinking_tokens for least, fact in thought)

"""The fold of records one by one, beside one that renders every step anew."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import reduce
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from budget_magic.events import (
    ApprovalAsked,
    ApprovalGiven,
    AttemptFailed,
    Fact,
    HeldReleased,
    HistoryRewritten,
    NoticePosted,
    RetryScheduled,
    SettingsChanged,
    TasksRun,
    ToolStarted,
    WaitFinished,
    WaitStarted,
)
from budget_magic.report.turn_fold import TurnFold, advance
from budget_magic.report.view import view_turn
from tests.report.records import SETTINGS, Story, audit, call, port, said, thought

USD = Decimal("0.01")


class Told:
    """A story in which anything may follow anything, earlier steps and turns among it."""

    def __init__(self) -> None:
        self.story = Story().start()

    def happen(self, what: str, back: int, number: int) -> None:
        """One more thing: `back` steps or turns ago where that makes sense, of call `number`."""
        story, call_id = self.story, f"c{number}"
        step = max(1, story.step - back)
        place: dict[str, Any] = {"turn": story.turn, "step": step}
        named: dict[str, Any] = {**place, "call_id": call_id, "name": f"tool{number}"}
        one: dict[str, Fact] = {
            "fail": AttemptFailed(**place, attempt=1, why=["cut off", "reset"][number % 2]),
            "retry": RetryScheduled(**place, attempt=2, attempts=4, wait_s=1, why="busy"),
            "ask": ApprovalAsked(**named, input={}, why="It asks."),
            "once": ApprovalGiven(**named, decision="once", by="person"),
            "deny": ApprovalGiven(**named, decision="denied", by="person"),
            "begin": ToolStarted(**named, input={}),
            "rewrite": HistoryRewritten(**place, removed_messages=number, remaining=None),
            "wait": WaitStarted(**place, account="the session"),
            "go": WaitFinished(**place, waited_s=1),
            "tasks": TasksRun(**place, cost_usd=USD, tokens=5),
            "note": NoticePosted(turn=story.turn, text="a note"),
            "change": SettingsChanged(turn=story.turn, settings=replace(SETTINGS, budget=90_000)),
            "release": HeldReleased(turn=max(1, story.turn - back), requests=1, kept_usd=USD),
        }
        content = [thought("So."), call(call_id, f"tool{number}"), said("Now.")][number % 3 :]
        match what:
            case "start":
                story.start(resumed=number % 2 == 0)
            case "step":
                story.ask()
            case "reply":
                story.reply(content, calls=9, text=number, results=number, written=50)
            case "tool":
                story.tool(call_id, f"tool{number}", "x\n" * number, is_error=number % 2 == 1)
            case "end":
                story.end(["completed", "interrupted"][number % 2])  # type: ignore[arg-type]  # a list of literals
            case _:
                story.add(one[what])


KINDS = (
    "start", "step", "step", "step", "reply", "reply", "reply", "tool", "tool", "end", "fail",
    "retry", "ask", "once", "deny", "begin", "rewrite", "wait", "go", "tasks", "note", "change",
    "release",
)  # fmt: skip


@st.composite
def stories(draw: st.DrawFn) -> list[Fact]:
    """Facts of a task, most of them in an order in which the loop would tell them."""
    told = Told()
    happenings = st.tuples(st.sampled_from(KINDS), st.integers(0, 2), st.integers(0, 3))
    for what, back, number in draw(st.lists(happenings, max_size=30)):
        told.happen(what, back, number)
    return told.story.facts


def assert_nothing_is_stale(facts: list[Fact]) -> None:
    """After each fact the settled steps are what they would be if all were rendered now."""
    fold = TurnFold(task="audit")
    for place, fact in enumerate(facts, start=1):
        fold = advance(fold, fact)
        assert view_turn(fold) == view_turn(replace(fold, settled=()))
        steps = view_turn(fold).steps
        replies = [step.finished for step in fold.facts.steps if step.finished]
        assert sum(s.counted_tokens for s in steps) == sum(r.budget_tokens for r in replies)
        assert fold == reduce(advance, facts[:place], TurnFold(task="audit"))


@given(stories())
def test_folding_one_by_one_gives_the_view_from_zero(facts: list[Fact]) -> None:
    assert_nothing_is_stale(facts)


def test_the_designs_turns_are_the_same_folded_one_by_one() -> None:
    for story in (audit(), port()):
        assert_nothing_is_stale(story.facts)


def test_a_finished_step_is_rendered_once() -> None:
    story = port()
    before = story.fold()
    more = story.start(resumed=True).ask().reply([said("x")], text=3).facts[-3:]
    after = reduce(advance, more, before)
    assert len(before.settled) == 41
    assert all(old is new for old, new in zip(before.settled, after.settled, strict=False))
    assert [step.number for step in view_turn(after).steps] == [*range(1, 44)]

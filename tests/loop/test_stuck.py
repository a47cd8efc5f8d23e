"""Stuck loops, and endings that look as if the budget had been too small."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget_magic import Task, tool
from budget_magic.loop.endings import BUDGET_TOO_SMALL, SHOWN_EXPLANATION
from budget_magic.loop.stuck import CompletedCall, is_stuck
from budget_magic.session import Outcome
from budget_magic.settings import StuckRule
from budget_magic.simulator import SCENES, Call, Reply, SceneContext, Simulator
from budget_magic.wire.sdk import simulated_client
from tests.loop.running import LOOK, lookup, note, results, steps, task_on


def looping(context: SceneContext) -> Reply:
    """A model that asks the same thing for ever."""
    return Reply(text=f"Again, {context.replies}.", calls=[LOOK])


TICKS = count()


@tool(reads=True)
def tick() -> str:
    """Say another number each time."""
    return str(next(TICKS))


def test_the_same_call_with_the_same_result_three_times_halts() -> None:
    simulator = Simulator(looping)
    task = Task("audit", tools=[lookup], client=simulated_client(simulator.transport()))

    outcome = task.run("Look.")

    assert (outcome.state, outcome.reason) == ("halted", "stuck_loop")
    assert len(simulator.requests) == 3
    assert outcome.detail == (
        'halted at step 3: lookup was called 3 times with {"word": "budget"} and the same result,'
        " within the last 9 calls; tell Claude in a new prompt what to do instead, or go on with"
        ' `tasks()["audit"].resume()`'
    )


def test_going_on_after_a_stuck_loop_starts_counting_anew() -> None:
    simulator = Simulator([*[Reply(calls=[LOOK])] * 5, Reply(text="Done.")])
    task = task_on(simulator, stuck_rule=StuckRule())
    assert task.run("Look.").reason == "stuck_loop"

    outcome = task.resume()

    assert (outcome.state, outcome.text, outcome.spend.steps) == ("completed", "Done.", 6)
    assert len(results(task)) == 5


def test_three_equal_calls_in_one_reply_count_like_three_in_a_row() -> None:
    task = task_on(Simulator([Reply(calls=[LOOK] * 3)]), stuck_rule=StuckRule())

    assert task.run("Look.").reason == "stuck_loop"


@pytest.mark.parametrize(
    "calls",
    [
        [Call("lookup", {"word": f"w{number}"}) for number in range(12)],
        [LOOK, LOOK, *[Call("lookup", {"word": f"w{number}"}) for number in range(8)], LOOK],
    ],
    ids=["other input", "too far apart"],
)
def test_calls_that_differ_or_lie_far_apart_are_no_loop(calls: list[Call]) -> None:
    script = [*[Reply(calls=[call]) for call in calls], Reply(text="Done.")]

    task = task_on(Simulator(script), stuck_rule=StuckRule())

    assert task.run("Look.").text == "Done."


def test_calls_with_other_results_are_no_loop() -> None:
    script = [*[Reply(calls=[Call("tick")])] * 6, Reply(text="Done.")]

    task = task_on(Simulator(script), tools=[tick], stuck_rule=StuckRule())

    assert task.run("Look.").text == "Done."


@pytest.mark.parametrize(("rule", "replies"), [(None, 20), (StuckRule(repeats=5), 5)])
def test_the_rule_can_be_tuned_and_be_off(rule: StuckRule | None, replies: int) -> None:
    simulator = Simulator([*[Reply(calls=[LOOK])] * 19, Reply(text="Done.")])
    task = task_on(simulator, stuck_rule=rule)

    task.run("Look.")

    assert len(simulator.requests) == replies


@given(st.lists(st.sampled_from("abc"), max_size=30), st.integers(2, 5), st.integers(2, 12))
def test_a_loop_is_stuck_exactly_when_its_newest_call_fills_the_window(
    names: list[str], repeats: int, among: int
) -> None:
    calls = [CompletedCall(name=name, input="{}", result="same") for name in names]

    expected = bool(names) and names[-among:].count(names[-1]) >= repeats

    assert is_stuck(calls, StuckRule(repeats=repeats, among=among)) is expected


def test_an_unexplained_refusal_gets_the_word(tmp_path: Path) -> None:
    task = task_on(
        Simulator("budget_too_small", seed=1), tools=["files"], root=tmp_path, budget=20_000
    )

    outcome = task.run("Audit this folder.")

    assert outcome.reason == "refusal"
    assert f"; {BUDGET_TOO_SMALL}" in outcome.detail


def test_the_report_of_a_completed_turn_says_that_the_budget_looks_too_small() -> None:
    task = task_on(Simulator([Reply(text="Short.", output_tokens=19_500)]), budget=20_000)
    task.run("Look.")

    for form in ("text/plain", "text/html", "text/markdown"):
        shown = " ".join(str(task.report()[form]).split())
        assert "The budget looks too small for this task" in shown


def test_a_short_answer_without_calls_is_no_sign_of_a_small_budget() -> None:
    outcome = task_on(Simulator([Reply(text="Paris.")])).run("What is the capital of France?")

    assert BUDGET_TOO_SMALL not in outcome.detail


@pytest.mark.parametrize("policy", ["none", "ask"])
@pytest.mark.parametrize("output_tokens", [500, 19_500])
def test_a_denied_call_is_no_sign_of_a_small_budget(policy: str, output_tokens: int) -> None:
    script = [
        Reply(calls=[Call("note", {"text": "a"})], output_tokens=output_tokens),
        Reply(text="Denied."),
    ]
    task = task_on(Simulator(script), tools=[note], approve=policy, budget=20_000)

    outcome = task.run("Note it.")

    assert (outcome.state, outcome.spend.tool_calls) == ("completed", 0)
    assert BUDGET_TOO_SMALL not in outcome.detail


def refused(category: str | None, explanation: str | None, output_tokens: int = 100) -> Outcome:
    """A turn that ends with a refusal."""
    reply = Reply(
        text="No.",
        stop_reason="refusal",
        refusal_category=category,
        refusal_explanation=explanation,
        output_tokens=output_tokens,
    )
    return task_on(Simulator([reply]), budget=20_000).run("Hi.")


def test_a_refusal_says_its_category_and_explanation() -> None:
    detail = refused("cyber", "It could enable\n cyber harm.").detail

    assert "Claude declined (category cyber): It could enable cyber harm; rephrase" in detail
    assert BUDGET_TOO_SMALL not in detail
    assert "Claude declined (category bio); rephrase" in refused("bio", None).detail
    assert "Claude declined: Not so; rephrase" in refused(None, "Not so.").detail
    assert "Claude declined; the budget" in refused(None, None).detail


def test_a_refusal_with_less_than_a_tenth_left_gets_the_word_whatever_the_api_says() -> None:
    assert BUDGET_TOO_SMALL in refused("cyber", "It could.", output_tokens=19_000).detail


def test_an_explanation_is_cleaned_and_shortened_after_secrets_are_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MY_API_KEY", "k-1234567890")
    text = "\x1b[31mred\x1b[0m " + "x" * (SHOWN_EXPLANATION - 10) + " k-1234567890 " + "y" * 900

    detail = refused("cyber", text).detail

    assert "red xxx" in detail
    assert "\x1b" not in detail
    assert "k-12" not in detail
    assert len(detail) < SHOWN_EXPLANATION + 200


@pytest.mark.parametrize("name", sorted(SCENES))
def test_no_shipped_scene_gets_the_word(name: str, tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("import os\n\npassword = 'hunter2-but-longer'\n")
    task = task_on(Simulator(name), tools=["files"], root=tmp_path)
    assert task.remaining == 64_000

    outcome = task.run("Audit this folder.")

    assert BUDGET_TOO_SMALL not in outcome.detail


def test_without_a_budget_or_without_tools_there_is_no_word() -> None:
    script = [Reply(text="Hello.")]

    assert BUDGET_TOO_SMALL not in task_on(Simulator(script), budget=None).run("Hi.").detail
    assert BUDGET_TOO_SMALL not in task_on(Simulator(script), tools="none").run("Hi.").detail


def test_an_end_with_less_than_a_tenth_left_gets_the_word() -> None:
    some = task_on(Simulator(steps(2, output_tokens=5_500)), budget=20_000).run("Look.")
    most = task_on(Simulator(steps(2, output_tokens=6_200)), name="b", budget=20_000).run("Look.")

    assert BUDGET_TOO_SMALL not in some.detail
    assert (most.state, most.reason) == ("completed", "end_turn")
    assert most.detail.endswith(BUDGET_TOO_SMALL)

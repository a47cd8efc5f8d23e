"""The last answer before a ceiling, and what becomes of calls, results and cut replies."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from budget_magic import Ceilings, Task
from budget_magic.events import AttemptFailed, ToolFinished, ToolStarted
from budget_magic.loop.admit import LAST_ANSWER
from budget_magic.loop.conversation import NOT_SHOWN
from budget_magic.meter.reserve import LAST_REPLY_TOKENS, MOST_STEP_REPLY_TOKENS
from budget_magic.simulator import Call, Reply, SceneContext, Simulator, drop
from tests.loop.running import (
    LOOK,
    facts,
    is_append_only,
    last_content,
    last_start,
    results,
    resumed,
    sent,
    steps,
    task_on,
)


def working(context: SceneContext) -> Reply:
    """A model that looks things up until it is asked for a final summary."""
    if LAST_ANSWER in context.asked:
        return Reply(text="All I know.", output_tokens=300)
    return Reply(
        text=f"Step {context.replies + 1}.",
        calls=[Call("lookup", {"word": f"word {context.replies}"}, 3_000)],
        output_tokens=1_500,
    )


def stubborn(context: SceneContext) -> Reply:
    """A model that calls a tool even in its last answer."""
    return Reply(
        text="" if LAST_ANSWER in context.asked else f"Step {context.replies + 1}.",
        calls=[Call("lookup", {"word": f"word {context.replies}"}, 3_000)],
        output_tokens=1_500,
    )


CEILINGS = {
    "cost_ceiling": Ceilings(cost_usd=Decimal("0.40")),
    "token_ceiling": Ceilings(total_tokens=40_000),
    "step_ceiling": Ceilings(steps=4),
}
KINDS = pytest.mark.parametrize("reason", sorted(CEILINGS))


def at_ceiling(reason: str, scene: Any = working, **options: Any) -> tuple[Simulator, Task]:
    """A simulator and a task that runs into one ceiling."""
    simulator = Simulator(scene)
    chosen = {"budget": None, "ceilings": CEILINGS[reason], **options}
    return simulator, task_on(simulator, **chosen)


@KINDS
def test_the_last_request_asks_for_a_summary_and_its_text_is_the_outcome(reason: str) -> None:
    simulator, task = at_ceiling(reason)

    outcome = task.run("Look.")

    assert (outcome.state, outcome.reason) == ("halted", reason)
    assert outcome.text == "All I know."
    assert last_content(simulator.requests[-1])[-1] == {"type": "text", "text": LAST_ANSWER}
    assert [LAST_ANSWER in str(request.body) for request in simulator.requests] == [
        *[False] * (len(simulator.requests) - 1),
        True,
    ]
    assert last_start(task).last_answer


@KINDS
def test_the_last_request_changes_neither_tools_nor_system_nor_what_was_said(reason: str) -> None:
    simulator, task = at_ceiling(reason)

    task.run("Look.")

    first, last = simulator.requests[0].body, simulator.requests[-1].body
    for key in ("tools", "system", "tool_choice", "thinking", "output_config"):
        assert first.get(key) == last.get(key)
    assert is_append_only(simulator.requests)


@KINDS
def test_the_last_request_carries_the_open_results(reason: str) -> None:
    simulator, task = at_ceiling(reason)

    task.run("Look.")

    blocks = last_content(simulator.requests[-1])
    assert [block["type"] for block in blocks] == ["tool_result", "text"]
    assert blocks[0]["content"] == results(task)[-1]


@KINDS
def test_calls_of_the_last_reply_are_answered_without_being_run(reason: str) -> None:
    _, task = at_ceiling(reason, stubborn)

    outcome = task.run("Look.")

    finished = facts(task, ToolFinished)
    assert finished[-1].ran is False
    assert finished[-1].is_error
    assert finished[-1].content == f"not run: the {reason.replace('_', ' ')} ended the turn"
    assert len(facts(task, ToolStarted)) == len(finished) - 1 == outcome.spend.tool_calls


@KINDS
def test_a_last_answer_without_text_leaves_the_text_of_the_turn_so_far(reason: str) -> None:
    _, task = at_ceiling(reason, stubborn)

    outcome = task.run("Look.")

    assert outcome.text.startswith("Step 1.\n\nStep 2.")


@KINDS
def test_without_wrap_up_no_last_answer_is_asked_for(reason: str) -> None:
    simulator, task = at_ceiling(reason, wrap_up=False)

    outcome = task.run("Look.")

    assert (outcome.state, outcome.reason) == ("halted", reason)
    assert not any(LAST_ANSWER in str(request.body) for request in simulator.requests)
    assert all(fact.ran for fact in facts(task, ToolFinished))


@KINDS
def test_a_raised_ceiling_goes_on_with_the_same_turn(reason: str) -> None:
    simulator, task = at_ceiling(reason)
    first = task.run("Look.")
    asked = len(simulator.requests)
    more = {
        "cost_ceiling": Ceilings(cost_usd=Decimal("0.60")),
        "token_ceiling": Ceilings(total_tokens=60_000),
        "step_ceiling": Ceilings(steps=7),
    }

    second = resumed(task, ceilings=more[reason])

    assert second.turn == first.turn == 1
    assert second.reason == reason
    assert second.spend.steps == len(simulator.requests) > asked
    assert second.spend == second.total
    assert second.total.cost_usd == simulator.bill.total_usd
    assert is_append_only(simulator.requests)


@pytest.mark.parametrize("reason", ["cost_ceiling", "token_ceiling", "step_ceiling"])
def test_going_on_after_a_halt_equals_a_run_that_was_never_halted(reason: str) -> None:
    small = {
        "cost_ceiling": Ceilings(cost_usd=Decimal("0.20")),
        "token_ceiling": Ceilings(total_tokens=20_000),
        "step_ceiling": Ceilings(steps=3),
    }[reason]
    script = steps(9, output_tokens=1_500, result_tokens=900)
    options: dict[str, Any] = {"wrap_up": False, "max_tokens": 2_000}
    whole, halted = Simulator(script), Simulator(script)
    uninterrupted = task_on(whole, **options).run("Look.")
    task = task_on(halted, ceilings=small, **options)

    before = task.run("Look.")
    after = resumed(task, ceilings=Ceilings())

    assert (before.state, before.reason) == ("halted", reason)
    assert (after.state, after.text) == ("completed", "Done.")
    assert [sent(one) for one in halted.requests] == [sent(one) for one in whole.requests]
    assert after.total.as_json() | {"elapsed_s": 0} == uninterrupted.total.as_json() | {
        "elapsed_s": 0
    }
    assert after.remaining == uninterrupted.remaining


def test_results_that_no_longer_fit_are_not_shown() -> None:
    def long_result(word: str) -> str:
        """Look up a word."""
        return f"{word} " * 8_000

    simulator = Simulator(working_with("long_result"))
    task = task_on(
        simulator,
        tools=[long_result],
        budget=None,
        max_tokens=2_000,
        ceilings=Ceilings(cost_usd=Decimal("0.085")),
    )

    outcome = task.run("Look.")

    blocks = last_content(simulator.requests[-1])
    assert (outcome.state, outcome.reason) == ("halted", "cost_ceiling")
    assert [block.get("content", block.get("text")) for block in blocks] == [NOT_SHOWN, LAST_ANSWER]
    assert outcome.text == "All I know."
    assert len(results(task)[0]) > len(NOT_SHOWN)


def working_with(name: str) -> Callable[[SceneContext], Reply]:
    """The working model, with another tool."""

    def reply(context: SceneContext) -> Reply:
        if LAST_ANSWER in context.asked:
            return Reply(text="All I know.", output_tokens=300)
        return Reply(calls=[Call(name, {"word": "budget"})], output_tokens=1_900)

    return reply


@KINDS
def test_a_last_answer_whose_stream_broke_is_asked_for_once_and_keeps_its_reason(
    reason: str,
) -> None:
    probe, task = at_ceiling(reason, max_tokens=8_000)
    task.run("Look.")
    last = len(probe.requests) - 1
    simulator = Simulator(working, faults=[drop(on=last, billed="nothing", before_headers=True)])
    again = task_on(
        simulator,
        name="again",
        budget=None,
        max_tokens=8_000,
        ceilings=Ceilings(cost_usd=None, total_tokens=None, steps=last + 1)
        if reason == "step_ceiling"
        else roomy(reason),
    )

    outcome = again.run("Look.")

    asked = [LAST_ANSWER in str(request.body) for request in simulator.requests]
    assert (outcome.state, outcome.reason) == ("halted", reason)
    assert str(simulator.requests[-1].body).count(LAST_ANSWER) <= 1
    assert asked.count(True) <= 2


def roomy(reason: str) -> Ceilings:
    """The ceiling with room for one more attempt."""
    if reason == "cost_ceiling":
        return Ceilings(cost_usd=Decimal("0.65"))
    return Ceilings(total_tokens=60_000)


def test_a_retried_last_answer_at_the_cost_ceiling_is_not_taken_for_a_time_ceiling() -> None:
    def script(context: SceneContext) -> Reply:
        if LAST_ANSWER in context.asked:
            return Reply(text="All I know.", output_tokens=100)
        return Reply(calls=[LOOK], output_tokens=100)

    # With 1,024 tokens a reply and a ceiling just above two worst cases, the second request is the
    # last answer, and its second attempt still fits in full.
    simulator = Simulator(script, faults=[drop(on=1, after_events=1)])
    task = task_on(
        simulator, budget=None, max_tokens=1_024, ceilings=Ceilings(cost_usd=Decimal("0.06"))
    )

    outcome = task.run("Look.")

    assert facts(task, AttemptFailed)
    assert [LAST_ANSWER in str(one.body) for one in simulator.requests] == [False, True, True]
    assert outcome.reason == "cost_ceiling"


def test_the_first_request_of_a_turn_needs_only_1024_tokens() -> None:
    simulator = Simulator([Reply(text="Done.", output_tokens=200)])
    task = task_on(simulator, budget=None, ceilings=Ceilings(cost_usd=Decimal("0.045")))

    outcome = task.run("Look.")

    assert outcome.state == "completed"
    assert LAST_REPLY_TOKENS <= last_start(task).max_tokens < MOST_STEP_REPLY_TOKENS
    assert not last_start(task).last_answer


def test_calls_of_a_reply_cut_by_a_shrunk_max_tokens_do_not_run() -> None:
    long = Reply(text="Much.", calls=[LOOK], output_tokens=30_000)
    simulator = Simulator([long])
    task = task_on(simulator, budget=None, ceilings=Ceilings(cost_usd=Decimal("0.20")))

    outcome = task.run("Look.")

    assert (outcome.state, outcome.reason) == ("halted", "cost_ceiling")
    assert not facts(task, ToolStarted)
    assert last_start(task).max_tokens < 30_000


@pytest.mark.parametrize(
    "ceilings", [Ceilings(), Ceilings(cost_usd=Decimal("0.035"))], ids=["as asked", "shrunk"]
)
def test_a_call_cut_in_its_json_is_answered_that_the_reply_was_cut_off(ceilings: Ceilings) -> None:
    many = [LOOK, Call("lookup", {"word": "w " * 4_000})]
    simulator = Simulator([Reply(text="Now.", calls=many), Reply(text="Done.")])
    task = task_on(simulator, budget=None, max_tokens=2_000, ceilings=ceilings)

    outcome = task.run("Look.")

    asked = ceilings == Ceilings()
    assert outcome.reason == ("max_tokens" if asked else "cost_ceiling")
    assert results(task) == ["not run: the reply was cut off"] * 2
    assert not facts(task, ToolStarted)
    assert resumed(task, ceilings=Ceilings(), max_tokens=4_000).text == "Done."


def test_a_reply_cut_at_the_max_tokens_asked_for_names_that_setting() -> None:
    simulator = Simulator([Reply(text="word " * 3_000), Reply(text="The rest.")])
    task = task_on(simulator, budget=None, max_tokens=1_000)

    outcome = task.run("Write.")

    assert (outcome.state, outcome.reason) == ("halted", "max_tokens")
    assert "max_tokens=2000" in outcome.detail
    assert resumed(task, max_tokens=2_000).text == "The rest."

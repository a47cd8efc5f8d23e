"""Tool-result tokens are measured from prompt sizes; estimates are marked, and never below 0."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from budget_magic import Ceilings, tool
from budget_magic.events import StepFinished, Usage
from budget_magic.meter.estimate import SEED, Ratios, split_output
from budget_magic.simulator import Call, Reply, Simulator
from budget_magic.simulator.tokens import count_block
from tests.loop.running import LOOK, facts, resumed, sent, steps, task_on


@tool(reads=True)
def other(word: str) -> str:
    """Look up a word elsewhere."""
    return word


def test_results_are_measured_to_the_token() -> None:
    simulator = Simulator(steps(3, result_tokens=1_234))
    task = task_on(simulator)

    outcome = task.run("Look.")

    measured = [fact.tool_result_tokens for fact in facts(task, StepFinished)]
    assert measured == [0, 1_234, 1_234, 1_234]
    assert outcome.spend.tool_result_tokens == 3 * 1_234
    assert not any(fact.tool_result_tokens_estimated for fact in facts(task, StepFinished))


def test_a_prompt_is_no_tool_result() -> None:
    simulator = Simulator([Reply(text="One."), Reply(text="Two.")])
    task = task_on(simulator)
    task.run("First. " * 500)
    task.run("Second. " * 500)

    assert task.spend.tool_result_tokens == 0
    assert not any(fact.tool_result_tokens_estimated for fact in facts(task, StepFinished))


def test_text_beside_results_is_taken_off_and_marks_an_estimate() -> None:
    simulator = Simulator([Reply(calls=[LOOK]), Reply(text="Done.")])
    task = task_on(simulator, wrap_up=False, ceilings=Ceilings(steps=1))
    task.run("Look.")
    task.change(replace(task.settings, ceilings=Ceilings()))

    task.run("And now something else. " * 20)

    fact = facts(task, StepFinished)[-1]
    result = sent(simulator.requests[-1])[-1]["content"][0]
    assert fact.tool_result_tokens_estimated
    assert 0 <= fact.tool_result_tokens <= count_block(result) + 120


def test_an_estimate_is_never_below_zero() -> None:
    simulator = Simulator([Reply(calls=[Call("lookup", {"word": ""})]), Reply(text="Done.")])
    task = task_on(simulator, wrap_up=False, ceilings=Ceilings(steps=1))
    task.run("Look.")
    task.change(replace(task.settings, ceilings=Ceilings()))

    # Long words count far fewer tokens than the estimate of three characters each.
    task.run("abcdefg" * 400)

    assert facts(task, StepFinished)[-1].tool_result_tokens == 0


def test_results_after_a_change_of_tools_are_an_estimate() -> None:
    simulator = Simulator([Reply(calls=[LOOK]), Reply(text="Done.")])
    task = task_on(simulator, wrap_up=False, ceilings=Ceilings(steps=1))
    task.run("Look.")

    resumed(task, tools=(other,), ceilings=Ceilings())

    fact = facts(task, StepFinished)[-1]
    assert fact.tool_result_tokens_estimated
    assert fact.tool_result_tokens > 0


def test_results_that_were_never_sent_are_not_counted() -> None:
    simulator = Simulator([Reply(calls=[LOOK])])
    task = task_on(simulator, wrap_up=False, ceilings=Ceilings(steps=1))

    outcome = task.run("Look.")

    assert outcome.spend.tool_calls == 1
    assert outcome.spend.tool_result_tokens == 0
    assert outcome.spend.budget_tokens == outcome.spend.output_tokens


def test_remaining_may_go_below_zero_and_nothing_is_refused_for_it() -> None:
    simulator = Simulator([Reply(text="Much.", output_tokens=25_000), Reply(text="More.")])
    task = task_on(simulator, budget=20_000)
    task.run("Write.")

    outcome = task.run("Go on.")

    assert outcome.state == "completed"
    assert outcome.remaining is not None
    assert outcome.remaining < -5_000


def test_the_budget_runs_over_all_turns_of_a_task() -> None:
    simulator = Simulator([*steps(1), *steps(1)])
    task = task_on(simulator, budget=50_000)
    first, second = task.run("Look."), task.run("Look again.")

    assert first.remaining == 50_000 - 1_300
    assert second.remaining == 50_000 - 2_600
    assert second.total.budget_tokens == first.spend.budget_tokens + second.spend.budget_tokens
    assert {
        request.body["output_config"]["task_budget"]["total"] for request in simulator.requests
    } == {50_000}
    assert not any(
        "remaining" in str(request.body["output_config"]) for request in simulator.requests
    )


def test_output_is_split_exactly_where_a_reply_holds_only_one_kind() -> None:
    usage = Usage(output_tokens=1_000, thinking_tokens=400)

    assert split_output(usage, Ratios(), text=900, call=0) == (600, 0, False)
    assert split_output(usage, Ratios(), text=0, call=900) == (0, 600, False)


@given(
    output=st.integers(0, 100_000),
    thinking=st.integers(0, 100_000),
    text=st.integers(0, 400_000),
    call=st.integers(0, 400_000),
)
def test_the_split_of_output_adds_up(output: int, thinking: int, text: int, call: int) -> None:
    usage = Usage(output_tokens=output, thinking_tokens=min(thinking, output))

    said, called, estimated = split_output(usage, Ratios(), text=text, call=call)

    assert said + called == usage.output_tokens - usage.thinking_tokens
    assert min(said, called) >= 0
    assert estimated is (text > 0 and call > 0)


def test_ratios_come_closer_to_what_replies_show() -> None:
    ratios = Ratios()
    for _ in range(8):
        ratios = ratios.calibrated({"text": 5_000}, Usage(output_tokens=1_000))

    assert abs(ratios.tokens("text", 5_000) - 1_000) < 50
    assert ratios.thinking == SEED["thinking"]
    assert ratios.call == SEED["call"]

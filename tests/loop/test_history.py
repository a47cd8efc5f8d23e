"""The history: append-only, always valid, and what of it changes with model, tools and effort."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from budget_magic import Ceilings, Task, tool
from budget_magic.events import MessageAppended, StepFinished, ToolFinished
from budget_magic.loop.conversation import GO_ON, Conversation
from budget_magic.loop.malformed import left_out
from budget_magic.simulator import Call, Reply, RequestRecord, SceneContext, Simulator
from tests.loop.running import (
    LOOK,
    facts,
    is_append_only,
    last_content,
    lookup,
    replies,
    resumed,
    sent,
    steps,
    task_on,
)

EFFORT_BETA = "mid-conversation-output-config-2026-07-01"
BINDING_BETA = "thinking-binding-controls-2026-08-01"
THINKING = Reply(thinking="I think about it.", calls=[LOOK])


@tool(reads=True)
def define(word: str) -> str:
    """Define a word."""
    return f"{word} means something"


def prefix_hashes(request: RequestRecord) -> list[str]:
    """A digest of each prefix of what a request says."""
    digest, all_of_them = hashlib.sha256(), []
    for message in sent(request):
        digest.update(json.dumps(message, sort_keys=True).encode())
        all_of_them.append(digest.hexdigest())
    return all_of_them


def betas(request: RequestRecord) -> str:
    """The beta header."""
    return request.headers.get("anthropic-beta", "")


def roles(task: Task) -> list[str]:
    """Who speaks in the history."""
    return [message["role"] for message in task.messages]


def test_a_sent_prefix_never_changes_over_turns_halts_and_interrupts() -> None:
    simulator = Simulator([*steps(3), *steps(3), *steps(3)])
    task = task_on(simulator, ceilings=Ceilings(steps=3))
    task.run("First.")
    task.run("Second.")
    resumed(task, ceilings=Ceilings(steps=9))
    task.run("Third.")

    hashes = [prefix_hashes(request) for request in simulator.requests]
    for earlier, later in pairwise(hashes):
        assert later[: len(earlier)] == earlier


def test_a_follow_up_carries_the_whole_history() -> None:
    simulator = Simulator([Reply(text="One."), Reply(text="Two.")])
    task = task_on(simulator)
    task.run("First.")

    task.run("Second.")

    said = [
        block["text"] for message in sent(simulator.requests[1]) for block in message["content"]
    ]
    assert said == ["First.", "One.", "Second."]


def test_a_refused_prompt_leaves_the_history() -> None:
    simulator = Simulator([Reply(text="No.", stop_reason="refusal"), Reply(text="Yes.")])
    task = task_on(simulator)

    first = task.run("Something bad.")
    second = task.run("Something good.")

    assert (first.state, first.reason) == ("halted", "refusal")
    assert "rephrase the prompt and run it again" in first.detail
    assert second.state == "completed"
    assert [block["text"] for block in last_content(simulator.requests[1])] == ["Something good."]
    assert len(sent(simulator.requests[1])) == 1


def test_resuming_a_refused_prompt_sends_it_once_more() -> None:
    simulator = Simulator([Reply(text="No.", stop_reason="refusal"), Reply(text="Yes.")])
    task = task_on(simulator)
    task.run("Something odd.")

    assert task.resume().text == "Yes."
    assert sent(simulator.requests[1]) == sent(simulator.requests[0])


def test_a_refusal_amid_the_work_keeps_results_and_prompt() -> None:
    simulator = Simulator([THINKING, Reply(text="No.", stop_reason="refusal"), Reply(text="Yes.")])
    task = task_on(simulator)
    task.run("Look.")

    outcome = task.resume()

    assert outcome.text == "Yes."
    assert sent(simulator.requests[2]) == sent(simulator.requests[1])
    assert roles(task) == ["user", "assistant", "user", "assistant"]


def test_a_refused_prompt_beside_results_leaves_the_results() -> None:
    simulator = Simulator([THINKING, Reply(text="No.", stop_reason="refusal"), Reply(text="Yes.")])
    task = task_on(simulator, wrap_up=False, ceilings=Ceilings(steps=1))
    task.run("Look.")
    task.run("Now something bad.")

    outcome = task.run("Something good.")

    assert outcome.text == "Yes."
    last = last_content(simulator.requests[-1])
    assert [block["type"] for block in last] == ["text"]
    before = sent(simulator.requests[-1])[-2]
    assert [block["type"] for block in before["content"]] == ["tool_result"]


def test_a_reply_without_text_or_call_stays_out_of_the_history() -> None:
    simulator = Simulator([Reply(thinking="Only a thought."), Reply(text="Yes.")])
    task = task_on(simulator)

    first = task.run("First.")
    second = task.run("Second.")

    assert (first.state, first.text) == ("completed", "")
    assert second.text == "Yes."
    assert [one["role"] for one in sent(simulator.requests[1])] == ["user", "user"]
    assert replies(task)[0][0]["type"] == "thinking"


def test_thinking_that_was_cut_before_its_signature_stays_out_of_the_history() -> None:
    simulator = Simulator([Reply(thinking="Long. " * 200, thinking_tokens=9_000), *steps(1)])
    task = task_on(simulator, max_tokens=2_000)

    first = task.run("First.")

    assert (first.state, first.reason) == ("halted", "max_tokens")
    assert task.messages[-1]["role"] == "user"
    assert resumed(task, max_tokens=20_000).text == "Done."


def test_a_paused_turn_is_sent_again_as_it_is() -> None:
    simulator = Simulator([Reply(text="Part one.", stop_reason="pause_turn"), Reply(text="Two.")])
    task = task_on(simulator)

    outcome = task.run("Go.")

    assert (outcome.state, outcome.text, outcome.spend.steps) == ("completed", "Two.", 2)
    assert [one["role"] for one in sent(simulator.requests[1])] == ["user", "assistant"]


def test_a_turn_that_ended_with_a_reply_goes_on_by_words() -> None:
    simulator = Simulator([Reply(text="word " * 2_000), Reply(text="The rest.")])
    task = task_on(simulator, max_tokens=1_024)
    task.run("Write.")

    task.resume()

    assert last_content(simulator.requests[1]) == [{"type": "text", "text": GO_ON}]


def test_open_calls_are_answered_before_the_next_prompt() -> None:
    simulator = Simulator([Reply(calls=[LOOK, LOOK]), Reply(text="Done.")])
    task = task_on(simulator, wrap_up=True, ceilings=Ceilings(steps=1))
    task.run("Look.")

    task.run("Something else.")

    blocks = last_content(simulator.requests[1])
    assert [block["type"] for block in blocks[:3]] == ["tool_result", "tool_result", "text"]
    assert {block["content"] for block in blocks[:2]} == {
        "not run: the step ceiling ended the turn"
    }


def test_results_keep_the_order_of_the_calls() -> None:
    calls = [Call("lookup", {"word": f"w{number}"}) for number in range(12)]
    simulator = Simulator([Reply(calls=calls), Reply(text="Done.")])
    task = task_on(simulator)

    task.run("Look.")

    blocks = last_content(simulator.requests[1])
    assert [block["content"] for block in blocks] == [f"w{n} is a word" for n in range(12)]


def test_a_call_of_an_unknown_tool_is_answered_with_those_that_there_are() -> None:
    simulator = Simulator([Reply(calls=[Call("fly", {})]), Reply(text="Done.")])
    task = task_on(simulator)

    assert task.run("Fly.").text == "Done."
    (answer,) = facts(task, ToolFinished)
    assert (answer.content, answer.ran) == ("there is no tool fly; offered: lookup", False)


def test_empty_text_beside_a_call_is_left_out_before_it_is_sent_back() -> None:
    content: list[dict[str, Any]] = [
        {"type": "text", "text": "\n\n"},
        {"type": "tool_use", "id": "a", "name": "lookup", "input": {}},
    ]
    message = {"role": "assistant", "content": content}
    conversation = Conversation()

    unsent = left_out(content, paused=False)
    conversation.take(MessageAppended(turn=1, step=1, message=message, left_out=unsent))

    assert conversation.messages == [{"role": "assistant", "content": content[1:]}]
    assert [call.id for call in conversation.open_calls] == ["a"]


@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-sonnet-5-5"])
def test_tools_changed_in_mid_task_drop_bound_thinking(model: str) -> None:
    simulator = Simulator([THINKING, Reply(text="One."), Reply(text="Two."), Reply(text="Three.")])
    task = task_on(simulator, model=model)
    task.run("First.")
    task.change(replace(task.settings, tools=(lookup, define)))

    assert task.run("Second.").state == "completed"
    assert task.run("Third.").state == "completed"
    for request in simulator.requests[2:]:
        assert BINDING_BETA in betas(request)
        binding = request.body["thinking"]["block_binding"]
        assert binding == {"prefix_mismatch_behavior": "drop_block"}
    assert BINDING_BETA not in betas(simulator.requests[0])


def test_tools_changed_on_a_model_that_binds_nothing_need_no_beta() -> None:
    simulator = Simulator([THINKING, Reply(text="One."), Reply(text="Two.")])
    task = task_on(simulator, model="claude-opus-4-8")
    task.run("First.")
    task.change(replace(task.settings, tools=(lookup, define)))

    assert task.run("Second.").state == "completed"
    assert BINDING_BETA not in betas(simulator.requests[-1])


def test_a_change_of_model_goes_on_with_the_same_history() -> None:
    simulator = Simulator([THINKING, Reply(text="One."), Reply(text="Two."), Reply(text="Three.")])
    task = task_on(simulator)
    task.run("First.")
    task.change(replace(task.settings, model="claude-opus-4-8"))
    task.run("Second.")
    task.change(replace(task.settings, model="claude-opus-5-5"))

    assert task.run("Third.").state == "completed"
    assert [request.body["model"] for request in simulator.requests[1:]] == [
        "claude-opus-5-5",
        "claude-opus-4-8",
        "claude-opus-5-5",
    ]
    assert is_append_only(simulator.requests)


def test_tools_changed_under_another_model_still_drop_thinking_that_was_bound_before() -> None:
    simulator = Simulator([THINKING, Reply(text="One."), Reply(text="Two."), Reply(text="Three.")])
    task = task_on(simulator)
    task.run("First.")
    task.change(replace(task.settings, model="claude-opus-4-8", tools=(lookup, define)))
    task.run("Second.")
    task.change(replace(task.settings, model="claude-opus-5-5"))

    assert task.run("Third.").state == "completed"
    assert [BINDING_BETA in betas(request) for request in simulator.requests] == [
        False,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-opus-5", "claude-haiku-5-5"])
def test_effort_changes_by_a_message_where_the_model_takes_that(model: str) -> None:
    simulator = Simulator([Reply(text="One. " * 400), Reply(text="Two."), Reply(text="Three.")])
    task = task_on(simulator, model=model, effort="high")
    task.run("First. " * 400)
    task.change(replace(task.settings, effort="low"))

    task.run("Second.")
    task.run("Third.")

    for request in simulator.requests[1:]:
        assert request.body["output_config"]["effort"] == "high"
        assert EFFORT_BETA in betas(request)
        assert sent(request)[3] == {
            "role": "system",
            "content": [],
            "output_config": {"effort": "low"},
        }
    assert [fact.usage.cache_read_input_tokens > 0 for fact in facts(task, StepFinished)] == [
        False,
        True,
        True,
    ]
    assert is_append_only(simulator.requests)


def test_effort_changes_at_the_top_on_older_models_and_misses_the_cache() -> None:
    simulator = Simulator([Reply(text="One. " * 900), Reply(text="Two."), Reply(text="Three.")])
    task = task_on(simulator, model="claude-opus-4-7", effort="high")
    task.run("First. " * 900)
    task.change(replace(task.settings, effort="low"))

    task.run("Second.")
    task.run("Third.")

    efforts = [request.body["output_config"]["effort"] for request in simulator.requests]
    assert efforts == ["high", "low", "low"]
    assert not any(EFFORT_BETA in betas(request) for request in simulator.requests)
    read = [fact.usage.cache_read_input_tokens for fact in facts(task, StepFinished)]
    assert (read[:2], read[2] > 0) == ([0, 0], True)


def test_effort_changed_before_going_on_with_results_is_in_force_at_the_next_request() -> None:
    efforts: list[str] = []

    def scene(context: SceneContext) -> Reply:
        efforts.append(context.effort)
        return steps(3)[context.replies]

    task = task_on(Simulator(scene), wrap_up=False, ceilings=Ceilings(steps=2))
    task.run("Look.")

    outcome = resumed(task, effort="low", ceilings=Ceilings())

    assert outcome.state == "completed"
    assert efforts == ["high", "high", "low", "low"]


def test_effort_changed_twice_before_going_on_with_results_is_announced_beside_words() -> None:
    efforts: list[str] = []

    def scene(context: SceneContext) -> Reply:
        efforts.append(context.effort)
        return [Reply(text="One."), *steps(3)][context.replies]

    simulator = Simulator(scene)
    task = task_on(simulator, wrap_up=False)
    task.run("First.")
    task.change(replace(task.settings, effort="medium", ceilings=Ceilings(steps=2)))
    task.run("Look.")

    outcome = resumed(task, effort="low", ceilings=Ceilings())

    assert outcome.state == "completed"
    assert efforts == ["high", "medium", "medium", "low", "low"]
    assert last_content(simulator.requests[3])[-1] == {"type": "text", "text": GO_ON}
    assert is_append_only(simulator.requests)


def test_a_model_without_effort_messages_is_not_sent_them() -> None:
    efforts: list[str] = []

    def scene(context: SceneContext) -> Reply:
        efforts.append(context.effort)
        return Reply(text=f"Reply {context.replies}.")

    simulator = Simulator(scene)
    task = task_on(simulator)
    for model, effort in [
        ("claude-opus-5-5", "high"),
        ("claude-opus-5-5", "low"),
        ("claude-opus-4-8", "medium"),
        ("claude-opus-5-5", "medium"),
        ("claude-sonnet-5-5", "max"),
    ]:
        task.change(replace(task.settings, model=model, effort=effort))
        assert task.run("Go.").state == "completed"

    assert efforts == ["high", "low", "medium", "medium", "max"]
    assert EFFORT_BETA not in betas(simulator.requests[2])


def test_effort_is_not_sent_to_a_model_without_it() -> None:
    simulator = Simulator([Reply(text="One.")])
    task = task_on(simulator, model="claude-haiku-4-5", budget=None)

    task.run("First.")

    assert "output_config" not in simulator.requests[0].body
    assert "thinking" not in simulator.requests[0].body


def test_beta_headers_are_sent_only_as_needed() -> None:
    simulator = Simulator([Reply(text="One.")])
    task = task_on(simulator, budget=None)

    task.run("First.")

    assert betas(simulator.requests[0]) == ""
    assert simulator.requests[0].body["thinking"] == {"type": "adaptive", "display": "summarized"}

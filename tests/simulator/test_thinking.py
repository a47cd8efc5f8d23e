"""Thinking: when it is on, what is shown, and signatures that hold only where they were made."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic import BadRequestError
from hypothesis import given, settings
from hypothesis import strategies as st

from budget_magic.simulator import Call, Reply, SceneContext, Simulator
from budget_magic.simulator.tokens import count_text
from tests.simulator.helpers import (
    HELLO,
    LOOKUP,
    ask,
    client_of,
    params,
    results,
    run,
    said,
)

THOUGHT = "First I look at what is there, then I decide. " * 4
BINDING = "thinking-binding-controls-2026-08-01"
COUNTING = "thinking-token-count-2026-05-13"
EFFORT = "mid-conversation-output-config-2026-07-01"


def calling(_context: SceneContext) -> Reply:
    if _context.replies:
        return Reply(thinking=THOUGHT, text="This is simulated.")
    return Reply(thinking=THOUGHT, calls=[Call("lookup")])


def second_request(simulator: Simulator, edit: str, **changes: Any) -> Any:
    """A request that carries a signed block, after an edit of what stands before or around it."""
    first = ask(simulator, tools=[LOOKUP], system="Be brief.", **changes)
    wanted: dict[str, Any] = {
        "tools": [LOOKUP],
        "system": "Be brief.",
        "messages": [*HELLO, said(first), results(first)],
        **changes,
    }
    if edit == "system":
        wanted["system"] = "Be very brief."
    elif edit == "tools":
        wanted["tools"] = [{**LOOKUP, "description": "Looks up."}]
    elif edit == "prompt":
        wanted["messages"][0] = {"role": "user", "content": "Hello!"}
    elif edit == "text of the thinking":
        wanted["messages"][1]["content"][0]["thinking"] = ""
    elif edit == "max_tokens and effort":
        wanted |= {"max_tokens": 5_000, "output_config": {"effort": "low"}}
    elif edit == "cache marks":
        wanted["messages"][2]["content"][0]["cache_control"] = {"type": "ephemeral"}
    elif edit == "null fields":
        wanted["messages"][1]["content"][1]["caller"] = None
    return ask(simulator, **wanted)


@pytest.mark.parametrize("edit", ["system", "tools", "prompt"])
def test_an_edited_prefix_is_refused_where_the_model_binds_thinking(edit: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        second_request(Simulator(calling), edit)
    assert (
        "messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to"
        in (caught.value.api_message or str(caught.value))
    )


@pytest.mark.parametrize("edit", ["system", "tools", "prompt"])
def test_an_edited_prefix_is_fine_where_the_model_does_not_bind_thinking(edit: str) -> None:
    simulator = Simulator(calling)
    assert second_request(simulator, edit, model="claude-opus-4-7").stop_reason == "end_turn"


@pytest.mark.parametrize(
    "edit",
    ["nothing", "text of the thinking", "max_tokens and effort", "cache marks", "null fields"],
)
def test_what_is_not_in_the_prefix_may_change(edit: str) -> None:
    assert second_request(Simulator(calling), edit).stop_reason == "end_turn"


def test_a_mismatch_can_be_dropped_and_is_reported() -> None:
    thinking = {
        "type": "adaptive",
        "block_binding": {"prefix_mismatch_behavior": "drop_block"},
    }
    simulator = Simulator(calling)
    message = second_request(simulator, "prompt", thinking=thinking, betas=[BINDING])
    assert [change.to_dict() for change in message.input_transformations] == [
        {
            "type": "thinking_dropped",
            "path": "messages.1.content.0",
            "reason": "prefix_binding_mismatch",
        }
    ]


def test_another_model_s_thinking_is_dropped_in_silence() -> None:
    simulator = Simulator(calling)
    first = ask(simulator, tools=[LOOKUP])
    messages = [*HELLO, said(first), results(first)]
    ask(simulator, tools=[LOOKUP], messages=messages)
    message = ask(simulator, tools=[LOOKUP], messages=messages, model="claude-fable-5-1")
    sizes = [record.prompt_tokens or 0 for record in simulator.requests]
    assert message.stop_reason == "end_turn"
    assert sizes[2] == sizes[1] - simulator.bill[0].thinking_tokens


@given(st.integers(0, 10_000))
@settings(max_examples=30)
def test_a_summary_is_an_eighth_to_all_of_the_raw_thinking(seed: int) -> None:
    simulator = Simulator([Reply(thinking=THOUGHT, text="Done.")], seed=seed)
    message = ask(simulator)
    summary = count_text(THOUGHT)
    assert message.content[0].to_dict()["thinking"] == THOUGHT
    assert summary <= simulator.bill[0].thinking_tokens <= 8 * summary + 10


def test_omitted_thinking_is_billed_and_signed_but_not_shown() -> None:
    simulator = Simulator([Reply(thinking=THOUGHT, thinking_tokens=500, text="Done.")])
    message = ask(simulator, thinking={"type": "adaptive"})
    block = message.content[0].to_dict()
    assert block["thinking"] == ""
    assert block["signature"]
    assert simulator.bill[0].thinking_tokens == 500


def test_hidden_thinking_is_estimated_in_increments_where_asked_for() -> None:
    simulator = Simulator([Reply(thinking=THOUGHT, thinking_tokens=1_234, text="Done.")])

    async def work() -> list[int]:
        async with client_of(simulator) as client:
            wanted = params(thinking={"type": "adaptive"}, betas=[COUNTING])
            events = await client.beta.messages.create(**wanted, stream=True)
            return [
                event.delta.estimated_tokens or 0
                async for event in events
                if event.type == "content_block_delta" and event.delta.type == "thinking_delta"
            ]

    estimates = run(work())
    assert sum(estimates) == 1_200
    assert all(one % 50 == 0 for one in estimates)


@pytest.mark.parametrize(
    ("model", "thinks"),
    [("claude-opus-5-5", True), ("claude-opus-4-7", False), ("claude-haiku-4-5", False)],
)
def test_thinking_left_out_is_on_or_off_by_model(model: str, thinks: bool) -> None:  # noqa: FBT001 - a column
    simulator = Simulator([Reply(thinking=THOUGHT, text="Done.")])
    message = ask(simulator, model=model, thinking=None)
    assert (message.content[0].type == "thinking") == thinks


def test_thinking_cut_by_max_tokens_is_not_signed() -> None:
    simulator = Simulator([Reply(thinking=THOUGHT, thinking_tokens=500, text="Done.")])
    message = ask(simulator, max_tokens=100)
    assert message.stop_reason == "max_tokens"
    assert [block.to_dict().get("signature") for block in message.content] == [""]
    assert message.usage.output_tokens == 100


@pytest.mark.parametrize(
    ("model", "effort"),
    [("claude-opus-5-5", "medium"), ("claude-opus-4-7", "high"), ("claude-haiku-4-5", "high")],
)
def test_effort_left_out_is_the_model_s_own(model: str, effort: str) -> None:
    seen: list[str] = []

    def scene(context: SceneContext) -> Reply:
        seen.append(context.effort)
        return Reply(text="Done.")

    ask(Simulator(scene), model=model, thinking=None)
    assert seen == [effort]


def test_effort_per_message_holds_from_the_next_new_input_and_keeps_the_cache() -> None:
    seen: list[str] = []

    def scene(context: SceneContext) -> Reply:
        seen.append(context.effort)
        return Reply(calls=[Call("lookup")])

    simulator = Simulator(scene)
    lower = {"role": "system", "content": [], "output_config": {"effort": "low"}}
    same: dict[str, Any] = {
        "tools": [LOOKUP],
        "betas": [EFFORT],
        "output_config": {"effort": "high"},
        "cache_control": {"type": "ephemeral"},
        "system": "A long system prompt. " * 200,
    }
    messages: list[Any] = list(HELLO)
    first = ask(simulator, messages=messages, **same)
    messages += [said(first), results(first), lower]
    second = ask(simulator, messages=messages, **same)
    messages += [said(second), results(second)]
    third = ask(simulator, messages=messages, **same)
    messages += [said(third), results(third)]
    messages[-1]["content"].append({"type": "text", "text": "Shorter, please."})
    fourth = ask(simulator, messages=messages, **same)
    messages += [said(fourth), results(fourth)]
    messages[-1]["content"].append({"type": "text", "text": "Longer, please."})
    messages.append({**lower, "output_config": {"effort": "max"}})
    ask(simulator, messages=messages, **same)
    assert seen == ["high", "high", "high", "low", "max"]
    sizes = [entry.prompt_tokens for entry in simulator.bill]
    a_change_that_ends_a_prompt_is_behind_the_breakpoint = 3
    sizes[1] -= a_change_that_ends_a_prompt_is_behind_the_breakpoint
    assert [entry.split.read for entry in simulator.bill] == [0, *sizes[:-1]]

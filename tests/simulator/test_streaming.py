"""Streams: order of events, what ends a reply, and how it is cut."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget_magic.simulator import Call, Reply, Simulator, slow
from tests.simulator.helpers import (
    HELLO,
    LOOKUP,
    ask,
    ask_raw,
    client_of,
    params,
    run,
    said,
    stream,
    text_of,
)

WORDS = "Simulated words that follow one another until there are enough of them. " * 40


def events_of(simulator: Simulator, **changes: Any) -> list[str]:
    body = ask_raw(simulator, params(stream=True, **changes)).text
    return [line.removeprefix("event: ") for line in body.splitlines() if line.startswith("event")]


def test_events_come_in_the_order_of_the_api() -> None:
    simulator = Simulator([Reply(thinking="Hm.", text="Well.", calls=[Call("lookup", {"a": 1})])])
    block = ["content_block_start", "content_block_delta", "content_block_stop"]
    signed = ["content_block_start", *["content_block_delta"] * 2, "content_block_stop"]
    ends = ["message_delta", "message_stop"]
    assert events_of(simulator) == ["message_start", "ping", *signed, *block, *block, *ends]


def test_a_reply_streams_few_deltas_unless_asked() -> None:
    few = Simulator([Reply(text=WORDS)])
    many = Simulator([Reply(text=WORDS)], delta_characters=20)
    assert events_of(few).count("content_block_delta") <= 10
    assert events_of(many).count("content_block_delta") == -(-len(WORDS) // 20)


def test_streamed_and_whole_replies_are_the_same() -> None:
    reply = Reply(thinking="Hm.", text=WORDS, calls=[Call("lookup", {"word": "größer\n"})])

    async def work() -> tuple[dict[str, Any], dict[str, Any]]:
        async with client_of(Simulator([reply])) as client:
            streamed = await stream(client, tools=[LOOKUP])
        async with client_of(Simulator([reply])) as client:
            whole = await client.beta.messages.create(**params(tools=[LOOKUP]))
        return streamed.to_dict(), whole.to_dict()

    streamed, whole = run(work())
    for message in (streamed, whole):
        for block in message["content"]:
            for extra in ("citations", "parsed_output"):
                block.pop(extra, None)
    assert streamed == whole


def test_both_doors_of_the_sdk_get_the_same_answer() -> None:
    message = ask_raw(Simulator([Reply(text="Done.")]), params(), path="/v1/messages?beta=true")
    assert message.json()["content"] == [{"type": "text", "text": "Done."}]


@pytest.mark.parametrize(
    ("reply", "changes", "reason"),
    [
        (Reply(text="Done."), {}, "end_turn"),
        (Reply(calls=[Call("lookup")]), {}, "tool_use"),
        (Reply(text=WORDS), {"max_tokens": 10}, "max_tokens"),
        (Reply(text="One. STOP. Two."), {"stop_sequences": ["STOP"]}, "stop_sequence"),
        (Reply(text="Wait.", stop_reason="pause_turn"), {}, "pause_turn"),
        (Reply(text="No.", stop_reason="refusal"), {}, "refusal"),
    ],
)
def test_every_stop_reason_can_be_played(
    reply: Reply, changes: dict[str, Any], reason: str
) -> None:
    message = ask(Simulator([reply]), tools=[LOOKUP], **changes)
    assert message.stop_reason == reason


def test_a_stop_sequence_ends_the_text_before_it() -> None:
    message = ask(Simulator([Reply(text="One. STOP. Two.")]), stop_sequences=["Two", "STOP"])
    assert text_of(message) == "One. "
    assert message.stop_sequence == "STOP"


def test_a_refusal_says_its_category_and_why() -> None:
    reply = Reply(
        text="No.", stop_reason="refusal", refusal_category="cyber", refusal_explanation="Why."
    )
    message = ask(Simulator([reply]))
    assert message.stop_details is not None
    assert message.stop_details.category == "cyber"
    assert message.stop_details.explanation == "Why."


def test_a_paused_reply_may_be_sent_back_as_it_is() -> None:
    simulator = Simulator([Reply(text="Wait.", stop_reason="pause_turn"), Reply(text="Done.")])
    first = ask(simulator)
    second = ask(simulator, messages=[*HELLO, said(first)])
    assert text_of(second) == "Done."


def test_a_full_context_window_ends_the_reply() -> None:
    reply = Reply(text="Long.", output_tokens=60_000)
    big = [{"role": "user", "content": "word " * 150_000}]
    message = ask(
        Simulator([reply]),
        model="claude-haiku-4-5",
        thinking=None,
        max_tokens=64_000,
        messages=big,
    )
    assert message.stop_reason == "model_context_window_exceeded"
    assert message.usage.input_tokens + message.usage.output_tokens == 200_000


@given(st.integers(1, 400))
@settings(max_examples=60)
def test_max_tokens_is_never_passed_and_a_cut_reply_fills_it(limit: int) -> None:
    call = Call("lookup", {"word": "a long word " * 20, "numbers": [1, 2, {"deep": None}]})
    simulator = Simulator([Reply(thinking="Hm. " * 10, text="Well. " * 10, calls=[call])])
    message = ask(simulator, max_tokens=limit)
    used = message.usage.output_tokens
    assert used <= limit
    assert message.stop_reason in ("tool_use", "max_tokens")
    assert message.stop_reason == "tool_use" or used == limit
    assert simulator.bill[0].output_tokens == used


def test_a_cut_can_go_through_the_json_of_a_call() -> None:
    call = Call("lookup", {"word": "a", "other": "b " * 200})
    message = ask(Simulator([Reply(calls=[call])]), max_tokens=60)
    assert message.stop_reason == "max_tokens"
    [block] = message.content
    assert block.type == "tool_use"
    assert block.input != call.input


def test_a_prewarming_request_writes_the_cache_and_generates_nothing() -> None:
    simulator = Simulator([Reply(text="Done.")])
    wanted = params(max_tokens=0, system=WORDS * 2, cache_control={"type": "ephemeral"})
    body = ask_raw(simulator, wanted).json()
    assert body["content"] == []
    assert body["usage"]["output_tokens"] == 0
    assert body["usage"]["cache_creation_input_tokens"] > 0


def test_a_paced_reply_takes_its_time() -> None:
    simulator = Simulator([Reply(text="Done.", output_tokens=50)], faults=[slow(1_000)])
    before = time.monotonic()
    ask(simulator)
    assert time.monotonic() - before >= 0.05


def test_many_clients_can_stream_at_once() -> None:
    simulator = Simulator(lambda context: Reply(text=context.prompt))

    async def work() -> list[str]:
        async with client_of(simulator) as client:
            prompts = [[{"role": "user", "content": f"Number {n}."}] for n in range(20)]
            streams = (stream(client, messages=prompt) for prompt in prompts)
            return [text_of(message) for message in await asyncio.gather(*streams)]

    assert run(work()) == [f"Number {n}." for n in range(20)]

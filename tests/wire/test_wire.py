"""What is sent, what streams back as events, and which failures are worth another attempt."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget_magic.errors import ApiError, ConnectionBroken, WireError
from budget_magic.simulator import (
    Call,
    Fault,
    Reply,
    Simulator,
    drop,
    error_event,
    rate_limit,
    refused_connection,
    status_error,
    truncate,
)
from budget_magic.wire import MAX_ATTEMPTS, Request, retry_wait_s
from budget_magic.wire.retry import LONGEST_ASKED_WAIT_S
from budget_magic.wire.sdk import SdkClient, simulated_client
from budget_magic.wire.stream import BlockStart, ContentDelta, MessageStart, WireEvent
from budget_magic.wire.stream import Reply as Answer
from tests.support import examples
from tests.wire.raw import RawFirst, refusal

LOOKUP: dict[str, Any] = {
    "name": "lookup",
    "description": "Looks something up.",
    "input_schema": {"type": "object", "properties": {"word": {"type": "string"}}},
}


def request(**changes: Any) -> Request:
    """A plain request, with some fields changed."""
    plain: dict[str, Any] = {
        "model": "claude-opus-5-5",
        "max_tokens": 4_000,
        "system": "Be brief.",
        "tools": (LOOKUP,),
        "messages": ({"role": "user", "content": [{"type": "text", "text": "Hello."}]},),
        "effort": "high",
        "budget": None,
    }
    return Request(**{**plain, **changes})


def events(simulator: Simulator, asked: Request) -> list[WireEvent]:
    """The events of one reply."""

    async def main() -> list[WireEvent]:
        client = SdkClient(simulated_client(simulator.transport()))
        return [event async for event in client.stream(asked)]

    return asyncio.run(main())


def failure(*faults: Fault) -> WireError:
    """How one request fails."""
    with pytest.raises(WireError) as raised:
        events(Simulator([Reply(text="Hello. " * 50)], faults=list(faults)), request())
    return raised.value


def test_a_reply_streams_its_beginning_its_blocks_and_itself() -> None:
    script = [Reply(thinking="I think.", text="I look.", calls=[Call("lookup", {"word": "x"})])]

    seen = events(Simulator(script), request())

    assert isinstance(seen[0], MessageStart)
    assert seen[0].usage is not None
    assert seen[0].usage.prompt_tokens > 0
    blocks = [event for event in seen if isinstance(event, BlockStart)]
    assert [(one.kind, one.name) for one in blocks] == [
        ("thinking", ""),
        ("text", ""),
        ("call", "lookup"),
    ]
    texts = [
        "".join(e.text for e in seen if isinstance(e, ContentDelta) and e.block == n)
        for n in range(3)
    ]
    assert texts == ["I think.", "I look.", '{"word": "x"}']
    answer = seen[-1]
    assert isinstance(answer, Answer)
    assert answer.stop_reason == "tool_use"
    assert [block["type"] for block in answer.content] == ["thinking", "text", "tool_use"]
    assert answer.request_id


def test_a_reply_holds_no_empty_fields_that_the_api_would_refuse() -> None:
    script = [Reply(thinking="I think.", calls=[Call("lookup", {"word": "x"})])]

    answer = events(Simulator(script), request())[-1]

    assert isinstance(answer, Answer)
    assert all(value is not None for block in answer.content for value in block.values())


def test_usage_has_what_only_the_beginning_tells() -> None:
    answer = events(Simulator([Reply(text="Hi.")], inference_geo="us"), request())[-1]

    assert isinstance(answer, Answer)
    assert answer.usage is not None
    assert (answer.usage.inference_geo, answer.usage.service_tier) == ("us", "standard")
    assert answer.usage.output_tokens > 0


def test_the_budget_is_sent_as_an_object_with_its_header() -> None:
    params = request(budget=64_000, remaining=9_000).as_params()

    assert params["output_config"] == {
        "effort": "high",
        "task_budget": {"type": "tokens", "total": 64_000, "remaining": 9_000},
    }
    assert params["betas"] == ["task-budgets-2026-03-13"]


def test_without_budget_effort_and_tools_nothing_of_them_is_sent() -> None:
    params = request(effort=None, tools=(), system="", adaptive_thinking=False).as_params()

    assert set(params) == {"model", "messages", "max_tokens"}


def test_marks_stand_on_the_last_block_of_the_named_messages_and_on_the_system_prompt() -> None:
    messages = tuple(
        {"role": role, "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
        for role in ("user", "assistant", "user")
    )

    params = request(messages=messages, breakpoints=(0, 2)).as_params()

    marked = [
        [("cache_control" in block) for block in message["content"]]
        for message in params["messages"]
    ]
    assert marked == [[False, True], [False, False], [False, True]]
    assert params["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in str(messages)


@pytest.mark.parametrize("status", [400, 401, 404, 408, 409, 413, 429, 500, 503, 529])
def test_an_error_status_becomes_one_error_with_its_parts(status: int) -> None:
    error = failure(status_error(status, message="No.", retry_after=3, error_code="some_code"))

    assert isinstance(error, ApiError)
    assert (error.status, str(error), error.error_code) == (status, "No.", "some_code")
    assert error.retry_after_s == 3
    assert not error.in_mid_stream


def test_an_error_event_is_an_error_in_mid_stream() -> None:
    error = failure(error_event())

    assert isinstance(error, ApiError)
    assert error.in_mid_stream
    assert error.error_type == "overloaded_error"


@pytest.mark.parametrize("fault", [drop(), drop(before_headers=True), drop(after_bytes=50)])
def test_a_dropped_stream_may_have_reached_the_server(fault: Fault) -> None:
    error = failure(fault)

    assert isinstance(error, ConnectionBroken)
    assert error.reached


def test_a_stream_without_message_stop_is_broken() -> None:
    error = failure(truncate(after_events=8))

    assert isinstance(error, ConnectionBroken)
    assert str(error) == "the stream ended before message_stop"


def test_a_refused_connection_reached_nobody() -> None:
    error = failure(refused_connection())

    assert isinstance(error, ConnectionBroken)
    assert not error.reached


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(0.25, 0.25), ("7", 7.0), ("-3", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("soon", None)],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(
    header: float | str, seconds: float | None
) -> None:
    error = failure(rate_limit(retry_after=header))

    assert isinstance(error, ApiError)
    assert error.retry_after_s == seconds


def test_a_count_that_fails_is_no_count() -> None:
    async def main() -> int | None:
        client = SdkClient(simulated_client(Simulator([]).transport()))
        return await client.count_tokens(request(messages=()))

    assert asyncio.run(main()) is None


def test_a_count_is_the_size_of_the_prompt() -> None:
    simulator = Simulator([Reply(text="Hi.")])

    async def main() -> int | None:
        return await SdkClient(simulated_client(simulator.transport())).count_tokens(request())

    counted = asyncio.run(main())
    events(simulator, request())
    assert counted == simulator.requests[0].prompt_tokens


@given(st.integers(1, 9), st.floats(0, 0.999))
def test_waits_grow_up_to_eight_seconds_and_end_after_four_attempts(
    attempt: int, jitter: float
) -> None:
    wait = retry_wait_s(ApiError("x", status=500), attempt=attempt, jitter=jitter)

    if attempt >= MAX_ATTEMPTS:
        assert wait is None
    else:
        assert wait is not None
        longest = min(0.5 * 2 ** (attempt - 1), 8)
        assert longest * 0.75 < wait <= longest


@pytest.mark.parametrize(
    ("error", "is_tried"),
    [
        (ConnectionBroken("x", reached=True), True),
        (ConnectionBroken("x", reached=False), True),
        (ApiError("x", status=408), True),
        (ApiError("x", status=409), True),
        (ApiError("x", status=429), True),
        (ApiError("x", status=429, error_code="enforced_spend_limit_reached"), False),
        (ApiError("x", status=500), True),
        (ApiError("x", status=529), True),
        (ApiError("x", status=200, error_type="overloaded_error"), True),
        (ApiError("x", status=200, error_type="invalid_request_error"), False),
        (ApiError("x", status=200), False),
        (ApiError("x", status=400), False),
        (ApiError("x", status=401), False),
        (ApiError("x", status=404), False),
        (ApiError("x", status=413), False),
    ],
)
def test_only_passing_failures_are_tried_again(error: WireError, is_tried: bool) -> None:  # noqa: FBT001 - a case
    assert (retry_wait_s(error, attempt=1, jitter=0) is not None) is is_tried


def test_the_wait_that_the_server_asks_for_is_obeyed() -> None:
    error = ApiError("x", status=429, retry_after_s=77.0)

    assert retry_wait_s(error, attempt=3, jitter=0.9) == 77.0


header_values = (
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"))
    | st.floats().map(str)
    | st.integers().map(str)
    | st.sampled_from(["", " ", "1e400", "-1e400", "1_0", "nan", "inf", "9" * 5_000, "0x10"])
    | st.builds(
        "{}, {} {} {} {}:{}:{} {}".format,
        st.sampled_from(["Mon", "Foo", ""]),
        st.integers(-1, 40),
        st.sampled_from(["Jan", "Dec", "Xyz"]),
        st.integers(-1, 12_000),
        st.integers(-1, 99),
        st.integers(-1, 99),
        st.integers(-1, 99),
        st.sampled_from(["GMT", "+0000", "-0000", "+9999", "-2400", "+99999999999999", ""]),
    )
)


def asked_wait_s(**headers: str) -> float | None:
    """How long the first attempt at a request waits after a 429 with these headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    server = RawFirst([refusal(429, named)], Simulator([]))

    async def main() -> WireError:
        with pytest.raises(WireError) as raised:
            async for _ in SdkClient(server.client()).stream(request()):
                pass
        return raised.value

    return retry_wait_s(asyncio.run(main()), attempt=1, jitter=0.0)


@settings(max_examples=examples(150))
@given(header_values, header_values)
def test_retry_after_of_any_content_is_read_as_none_or_clamped(after: str, ms: str) -> None:
    waits = [asked_wait_s(retry_after=after), asked_wait_s(retry_after=after, retry_after_ms=ms)]

    assert all(wait is not None and 0 <= wait <= LONGEST_ASKED_WAIT_S for wait in waits)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "-7"}, 0.0),
        ({"retry_after": "1e9"}, 3600.0),
        ({"retry_after": "Fri, 31 Dec 9999 23:59:59 GMT"}, 3600.0),
        ({"retry_after": "Fri, 31 Dec 1999 23:59:59 GMT"}, 0.0),
        ({"retry_after": "Fri, 31 Dec 9999 23:59:59 -0000"}, 3600.0),
        ({"retry_after": "Fri, 31 Dec 0 23:59:59 GMT"}, 0.0),
        ({"retry_after": "nan"}, 0.5),
        ({"retry_after": "1e400"}, 0.5),
        ({"retry_after": "soon"}, 0.5),
        ({"retry_after": ""}, 0.5),
        ({}, 0.5),
        ({"retry_after": "7", "retry_after_ms": "1500"}, 1.5),
        ({"retry_after": "7", "retry_after_ms": "soon"}, 7.0),
    ],
)
def test_a_wait_that_a_server_asks_for(headers: dict[str, str], wait_s: float) -> None:
    assert asked_wait_s(**headers) == wait_s

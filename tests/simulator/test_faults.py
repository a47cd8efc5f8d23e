"""Faults, as the client meets them and as the bill and the record show them."""

from __future__ import annotations

import asyncio
from typing import Any

import anthropic
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget_magic.simulator import (
    Fault,
    Reply,
    Scripted,
    Signal,
    Simulator,
    drop,
    error_event,
    hold,
    overloaded,
    rate_limit,
    refused_connection,
    silence,
    status_error,
    truncate,
)
from tests.simulator.helpers import ask, ask_raw, client_of, params, run, stream, text_of

TEXT = "Simulated words, enough for some deltas. " * 12


def simulator_with(*faults: Fault) -> Simulator:
    return Simulator([Reply(text=TEXT), Reply(text="Second.")], faults=faults)


def test_a_rate_limit_says_when_to_come_back() -> None:
    simulator = simulator_with(rate_limit(on=0, retry_after=7))
    with pytest.raises(anthropic.RateLimitError) as caught:
        ask(simulator)
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.type == "rate_limit_error"
    assert len(simulator.bill) == 0
    assert text_of(ask(simulator)) == TEXT


def test_a_spend_limit_has_a_code_and_no_retry_after() -> None:
    code = "enforced_spend_limit_reached"
    simulator = simulator_with(status_error(429, error_code=code))
    with pytest.raises(anthropic.RateLimitError) as caught:
        ask(simulator)
    assert caught.value.error_code == code
    assert "retry-after" not in caught.value.response.headers


@pytest.mark.parametrize("status", [408, 409, 413, 500, 503, 504, 529])
def test_error_statuses_are_those_of_the_api(status: int) -> None:
    simulator = simulator_with(status_error(status) if status != 529 else overloaded())
    with pytest.raises(anthropic.APIStatusError) as caught:
        ask(simulator)
    assert caught.value.status_code == status


def test_the_sdk_s_own_retries_get_through() -> None:
    simulator = simulator_with(status_error(500, on=0, retry_after=0))

    async def work() -> str:
        async with client_of(simulator, max_retries=1) as client:
            return text_of(await stream(client))

    assert run(work()) == TEXT


def test_an_error_in_mid_stream_comes_under_status_200() -> None:
    simulator = simulator_with(error_event(on=0))
    with pytest.raises(anthropic.APIStatusError) as caught:
        ask(simulator)
    assert caught.value.status_code == 200
    assert caught.value.type == "overloaded_error"
    assert not simulator.bill[0].completed


def test_a_stream_can_end_without_message_stop() -> None:
    simulator = simulator_with(truncate(on=0))
    message = ask(simulator)
    assert message.stop_reason is None
    assert not simulator.bill[0].completed


def test_a_refused_connection_reaches_nobody() -> None:
    simulator = simulator_with(refused_connection(on=0))
    with pytest.raises(anthropic.APIConnectionError):
        ask(simulator)
    assert len(simulator.bill) == 0


def test_a_drop_before_the_headers_is_billed_for_its_input() -> None:
    simulator = simulator_with(drop(on=0, before_headers=True))
    with pytest.raises(anthropic.APIConnectionError):
        ask(simulator)
    assert simulator.bill[0].output_tokens == 0
    assert simulator.bill[0].cost_usd > 0


@given(st.integers(0, 5_000))
@settings(max_examples=60)
def test_a_stream_can_drop_at_any_byte(after: int) -> None:
    whole = ask_raw(simulator_with(), params(stream=True)).content
    simulator = simulator_with(drop(on=0, after_bytes=after))
    received = bytearray()

    async def work() -> None:
        transport = simulator.transport()
        async with httpx2.AsyncClient(transport=transport) as client:
            request = client.stream(
                "POST",
                "http://simulator/v1/messages",
                json=params(stream=True),
                headers={"x-api-key": "x"},
            )
            async with request as response:
                async for part in response.aiter_bytes():
                    received.extend(part)

    with pytest.raises(httpx2.RemoteProtocolError):
        run(work())
    assert bytes(received) == whole[: min(after, len(whole) - 1)]
    assert not simulator.bill[0].completed


@pytest.mark.parametrize(("billed", "entries"), [("streamed", 1), ("all", 1), ("nothing", 0)])
def test_a_broken_reply_costs_what_the_fault_says(billed: Any, entries: int) -> None:
    simulator = simulator_with(drop(on=0, billed=billed))
    with pytest.raises(httpx2.RemoteProtocolError):
        ask(simulator)
    ask(simulator)
    assert len(simulator.bill) == entries + 1
    whole = simulator.bill[-1].output_tokens
    if billed == "all":
        assert simulator.bill[0].output_tokens == whole
    elif billed == "streamed":
        assert 0 < simulator.bill[0].output_tokens < whole


def test_a_script_plays_a_cut_reply_again_and_one_that_was_left_not() -> None:
    simulator = simulator_with(truncate(on=0))
    ask(simulator)
    assert text_of(ask(simulator)) == TEXT

    left = simulator_with()

    async def leave() -> None:
        async with client_of(left) as client, client.beta.messages.stream(**params()) as events:
            async for event in events:
                if event.type == "content_block_delta":
                    break

    run(leave())
    assert text_of(ask(left)) == "Second."


def test_a_client_that_leaves_is_seen_and_pays_for_what_it_got() -> None:
    simulator = simulator_with()

    async def leave() -> None:
        async with client_of(simulator) as client:
            async with client.beta.messages.stream(**params()) as events:
                async for event in events:
                    if event.type == "content_block_delta":
                        break
            await simulator.requests[0].disconnected

    run(leave())
    record = simulator.requests[0]
    assert record.closed_early
    assert not record.closed_while_silent
    assert not simulator.bill[0].completed
    assert 0 < simulator.bill[0].output_tokens < 30


@pytest.mark.parametrize("before_headers", [True, False])
def test_a_disconnect_is_seen_while_the_stream_is_silent(before_headers: bool) -> None:  # noqa: FBT001 - a column
    simulator = simulator_with(silence(on=0, before_headers=before_headers))

    async def work() -> None:
        async with client_of(simulator) as client:
            asking = asyncio.create_task(stream(client))
            await simulator.arrival(0)
            record = simulator.requests[0]
            await record.silent
            assert not record.closed_early
            asking.cancel()
            await record.disconnected
            with pytest.raises(asyncio.CancelledError):
                await asking

    run(work())
    assert simulator.requests[0].closed_while_silent


def test_a_held_reply_goes_on_at_a_signal() -> None:
    gate = Signal()
    simulator = simulator_with(hold(gate, on=0))

    async def work() -> str:
        async with client_of(simulator) as client:
            asking = asyncio.create_task(stream(client))
            await simulator.arrival(0)
            await simulator.requests[0].silent
            assert not asking.done()
            gate.set()
            return text_of(await asking)

    assert run(work()) == TEXT
    assert simulator.bill[0].completed


def test_a_fault_hits_the_requests_it_names() -> None:
    simulator = Simulator(
        Scripted([], then=Reply(text="Done.")), faults=[overloaded(on=range(1, 3))]
    )
    statuses = []
    for _ in range(4):
        try:
            ask(simulator)
        except anthropic.APIStatusError as error:
            statuses.append(error.status_code)
        else:
            statuses.append(200)
    assert statuses == [200, 529, 529, 200]

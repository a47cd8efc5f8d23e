"""The standalone server, with the real blocking SDK client over a real socket."""

from __future__ import annotations

import anthropic
import httpx2
import pytest
from anthropic import Anthropic, beta_tool

from budget_magic.errors import ConfigurationError
from budget_magic.simulator import (
    Fault,
    Reply,
    drop,
    error_event,
    silence,
    truncate,
)
from budget_magic.simulator.server import SimulatorServer, serve
from tests.simulator.helpers import params

TEXT = "Simulated words, enough for some deltas. " * 12


def client_of(server: SimulatorServer) -> Anthropic:
    return Anthropic(api_key="x", base_url=server.url, max_retries=0)


@beta_tool
def temperature(city: str) -> str:
    """Gives the temperature of a city.

    Args:
        city: name of the city
    """
    return f"{city}: 21 degrees"


@pytest.mark.parametrize("streams", [True, False])
def test_the_sdk_s_tool_runner_works_through_a_loop_with_a_budget(streams: bool) -> None:  # noqa: FBT001 - a column
    with serve() as server, client_of(server) as client:
        runner = client.beta.messages.tool_runner(
            model="claude-opus-5-5",
            max_tokens=4_000,
            messages=[{"role": "user", "content": "What is the temperature in Paris?"}],
            tools=[temperature],
            thread=False,
            stream=streams,
            output_config={"task_budget": {"type": "tokens", "total": 20_000}},
            betas=["task-budgets-2026-03-13"],
        )
        last = [
            item if isinstance(item, anthropic.types.beta.BetaMessage) else item.get_final_message()
            for item in runner
        ][-1]
        assert last.stop_reason == "end_turn"
        assert "Paris: 21 degrees" in "".join(b.text for b in last.content if b.type == "text")
        assert len(server.simulator.bill) == 2
        assert all(entry.completed for entry in server.simulator.bill)


def test_models_and_token_counts_are_served() -> None:
    with serve() as server, client_of(server) as client:
        ids = [model.id for model in client.beta.models.list()]
        assert "claude-opus-5-5" in ids
        info = client.beta.models.retrieve("claude-opus-4-6")
        assert info.capabilities is not None
        assert info.capabilities.effort.max.supported
        assert info.capabilities.effort.xhigh is not None
        assert not info.capabilities.effort.xhigh.supported
        assert info.max_tokens == 128_000
        with pytest.raises(anthropic.NotFoundError):
            client.beta.models.retrieve("claude-opus-9")
        wanted = {key: value for key, value in params().items() if key != "max_tokens"}
        assert client.beta.messages.count_tokens(**wanted).input_tokens > 0


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (drop(on=0), httpx2.RemoteProtocolError),
        (drop(on=0, after_bytes=700), httpx2.RemoteProtocolError),
        (drop(on=0, before_headers=True), anthropic.APIConnectionError),
        (error_event(on=0), anthropic.APIStatusError),
    ],
)
def test_faults_break_real_connections_and_the_next_request_works(
    fault: Fault, error: type[Exception]
) -> None:
    with serve([Reply(text=TEXT)], faults=[fault]) as server, client_of(server) as client:
        with pytest.raises(error), client.beta.messages.stream(**params()) as events:
            events.get_final_message()
        assert not server.simulator.bill[0].completed
        with client.beta.messages.stream(**params()) as events:
            assert events.get_final_message().stop_reason == "end_turn"


def test_a_stream_can_end_early_in_good_order() -> None:
    fault = truncate(on=0)
    with (
        serve([Reply(text=TEXT)], faults=[fault]) as server,
        client_of(server) as client,
        client.beta.messages.stream(**params()) as events,
    ):
        assert events.get_final_message().stop_reason is None


def test_a_disconnect_is_seen_while_the_socket_is_silent() -> None:
    fault = silence(on=0)
    with serve([Reply(text=TEXT)], faults=[fault]) as server, client_of(server) as client:
        with client.beta.messages.stream(**params()) as events:
            for event in events:
                if event.type == "content_block_delta":
                    break
            assert server.simulator.requests[0].silent.wait()
            assert not server.simulator.requests[0].closed_early
        record = server.simulator.requests[0]
        assert record.disconnected.wait()
        assert record.closed_while_silent


def test_a_port_that_is_taken_is_named() -> None:
    with serve() as server, pytest.raises(ConfigurationError, match=f"port {server.port}"):
        serve(port=server.port)


def test_a_key_that_is_not_ascii_gets_a_response() -> None:
    with serve([Reply(text="Hello.")]) as server:
        response = httpx2.post(
            f"{server.url}/v1/messages",
            headers={b"x-api-key": "sk-ant-…123".encode()},
            json={},
        )

    assert response.status_code == 400

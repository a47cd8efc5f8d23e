"""Which broken connections certainly cost nothing, and which may have been billed."""

from __future__ import annotations

import socket
from decimal import Decimal

import anthropic
import httpx2
import pytest

from budget_magic import Task
from budget_magic.events import AttemptFailed, StepStarted
from budget_magic.simulator import Reply, Simulator
from budget_magic.simulator.server import SimulatorServer
from budget_magic.wire.sdk import simulated_client
from tests.loop.running import facts

CERTAIN = [
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
]
UNCERTAIN = [
    httpx2.WriteError,
    httpx2.WriteTimeout,
    httpx2.ReadError,
    httpx2.ReadTimeout,
    httpx2.RemoteProtocolError,
]


class Breaking(httpx2.AsyncBaseTransport):
    """A connection that breaks in one way."""

    def __init__(self, error: type[httpx2.TransportError]) -> None:
        self._error = error

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Break."""
        raise self._error("broken", request=request)


def failures(client: object) -> tuple[Task, list[AttemptFailed]]:
    """A task on that client, and how its attempts failed."""
    task = Task("audit", client=client, tools="none", budget=None)
    outcome = task.run("Hello.")
    assert (outcome.state, outcome.reason) == ("failed", "connection")
    return task, facts(task, AttemptFailed)


@pytest.mark.parametrize("error", CERTAIN)
def test_a_connection_that_was_never_made_holds_nothing(
    error: type[httpx2.TransportError],
) -> None:
    task, failed = failures(simulated_client(Breaking(error)))

    assert failed
    assert task.spend.unconfirmed_usd == task.spend.unconfirmed_tokens == 0


@pytest.mark.parametrize("error", UNCERTAIN)
def test_a_connection_that_broke_later_holds_the_worst_case(
    error: type[httpx2.TransportError],
) -> None:
    task, failed = failures(simulated_client(Breaking(error)))

    held = [started.held_usd for started in facts(task, StepStarted)]
    assert [one.unconfirmed_usd for one in failed] == held * len(failed)
    assert task.spend.unconfirmed_usd > Decimal("0.5")


def test_a_key_with_a_line_end_is_named_and_holds_nothing() -> None:
    with SimulatorServer(Simulator([Reply(text="Hello.")])) as server:
        client = anthropic.AsyncAnthropic(api_key="sk-ant-abcdefgh\n", base_url=server.url)
        task = Task("audit", client=client, tools="none", budget=None)

        outcome = task.run("Hello.")

    assert (outcome.state, outcome.reason) == ("failed", "configuration")
    assert "look for a line end in the API key" in outcome.detail
    assert task.spend.unconfirmed_usd == 0
    assert not facts(task, AttemptFailed)


def test_a_port_where_nothing_listens_holds_nothing() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = anthropic.AsyncAnthropic(api_key="none", base_url=f"http://127.0.0.1:{port}")

    task, failed = failures(client)

    assert "ConnectError" in failed[0].why
    assert task.spend.unconfirmed_usd == 0

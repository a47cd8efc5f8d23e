"""What is added to the API's count of a prompt, and that a count cannot hold a turn up."""

from __future__ import annotations

import asyncio
import gzip
from decimal import Decimal

import httpx2
import pytest

from budget_magic import Ceilings, Task
from budget_magic.errors import ConnectionBroken
from budget_magic.events import StepStarted, TurnFinished
from budget_magic.simulator import Greedy, Reply, Simulator
from budget_magic.wire import Request
from budget_magic.wire.sdk import SdkClient, simulated_client
from tests.loop.running import CUT_S, facts, task_on

LONG = "word " * 60_000


@pytest.mark.parametrize("error", [0.01, 0.03, 0.05])
@pytest.mark.parametrize("seed", range(4))
def test_a_count_up_to_five_percent_too_small_passes_no_ceiling(error: float, seed: int) -> None:
    simulator = Simulator(Greedy(), seed=seed, count_error=error, inference_geo="us")
    open_ = Ceilings(cost_usd=Decimal("0.60"), total_tokens=None, steps=None)
    task = task_on(simulator, budget=None, ceilings=open_)

    outcome = task.run(LONG)

    assert outcome.reason == "cost_ceiling"
    assert simulator.requests
    assert simulator.bill.total_usd <= Decimal("0.60")


def test_the_margin_is_six_percent_until_the_error_is_known_and_two_beyond_it_then() -> None:
    scene = [Reply(text="One.", output_tokens=300), Reply(text="Two.", output_tokens=300)]
    simulator = Simulator(scene)
    ceilings = Ceilings(cost_usd=None, total_tokens=200_000)
    task = task_on(simulator, budget=None, tools="none", ceilings=ceilings)

    task.run(LONG)
    task.run(LONG)

    held = [one.held_tokens - one.max_tokens for one in facts(task, StepStarted)]
    sizes = [request.prompt_tokens or 0 for request in simulator.requests]
    margins = [one / size - 1 for one, size in zip(held, sizes, strict=True)]
    assert margins == pytest.approx([0.06, 0.02], abs=0.002)


class Hanging(httpx2.AsyncBaseTransport):
    """A server that never answers a count."""

    def __init__(self, simulator: Simulator) -> None:
        self._inner = simulator.transport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer everything else."""
        if request.url.path.endswith("/count_tokens"):
            await asyncio.Event().wait()
        return await self._inner.handle_async_request(request)


def test_a_count_that_hangs_ends_with_the_time_ceiling() -> None:
    simulator = Simulator([Reply(text="Done.")])
    client = simulated_client(Hanging(simulator))
    ceilings = Ceilings(cost_usd=Decimal("0.50"), elapsed_s=CUT_S)
    task = task_on(simulator, client=client, budget=None, ceilings=ceilings)

    outcome = task.run(LONG)

    assert (outcome.state, outcome.reason) == ("halted", "time_ceiling")
    assert outcome.total.cost_usd == outcome.total.unconfirmed_usd == 0
    assert simulator.requests == []


def test_a_count_that_hangs_hears_a_stop() -> None:
    simulator = Simulator([Reply(text="Done.")])
    client = simulated_client(Hanging(simulator))
    open_ = Ceilings(cost_usd=Decimal("0.50"), elapsed_s=None)
    task: Task = task_on(simulator, client=client, budget=None, ceilings=open_)

    async def main() -> None:
        running = asyncio.ensure_future(task.arun(LONG))
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())

    (finished,) = facts(task, TurnFinished)
    assert finished.state == "interrupted"
    assert not task.is_running


class Miscounting(httpx2.AsyncBaseTransport):
    """A server whose counts are far below its bill."""

    def __init__(self, simulator: Simulator, tokens: int) -> None:
        self._inner, self._tokens = simulator.transport(), tokens

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer everything but a count."""
        if request.url.path.endswith("/count_tokens"):
            return httpx2.Response(200, json={"input_tokens": self._tokens})
        return await self._inner.handle_async_request(request)


@pytest.mark.parametrize("tokens", [0, 1, 20, 21, 5_000])
@pytest.mark.parametrize(
    "ceilings", [Ceilings(cost_usd=Decimal("0.10")), Ceilings(total_tokens=20_000)]
)
def test_a_count_that_cannot_be_right_is_not_used(tokens: int, ceilings: Ceilings) -> None:
    simulator = Simulator([Reply(text="Done.", output_tokens=50)] * 3)
    client = simulated_client(Miscounting(simulator, tokens))
    task = task_on(simulator, client=client, budget=None, tools="none", ceilings=ceilings)

    outcome = task.run(LONG)

    assert outcome.state == "halted"
    assert simulator.requests == []


class Compressing(httpx2.AsyncBaseTransport):
    """A server that compresses what was asked for without compression."""

    def __init__(self, status: int) -> None:
        self._status = status
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a small body that expands to a large one."""
        self.asked.append(request.headers.get("accept-encoding", ""))
        return httpx2.Response(
            self._status,
            headers={"content-encoding": "gzip", "content-type": "text/event-stream"},
            content=gzip.compress(b": " + b" " * 5_000_000 + b"\n"),
        )


def test_a_compressed_stream_is_refused_before_it_is_expanded() -> None:
    server = Compressing(200)
    request = Request(
        model="claude-opus-5-5",
        max_tokens=100,
        system="",
        tools=(),
        messages=({"role": "user", "content": [{"type": "text", "text": "Hello."}]},),
        effort=None,
        budget=None,
    )

    async def main() -> None:
        async for _ in SdkClient(simulated_client(server)).stream(request):
            pass

    with pytest.raises(ConnectionBroken, match="compressed its reply"):
        asyncio.run(main())
    assert server.asked == ["identity"]

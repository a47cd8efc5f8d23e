"""`Simulator`: the Messages API in this process, with its bill and a record of each request."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import httpx2

from budget_magic.simulator.bill import Bill
from budget_magic.simulator.core import Core
from budget_magic.simulator.countdown import Carry
from budget_magic.simulator.exchange import RequestRecord
from budget_magic.simulator.faults import Fault
from budget_magic.simulator.scenes import SceneLike, find_scene
from budget_magic.simulator.signals import Signal
from budget_magic.simulator.stream import Streaming
from budget_magic.simulator.transport import AsyncSimulatorTransport, SimulatorTransport


class Simulator:
    """The Messages API, played in this process for the real SDK client.

    Parameters
    ----------
    scene
        What the model does: the name of a shipped scene, a TOML file, a scene, a list of replies,
        or a function from a view to a reply.
    seed
        Decides everything that is left to chance.
    pace_tokens_per_s
        Streams in real time at this pace; None sends as fast as the client reads.
    faults
        What goes wrong, and with which request.
    carry
        What a user message without tool results does to the budget: see `Carry`.
    clock
        Seconds, for the expiry of cache entries.
    delta_characters
        Length of one delta; None means 40 in real time, else at most 8 deltas a block.
    count_error
        Largest share by which `count_tokens` is off, by seed, up or down.
    cache_miss_rate
        Share of requests that miss the cache for no reason, by seed.
    wrong_keys
        API keys that are refused, besides "invalid".
    inference_geo
        Where requests run that do not say: "us" costs 1.1 times as much.
    keeps_bodies
        Whether `requests` keeps what was sent; a server that runs for days should not.

    Examples
    --------
    With the SDK: `AsyncAnthropic(api_key="x", base_url="http://simulator",
    http_client=httpx2.AsyncClient(transport=simulator.transport()))`. By hand:

    >>> from budget_magic.simulator import Reply
    >>> simulator = Simulator([Reply(text="This is simulated.", output_tokens=1_000)])
    >>> body = {"model": "claude-opus-5-5", "max_tokens": 2_000,
    ...         "messages": [{"role": "user", "content": "Hello."}]}
    >>> with httpx2.Client(transport=simulator.sync_transport()) as client:
    ...     answer = client.post(
    ...         "http://simulator/v1/messages", json=body, headers={"x-api-key": "x"})
    >>> answer.json()["content"][0]["text"]
    'This is simulated.'
    >>> simulator.bill.total_usd
    Decimal('0.020036')
    """

    def __init__(  # noqa: PLR0913 - one keyword per thing that can be simulated
        self,
        scene: SceneLike = "audit",
        *,
        seed: int = 0,
        pace_tokens_per_s: float | None = None,
        faults: Sequence[Fault] = (),
        carry: Carry = "today",
        clock: Callable[[], float] = time.monotonic,
        delta_characters: int | None = None,
        count_error: float = 0.0,
        cache_miss_rate: float = 0.0,
        wrong_keys: Sequence[str] = (),
        inference_geo: str = "global",
        keeps_bodies: bool = True,
    ) -> None:
        self._core = Core(
            find_scene(scene),
            seed=seed,
            faults=faults,
            carry=carry,
            clock=clock,
            streaming=Streaming(tokens_per_s=pace_tokens_per_s, delta_characters=delta_characters),
            count_error=count_error,
            cache_miss_rate=cache_miss_rate,
            wrong_keys=wrong_keys,
            inference_geo=inference_geo,
            keeps_bodies=keeps_bodies,
        )

    @property
    def core(self) -> Core:
        """What answers, for transports and servers."""
        return self._core

    @property
    def bill(self) -> Bill:
        """What was billed, also for requests whose client went away."""
        return self._core.bill

    @property
    def requests(self) -> list[RequestRecord]:
        """The POSTs to /v1/messages, in the order in which they came."""
        return self._core.requests

    @property
    def other_requests(self) -> list[RequestRecord]:
        """All other requests: token counts, models, wrong paths."""
        return self._core.other_requests

    @property
    def faults(self) -> list[Fault]:
        """What goes wrong; may be changed between requests."""
        return self._core.faults

    def arrival(self, number: int) -> Signal:
        """A signal that is set once the POST to /v1/messages of that number, from 0, has come."""
        return self._core.arrival(number)

    def transport(self) -> httpx2.AsyncBaseTransport:
        """For `httpx2.AsyncClient(transport=...)`, which the async SDK client takes."""
        return AsyncSimulatorTransport(self._core)

    def sync_transport(self) -> httpx2.BaseTransport:
        """For `httpx2.Client(transport=...)`, which the blocking SDK client takes."""
        return SimulatorTransport(self._core)

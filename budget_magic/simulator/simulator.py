"""`Simulator`: the Messages API in this process, with its bill and a record of each request."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import httpx2
from pydantic_core import from_json

from budget_magic.simulator import capabilities
from budget_magic.simulator.bill import Bill, BilledRequest
from budget_magic.simulator.cache import PromptCache
from budget_magic.simulator.countdown import Carry, remaining_tokens
from budget_magic.simulator.errors import ApiError
from budget_magic.simulator.faults import Fault
from budget_magic.simulator.generation import GeneratedReply
from budget_magic.simulator.prompt import Prompt, ReplyMemory
from budget_magic.simulator.record import RequestRecord
from budget_magic.simulator.request import Request
from budget_magic.simulator.response import JSON_HEADERS, ReplyStream, encode_json
from budget_magic.simulator.scenes import SceneLike, find_scene
from budget_magic.simulator.scenes.context import make_context
from budget_magic.simulator.scenes.scene import Reply
from budget_magic.simulator.signals import Signal
from budget_magic.simulator.stream import Pacing
from budget_magic.simulator.tokens import JsonObject

_MESSAGES: Final = ("POST", "/v1/messages")


class Simulator:
    """The Messages API, simulated in this process for the real SDK client.

    All methods are safe to call from several threads.

    Parameters
    ----------
    scene
        What the model does: the name of a shipped scene, a TOML file, a scene, a list of replies,
        or a function that maps a `SceneContext` to a reply.
    seed
        Decides everything that is random.
    pace_tokens_per_s
        Pace of streams in real time; None sends as fast as the client reads.
    faults
        The faults to inject, each with the requests it affects.
    carry
        What a user message without tool results does to the budget: see `Carry`.
    clock
        Returns seconds, for the expiry of cache entries.
    delta_characters
        Length of a delta; None means 40 if paced, else at most 8 deltas a block.
    count_error
        Largest relative error of `count_tokens`, up or down, by seed.
    cache_miss_rate
        Share of requests, chosen by seed, that miss the cache for no reason.
    wrong_keys
        API keys that are rejected, besides "invalid".
    inference_geo
        Region of requests that name none: "us" costs 1.1 times as much.
    keeps_bodies
        Whether `requests` keeps what was sent; a server that runs for days should not.

    Examples
    --------
    >>> from budget_magic.simulator import Reply
    >>> simulator = Simulator([Reply(text="This is simulated.", output_tokens=1_000)])
    >>> http_client = httpx2.AsyncClient(transport=simulator.transport())

    Pass it to the SDK: `AsyncAnthropic(api_key="x", http_client=http_client)`.
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
        self.scene = find_scene(scene)
        self.faults = list(faults)
        """The faults to inject; may be changed between requests."""
        self.bill = Bill()
        """What was billed, including requests whose client disconnected."""
        self.requests: list[RequestRecord] = []
        """The POSTs to /v1/messages, in the order in which they arrived."""
        self.other_requests: list[RequestRecord] = []
        """All other requests: token counts, models, unknown paths."""
        self._seed = seed
        self._pacing = Pacing(tokens_per_s=pace_tokens_per_s, delta_characters=delta_characters)
        self._carry: Carry = carry
        self._count_error = count_error
        self._cache = PromptCache(clock, miss_rate=cache_miss_rate, seed=seed)
        self._memory = ReplyMemory()
        self._wrong_keys = {"invalid", *wrong_keys}
        self._inference_geo = inference_geo
        self._keeps_bodies = keeps_bodies
        self._arrivals: dict[int, Signal] = {}
        self._lock = threading.RLock()

    def transport(self) -> httpx2.AsyncBaseTransport:
        """Return a transport for `httpx2.AsyncClient`, which the async SDK client takes."""
        return httpx2.MockTransport(self.respond)

    def arrival(self, number: int) -> Signal:
        """Return a signal that is set once the POST to /v1/messages with this number arrives."""
        with self._lock:
            signal = self._arrivals.setdefault(number, Signal())
            if number < len(self.requests):
                signal.set()
            return signal

    async def respond(self, request: httpx2.Request) -> httpx2.Response:
        """Respond to a request; raise `httpx2.TransportError` if a fault breaks the connection."""
        raw = await request.aread()
        with self._lock:
            record = self._record(request, raw)
            source = f"{self._seed}/{record.path}/{record.number}".encode() + raw
            request_id = f"req_sim_{hashlib.blake2b(source, digest_size=11).hexdigest()}"
            headers = {"request-id": request_id}
            try:
                answer = self._answer(record, raw, headers)
            except ApiError as error:
                record.status, record.error = error.status, error.message
                answer, headers = error.body(request_id), headers | error.headers
        if isinstance(answer, ReplyStream):
            return await answer.start()
        record.finished = True
        body = httpx2.ByteStream(encode_json(answer))
        return httpx2.Response(record.status, headers=JSON_HEADERS | headers, stream=body)

    def _record(self, request: httpx2.Request, raw: bytes) -> RequestRecord:
        path = request.url.path.rstrip("/")
        is_message = (request.method, path) == _MESSAGES
        records = self.requests if is_message else self.other_requests
        record = RequestRecord(
            number=len(records),
            method=request.method,
            path=path,
            headers={name.lower(): value for name, value in request.headers.items()},
            size=len(raw),
        )
        records.append(record)
        if is_message:
            self.arrival(record.number)
        return record

    def _answer(
        self, record: RequestRecord, raw: bytes, headers: Mapping[str, str]
    ) -> JsonObject | ReplyStream:
        body = _decode(raw) if record.method == "POST" else {}
        record.body = body if self._keeps_bodies else {}
        self._authenticate(record)
        match record.method, record.path.split("/"):
            case "POST", ["", "v1", "messages"]:
                return self._create_message(record, body, headers)
            case "POST", ["", "v1", "messages", "count_tokens"]:
                return self._count_tokens(record, body)
            case "GET", ["", "v1", "models"]:
                return capabilities.model_list()
            case "GET", ["", "v1", "models", model_id]:
                return capabilities.model_info(capabilities.get_model(model_id))
        raise ApiError(f"Not Found: {record.method} {record.path}", status=404)

    def _authenticate(self, record: RequestRecord) -> None:
        key = record.headers.get("x-api-key", "")
        token = record.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not key and not token:
            raise ApiError("x-api-key header is required", status=401)
        if not self._wrong_keys.isdisjoint((key, token)):
            raise ApiError("invalid x-api-key", status=401)

    def _count_tokens(self, record: RequestRecord, body: JsonObject) -> JsonObject:
        request = Request(body, record.headers, counting=True)
        exact = Prompt(request, self._memory, self.scene.prompt_tokens).tokens
        rng = random.Random(f"{self._seed}/{exact}/{record.size}")  # noqa: S311 - reproducible
        return {"input_tokens": round(exact * (1 + self._count_error * rng.uniform(-1, 1)))}

    def _create_message(
        self, record: RequestRecord, body: JsonObject, headers: Mapping[str, str]
    ) -> ReplyStream:
        faults = [fault for fault in self.faults if fault.applies_to(record.number)]
        for fault in faults:
            if fault.kind == "refuse":
                raise httpx2.ConnectError("All connection attempts failed")
            if fault.kind == "status":
                raise fault.error
        request = Request(body, record.headers)
        prompt = Prompt(request, self._memory, self.scene.prompt_tokens)
        prompt.check()
        reply = self._generate(record, prompt)
        region = request.body.inference_geo or self._inference_geo
        record.billed = BilledRequest(
            number=record.number,
            model=request.model,
            split=self._cache.charge(prompt),
            speed=request.body.speed,
            inference_geo=region if request.model.takes_inference_geo else "not_available",
        )
        self.bill.append(record.billed)
        return ReplyStream(
            record=record,
            headers=headers,
            reply=reply,
            billed=record.billed,
            bill=self.bill,
            pacing=self._pacing,
            faults=faults,
            scene=self.scene,
        )

    def _generate(self, record: RequestRecord, prompt: Prompt) -> GeneratedReply:
        request, remaining = prompt.request, remaining_tokens(prompt, self._carry)
        plan = Reply(stop_reason="max_tokens")
        if request.body.max_tokens:
            context = make_context(prompt, seed=self._seed, remaining=remaining)
            plan = self.scene.reply(context)
        used = request.budget.total - (remaining or 0) if request.budget else 0
        reply = GeneratedReply(plan, prompt, seed=self._seed, used_tokens=used)
        reply.remember(self._memory)
        record.prompt_tokens = prompt.tokens
        record.remaining_before = remaining
        record.remaining_after = None if remaining is None else remaining - reply.output_tokens
        return reply


def _decode(raw: bytes) -> JsonObject:
    try:
        value = from_json(raw, allow_inf_nan=False)
    except ValueError:
        raise ApiError("The request body is not valid JSON") from None
    if not isinstance(value, dict):
        raise ApiError("body: Input should be an object")
    return value

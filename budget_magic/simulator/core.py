"""The simulated Messages API without any transport: bytes in, an exchange to play out."""

from __future__ import annotations

import hashlib
import json
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from budget_magic.simulator import facts
from budget_magic.simulator.bill import Bill, BilledRequest
from budget_magic.simulator.cache import PromptCache
from budget_magic.simulator.countdown import Carry, remaining_tokens
from budget_magic.simulator.exchange import Exchange, RequestRecord
from budget_magic.simulator.faults import Fault
from budget_magic.simulator.memory import Memory
from budget_magic.simulator.parse import parse_betas, parse_request
from budget_magic.simulator.playing import Playing, no_connection, whole
from budget_magic.simulator.prompt import Prompt, block_digest, build_prompt
from budget_magic.simulator.refusal import Refused, error_body
from budget_magic.simulator.render import Drawn, block_json, draw
from budget_magic.simulator.reply import Reply
from budget_magic.simulator.request import Request
from budget_magic.simulator.scenes import Scene
from budget_magic.simulator.signals import Signal
from budget_magic.simulator.stream import Streaming
from budget_magic.simulator.tokens import JsonObject
from budget_magic.simulator.view import make_view

_SUMMARISE: Final = "Summarise the conversation so that it can go on from the summary alone."
WRONG_KEY: Final = "invalid"
"""This API key is always refused."""


class Core:
    """Answers requests; safe to use from several threads.

    The parameters are those of `Simulator`.
    """

    def __init__(  # noqa: PLR0913 - one keyword per thing that can be simulated
        self,
        scene: Scene,
        *,
        seed: int,
        faults: Sequence[Fault],
        carry: Carry,
        clock: Callable[[], float],
        streaming: Streaming,
        count_error: float,
        cache_miss_rate: float,
        wrong_keys: Sequence[str],
        inference_geo: str,
        keeps_bodies: bool,
    ) -> None:
        self.scene = scene
        self.seed = seed
        self.faults = list(faults)
        self.carry: Carry = carry
        self.clock = clock
        self.streaming = streaming
        self.count_error = count_error
        self.wrong_keys = frozenset({WRONG_KEY, *wrong_keys})
        self.inference_geo = inference_geo
        self.keeps_bodies = keeps_bodies
        self.bill = Bill()
        self.requests: list[RequestRecord] = []
        self.other_requests: list[RequestRecord] = []
        self.memory = Memory()
        self.cache = PromptCache(clock, miss_rate=cache_miss_rate, seed=seed)
        self._lock = threading.RLock()
        self._arrivals: dict[int, Signal] = {}

    def arrival(self, number: int) -> Signal:
        """What is set when the POST to /v1/messages of that number has arrived."""
        with self._lock:
            signal = self._arrivals.setdefault(number, Signal())
            if number < len(self.requests):
                signal.set()
            return signal

    def receive(self, method: str, path: str, headers: Mapping[str, str], raw: bytes) -> Exchange:
        """The answer to a request; nothing of it is played yet."""
        with self._lock:
            path = path.rstrip("/")
            lower = {name.lower(): value for name, value in headers.items()}
            record = self._record(method, path, lower, raw)
            request_id = self._request_id(record, raw)
            try:
                self._authenticate(lower)
                if (method, path) == ("POST", "/v1/messages"):
                    return self._messages(record, raw, request_id)
                body = self._other(method, path, raw, lower)
            except Refused as refused:
                return _refuse(record, refused, request_id)
            return whole(record, body, request_id)

    def _record(
        self, method: str, path: str, headers: Mapping[str, str], raw: bytes
    ) -> RequestRecord:
        is_message = (method, path) == ("POST", "/v1/messages")
        records = self.requests if is_message else self.other_requests
        record = RequestRecord(
            number=len(records),
            method=method,
            path=path,
            headers=headers,
            body=(_decoded(raw) if self.keeps_bodies else None) or {},
            received_at=self.clock(),
        )
        records.append(record)
        if is_message:
            self.arrival(record.number)
        return record

    def _request_id(self, record: RequestRecord, raw: bytes) -> str:
        seed = f"{self.seed}/{record.path}/{record.number}".encode()
        return f"req_sim_{hashlib.blake2b(seed + raw, digest_size=11).hexdigest()}"

    def _authenticate(self, headers: Mapping[str, str]) -> None:
        key = headers.get("x-api-key") or ""
        token = headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not key and not token:
            raise Refused("x-api-key header is required", status=401)
        if key in self.wrong_keys or token in self.wrong_keys:
            raise Refused("invalid x-api-key", status=401)

    def _other(self, method: str, path: str, raw: bytes, headers: Mapping[str, str]) -> JsonObject:
        if (method, path) == ("POST", "/v1/messages/count_tokens"):
            return self._count(raw, headers)
        if (method, path) == ("GET", "/v1/models"):
            return facts.model_list()
        if method == "GET" and path.startswith("/v1/models/"):
            return facts.model_info(facts.known_model(path.removeprefix("/v1/models/")))
        raise Refused(f"Not Found: {method} {path}", status=404)

    def _count(self, raw: bytes, headers: Mapping[str, str]) -> JsonObject:
        betas = parse_betas(headers.get("anthropic-beta", ""))
        request = parse_request(_body(raw), betas, counting=True)
        exact = build_prompt(request, self.memory, self.scene.prompt_tokens).tokens
        rng = random.Random(f"{self.seed}/{exact}/{len(raw)}")  # noqa: S311 - reproducible
        return {"input_tokens": round(exact * (1 + self.count_error * rng.uniform(-1, 1)))}

    def _messages(self, record: RequestRecord, raw: bytes, request_id: str) -> Exchange:
        faults = [fault for fault in self.faults if fault.is_on(record.number)]
        for fault in faults:
            if fault.kind == "refuse":
                return no_connection(record)
            if fault.kind == "status":
                raise fault.refusal()
        betas = parse_betas(record.headers.get("anthropic-beta", ""))
        request = parse_request(_body(raw), betas)
        prompt = build_prompt(request, self.memory, self.scene.prompt_tokens)
        if prompt.tokens > request.model.context_tokens:
            raise Refused(
                f"prompt is too long: {prompt.tokens} tokens > {request.model.context_tokens}"
                " maximum"
            )
        self._check_prefill(request, prompt)
        remaining = remaining_tokens(request, prompt, self.carry)
        view = make_view(
            request, number=record.number, seed=self.seed, digest=prompt.digest, remaining=remaining
        )
        if request.sent.compaction is not None:
            asked = request.sent.compaction.get("instructions") or _SUMMARISE
            view = replace(view, asked=asked, tool_choice="none")
        reply = (
            self.scene.reply(view) if request.sent.max_tokens else Reply(stop_reason="max_tokens")
        )
        used = 0 if view.budget is None else view.budget - (remaining or 0)
        drawn = draw(
            reply,
            request,
            digest=prompt.digest,
            prompt_tokens=prompt.tokens,
            seed=self.seed,
            used=used,
        )
        self._remember(drawn, prompt)
        record.billed = self.bill.add(
            BilledRequest(
                number=record.number,
                model=request.model,
                split=self.cache.charge(request, prompt),
                speed=request.sent.speed,
                inference_geo=facts.region(
                    request.model, request.sent.inference_geo, self.inference_geo
                ),
            )
        )
        record.prompt_tokens = prompt.tokens
        record.remaining_before = remaining
        record.remaining_after = None if remaining is None else remaining - drawn.output_tokens
        playing = Playing(
            record=record,
            request=request,
            prompt=prompt,
            drawn=drawn,
            billed=record.billed,
            request_id=request_id,
            faults=faults,
            streaming=self.streaming,
            bill=self.bill,
            unplayed=lambda: self.scene.unplayed(view, reply),
        )
        return playing.exchange()

    def _check_prefill(self, request: Request, prompt: Prompt) -> None:
        if request.sent.compaction is not None:
            return
        last = [message for message in request.messages if message.role != "system"][-1]
        if last.role == "assistant" and prompt.digest not in self.memory.paused:
            raise Refused(
                "This model does not support assistant message prefill. The conversation must end"
                " with a user message."
            )

    def _remember(self, drawn: Drawn, prompt: Prompt) -> None:
        digest = prompt.digest
        for part in drawn.parts:
            digest = block_digest(digest, "assistant", block_json(part))
            self.memory.block_tokens[digest] = part.tokens
            if part.result_tokens is not None:
                self.memory.result_tokens[part.id] = part.result_tokens
        if drawn.stop_reason == "pause_turn":
            self.memory.paused.add(digest)


def _decoded(raw: bytes) -> JsonObject | None:
    try:
        value = json.loads(raw) if raw else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _body(raw: bytes) -> JsonObject:
    try:
        value = json.loads(raw, parse_constant=_not_json)
    except (ValueError, RecursionError):
        raise Refused("The request body is not valid JSON") from None
    if not isinstance(value, dict):
        raise Refused("body: Input should be an object")
    return value


def _not_json(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _refuse(record: RequestRecord, refused: Refused, request_id: str) -> Exchange:
    record.status, record.error = refused.status, refused.message
    body = error_body(refused.error_type, refused.message, request_id, refused.error_code)
    return whole(record, body, request_id, status=refused.status, headers=refused.headers)

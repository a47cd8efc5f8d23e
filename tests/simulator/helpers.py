"""Helpers that send requests to a simulator with the real SDK client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import httpx2
from anthropic import AsyncAnthropic
from anthropic.types.beta import BetaMessage

from budget_magic.simulator import Simulator

T = TypeVar("T")
BUDGET_BETA = "task-budgets-2026-03-13"
LOOKUP: dict[str, Any] = {
    "name": "lookup",
    "description": "Looks something up.",
    "input_schema": {"type": "object", "properties": {"word": {"type": "string"}}},
}
HELLO: list[dict[str, Any]] = [{"role": "user", "content": "Hello there."}]


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine, for at most 20 seconds."""

    async def guarded() -> T:
        return await asyncio.wait_for(work, 20)

    return asyncio.run(guarded())


def client_of(simulator: Simulator, **options: Any) -> AsyncAnthropic:
    """Return the real async client over the simulator's transport."""
    return AsyncAnthropic(
        **{
            "api_key": "x",
            "base_url": "http://simulator",
            "max_retries": 0,
            "http_client": httpx2.AsyncClient(transport=simulator.transport()),
            **options,
        }
    )


def params(**changes: Any) -> dict[str, Any]:
    """Return the parameters of a plain request with changes; None removes one."""
    plain: dict[str, Any] = {
        "model": "claude-opus-5-5",
        "max_tokens": 4_000,
        "messages": HELLO,
        "thinking": {"type": "adaptive", "display": "summarized"},
    }
    return {key: value for key, value in {**plain, **changes}.items() if value is not None}


def budget(total: int = 100_000, **more: Any) -> dict[str, Any]:
    """Return the parameters of a task budget."""
    config = {"task_budget": {"type": "tokens", "total": total, **more}}
    return {"output_config": config, "betas": [BUDGET_BETA]}


async def stream(client: AsyncAnthropic, **changes: Any) -> BetaMessage:
    """Return the message that a streamed reply adds up to."""
    async with client.beta.messages.stream(**params(**changes)) as events:
        async for _ in events:
            pass
        return await events.get_final_message()


def ask(simulator: Simulator, **changes: Any) -> BetaMessage:
    """Send one streamed request."""

    async def work() -> BetaMessage:
        async with client_of(simulator) as client:
            return await stream(client, **changes)

    return run(work())


def ask_raw(
    simulator: Simulator,
    body: Any,
    *,
    path: str = "/v1/messages",
    headers: dict[str, str] | None = None,
) -> httpx2.Response:
    """Return the response to a body that the SDK would not send."""
    sent = {"x-api-key": "x"} if headers is None else headers

    async def work() -> httpx2.Response:
        async with httpx2.AsyncClient(transport=simulator.transport()) as client:
            return await client.post(f"http://simulator{path}", json=body, headers=sent)

    return run(work())


def said(message: BetaMessage) -> dict[str, Any]:
    """Return the message as it goes into the history."""
    return {"role": "assistant", "content": message.to_dict()["content"]}


def results(message: BetaMessage, text: str = "found") -> dict[str, Any]:
    """Return a user message that answers every call of a reply."""
    return {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": block.id, "content": text}
            for block in message.content
            if block.type == "tool_use"
        ],
    }


def text_of(message: BetaMessage) -> str:
    """Return all text of a reply."""
    return "\n\n".join(block.text for block in message.content if block.type == "text")


Answer = Callable[[str, dict[str, Any]], Awaitable[str]]


async def loop(
    client: AsyncAnthropic, messages: list[dict[str, Any]], answer: Answer, **changes: Any
) -> list[BetaMessage]:
    """Run a whole turn, answering calls until a reply makes none; `messages` grows."""
    replies = []
    while True:
        message = await stream(client, messages=messages, **changes)
        replies.append(message)
        messages.append(said(message))
        blocks = []
        for block in message.content:
            if block.type == "tool_use":
                result = await answer(block.name, dict(block.input))
                blocks.append({"type": "tool_result", "tool_use_id": block.id, "content": result})
        if not blocks:
            return replies
        messages.append({"role": "user", "content": blocks})

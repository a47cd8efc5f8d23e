"""The SDK itself, sync and async, through a streaming tool loop on the standalone simulator."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from anthropic import Anthropic, AsyncAnthropic, beta_async_tool, beta_tool

from budget_magic.simulator.server import serve
from tests.clients.scene import BUDGET_BETA, BUDGET_TOKENS, LIMIT_S, MODEL, PROMPT, SCRIPT, check

DEGREES = {"Paris": 21, "Oslo": 4, "Rome": 25}
COMMON: dict[str, Any] = {
    "model": MODEL,
    "max_tokens": 4_000,
    "thinking": {"type": "adaptive", "display": "summarized"},
    "output_config": {"task_budget": {"type": "tokens", "total": BUDGET_TOKENS}},
    "betas": [BUDGET_BETA],
}


@beta_tool
def temperature(city: str) -> str:
    """Gives the temperature of a city.

    Args:
        city: name of the city
    """
    return f"{city}: {DEGREES[city]} degrees"


@beta_async_tool(name="temperature")
async def temperature_later(city: str) -> str:
    """Gives the temperature of a city.

    Args:
        city: name of the city
    """
    return f"{city}: {DEGREES[city]} degrees"


def test_the_blocking_sdk_is_led_through_a_loop_written_by_hand() -> None:
    with serve(SCRIPT) as server:
        with Anthropic(api_key="x", base_url=server.url, max_retries=0) as client:
            messages: list[Any] = [{"role": "user", "content": PROMPT}]
            while True:
                with client.beta.messages.stream(
                    messages=messages, tools=[temperature.to_dict()], **COMMON
                ) as stream:
                    reply = stream.get_final_message()
                messages.append({"role": "assistant", "content": reply.to_dict()["content"]})
                results = [_result(block) for block in reply.content if block.type == "tool_use"]
                if not results:
                    break
                messages.append({"role": "user", "content": results})
        check(server, _text(reply))


def test_the_async_sdk_is_led_through_a_loop_written_by_hand() -> None:
    async def loop(url: str) -> str:
        async with AsyncAnthropic(api_key="x", base_url=url, max_retries=0) as client:
            messages: list[Any] = [{"role": "user", "content": PROMPT}]
            while True:
                async with client.beta.messages.stream(
                    messages=messages, tools=[temperature.to_dict()], **COMMON
                ) as stream:
                    reply = await stream.get_final_message()
                messages.append({"role": "assistant", "content": reply.to_dict()["content"]})
                results = [_result(block) for block in reply.content if block.type == "tool_use"]
                if not results:
                    return _text(reply)
                messages.append({"role": "user", "content": results})

    with serve(SCRIPT) as server:
        check(server, asyncio.run(asyncio.wait_for(loop(server.url), LIMIT_S)))


@pytest.mark.parametrize("eagerly", [False, True])
def test_the_blocking_tool_runner_goes_through_the_loop(eagerly: bool) -> None:  # noqa: FBT001 - a column
    with serve(SCRIPT) as server:
        with Anthropic(api_key="x", base_url=server.url, max_retries=0) as client:
            runner = client.beta.messages.tool_runner(
                messages=[{"role": "user", "content": PROMPT}],
                tools=[temperature],
                stream=True,
                thread=False,
                run_tools_eagerly=eagerly,
                **COMMON,
            )
            texts = [_text(stream.get_final_message()) for stream in runner]
        check(server, texts[-1])


def test_the_async_tool_runner_goes_through_the_loop() -> None:
    async def loop(url: str) -> str:
        async with AsyncAnthropic(api_key="x", base_url=url, max_retries=0) as client:
            runner = client.beta.messages.tool_runner(
                messages=[{"role": "user", "content": PROMPT}],
                tools=[temperature_later],
                stream=True,
                thread=False,
                **COMMON,
            )
            texts = [_text(await stream.get_final_message()) async for stream in runner]
        return texts[-1]

    with serve(SCRIPT) as server:
        check(server, asyncio.run(asyncio.wait_for(loop(server.url), LIMIT_S)))


def _result(call: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call.id, "content": temperature.call(call.input)}


def _text(reply: Any) -> str:
    return "".join(block.text for block in reply.content if block.type == "text")

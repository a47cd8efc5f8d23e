"""pydantic-ai through a streaming tool loop; run by the python of its own environment.

Arguments: URL, model, budget in tokens, prompt. The last line of the output is JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys

from anthropic import AsyncAnthropic
from pydantic_ai import (  # type: ignore[import-not-found] # lives in an environment of its own
    Agent,
    AgentRunResultEvent,
    PartDeltaEvent,
)
from pydantic_ai.models.anthropic import (  # type: ignore[import-not-found] # likewise
    AnthropicModel,
    AnthropicModelSettings,
)
from pydantic_ai.providers.anthropic import (  # type: ignore[import-not-found] # likewise
    AnthropicProvider,
)

DEGREES = {"Paris": 21, "Oslo": 4, "Rome": 25}


def temperature(city: str) -> str:
    """Give the temperature of a city."""
    return f"{city}: {DEGREES[city]} degrees"


async def main(url: str, model: str, budget: str, prompt: str) -> None:
    """Run the loop and print what came of it."""
    client = AsyncAnthropic(api_key="x", base_url=url, max_retries=0)
    settings = AnthropicModelSettings(
        max_tokens=4_000,
        anthropic_thinking={"type": "adaptive", "display": "summarized"},
        anthropic_task_budget={"type": "tokens", "total": int(budget)},
    )
    agent = Agent(
        AnthropicModel(model, provider=AnthropicProvider(anthropic_client=client)),
        model_settings=settings,
        tools=[temperature],
    )
    deltas, answer = 0, ""
    async with agent.run_stream_events(prompt) as events:
        async for event in events:
            if isinstance(event, PartDeltaEvent):
                deltas += 1
            elif isinstance(event, AgentRunResultEvent):
                answer = event.result.output
    print(json.dumps({"answer": answer, "deltas": deltas}))  # noqa: T201 - what the test reads


asyncio.run(main(*sys.argv[1:]))

"""langchain-anthropic through a streaming tool loop; run by the python of its own environment.

Arguments: URL, model, budget in tokens, prompt. The last line of the output is JSON.
"""

from __future__ import annotations

import json
import sys
from functools import reduce
from operator import add

from langchain_anthropic import (  # type: ignore[import-not-found] # in an environment of its own
    ChatAnthropic,
)
from langchain_core.messages import (  # type: ignore[import-not-found] # likewise
    HumanMessage,
    ToolMessage,
)

DEGREES = {"Paris": 21, "Oslo": 4, "Rome": 25}


def temperature(city: str) -> str:
    """Give the temperature of a city."""
    return f"{city}: {DEGREES[city]} degrees"


def main(url: str, model: str, budget: str, prompt: str) -> None:
    """Run the loop and print what came of it."""
    chat = ChatAnthropic(
        model=model,
        base_url=url,
        api_key="x",
        max_tokens=4_000,
        max_retries=0,
        thinking={"type": "adaptive", "display": "summarized"},
        output_config={"task_budget": {"type": "tokens", "total": int(budget)}},
    ).bind_tools([temperature])
    messages, deltas = [HumanMessage(prompt)], 0
    while True:
        chunks = list(chat.stream(messages))
        deltas += len(chunks)
        reply = reduce(add, chunks)
        messages.append(reply)
        if not reply.tool_calls:
            break
        messages += [
            ToolMessage(temperature(**call["args"]), tool_call_id=call["id"])
            for call in reply.tool_calls
        ]
    print(json.dumps({"answer": reply.text, "deltas": deltas}))  # noqa: T201 - what the test reads


main(*sys.argv[1:])

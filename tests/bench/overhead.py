"""What the harness adds to each step, beside a bare loop on the SDK in the same process.

Both loops send the same requests to the same server and run the same function. The harness alone
emits events, keeps the meter and the ceilings, redacts and records. Nothing is displayed.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import anthropic

import budget_magic
from budget_magic import Ceilings, Task
from budget_magic.session import default_session
from budget_magic.settings.table import SYSTEM
from tests.notebook_runs import ROOT

PROMPT: Final = "Look at every part."
MODEL: Final = "claude-opus-5-5"


@budget_magic.tool(reads=True)
def look(place: str) -> str:
    """Look at a place.

    Parameters
    ----------
    place
        Where.
    """
    return f"{place}: nothing that stands out, 40 lines, last changed in spring."


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """Milliseconds per step of both loops against one server."""

    delay_ms: int
    bare_ms: float
    harness_ms: float

    @property
    def ratio(self) -> float:
        """Harness time by bare time."""
        return self.harness_ms / self.bare_ms

    @property
    def added_ms(self) -> float:
        """What the harness adds to one step."""
        return self.harness_ms - self.bare_ms


def measure(*, delay_ms: int, steps: int, repeats: int) -> Overhead:
    """Medians over runs of both loops in turn, after one run of each that is not counted."""
    with server(delay_ms / 1000, steps) as url:
        pairs = [
            (_timed(_bare, url, steps), _timed(_harness, url, steps)) for _ in range(repeats + 1)
        ]
    bare, harness = zip(*pairs[1:], strict=True)
    return Overhead(
        delay_ms=delay_ms, bare_ms=statistics.median(bare), harness_ms=statistics.median(harness)
    )


@contextmanager
def server(delay_s: float, steps: int) -> Iterator[str]:
    """Give the address of a server that plays a loop of so many steps."""
    command = [sys.executable, "-m", "tests.bench.server", str(delay_s), str(steps)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdout is None or process.stdin is None:
            raise RuntimeError("the server has no pipes")
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()


def _timed(loop: Callable[[anthropic.AsyncAnthropic, int], float], url: str, steps: int) -> float:
    client = anthropic.AsyncAnthropic(api_key="bench", base_url=url, max_retries=0)
    return loop(client, steps) * 1000 / steps


def _harness(client: anthropic.AsyncAnthropic, steps: int) -> float:
    """Seconds that a whole turn takes."""
    task = Task("bench", client=client, tools=[look], ceilings=Ceilings(steps=steps + 1))
    began = time.perf_counter()
    outcome = task.run(PROMPT)
    elapsed_s = time.perf_counter() - began
    default_session().portal.start(client.close).result()
    if (outcome.state, outcome.spend.steps) != ("completed", steps):
        raise RuntimeError(f"the harness took another way: {outcome}")
    return elapsed_s


def _bare(client: anthropic.AsyncAnthropic, steps: int) -> float:
    """Seconds that the same loop takes by hand."""

    async def run() -> float:
        began = time.perf_counter()
        taken = await _bare_loop(client)
        elapsed_s = time.perf_counter() - began
        await client.close()
        if taken != steps:
            raise RuntimeError(f"the bare loop took {taken} steps instead of {steps}")
        return elapsed_s

    return asyncio.run(run())


async def bare_step(client: anthropic.AsyncAnthropic, **params: Any) -> Any:
    """One reply, streamed to its end as one would by hand."""
    async with client.beta.messages.stream(
        model=MODEL,
        max_tokens=32_000,
        thinking={"type": "adaptive", "display": "summarized"},
        output_config={"effort": "high", "task_budget": {"type": "tokens", "total": 64_000}},
        betas=["task-budgets-2026-03-13"],
        **params,
    ) as stream:
        async for _event in stream:
            pass
        return await stream.get_final_message()


async def _bare_loop(client: anthropic.AsyncAnthropic) -> int:
    """What one would write by hand: stream, run the calls, append, again."""
    tool = anthropic.beta_tool(look)
    messages: list[Any] = [{"role": "user", "content": [{"type": "text", "text": PROMPT}]}]
    steps = 0
    while True:
        message = await bare_step(
            client,
            system=[{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}],
            tools=[tool.to_dict()],
            messages=[*messages[:-1], _marked(messages[-1])],
        )
        steps += 1
        content = message.to_dict()["content"]
        messages.append({"role": "assistant", "content": content})
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": str(tool.call(block.input))}
            for block in message.content
            if block.type == "tool_use"
        ]
        if not results:
            return steps
        messages.append({"role": "user", "content": results})


def _marked(message: dict[str, Any]) -> Any:
    *before, last = message["content"]
    return {**message, "content": [*before, {**last, "cache_control": {"type": "ephemeral"}}]}

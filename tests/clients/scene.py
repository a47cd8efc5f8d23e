"""The conversation that every foreign client is led through, and what the server must have seen."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from budget_magic.simulator import Call, Reply, RequestRecord
from budget_magic.simulator.server import SimulatorServer

MODEL: Final = "claude-opus-5-5"
BUDGET_TOKENS: Final = 60_000
PROMPT: Final = "Which of Paris, Oslo and Rome is warmest?"
ANSWER: Final = "Simulated: Rome is warmest."
BUDGET_BETA: Final = "task-budgets-2026-03-13"
LIMIT_S: Final = 120
"""How long a client in a process of its own may take."""

SCRIPT: Final = (
    Reply(
        thinking="Two cities can be looked up at once.",
        text="I look up two cities.",
        calls=[
            Call("temperature", {"city": "Paris"}),
            Call("temperature", {"city": "Oslo"}),
        ],
    ),
    Reply(thinking="One is missing.", calls=[Call("temperature", {"city": "Rome"})]),
    Reply(thinking="Now I know all three.", text=ANSWER),
)
"""Thinking is bound to what comes before it, so a client that edits its history is refused."""


def check(server: SimulatorServer, answer: str) -> None:
    """Assert that a client went through the whole script, streaming, under the budget."""
    requests = server.simulator.requests
    assert [request.error for request in requests] == [None] * len(SCRIPT)
    assert answer == ANSWER
    assert all(request.body["stream"] for request in requests)
    assert all(BUDGET_BETA in request.headers["anthropic-beta"] for request in requests)
    budgets = [request.body["output_config"]["task_budget"] for request in requests]
    assert budgets == [{"type": "tokens", "total": BUDGET_TOKENS}] * len(SCRIPT)
    assert all(entry.completed for entry in server.simulator.bill)
    assert _results(requests[1]) == [("Paris: 21 degrees", False), ("Oslo: 4 degrees", False)]
    assert _results(requests[2]) == [("Rome: 25 degrees", False)]
    assert all(_thinks(request) for request in requests[1:])
    left = [request.remaining_before or 0 for request in requests]
    assert left[0] == BUDGET_TOKENS
    assert all(later < earlier for earlier, later in pairwise(left))


def run_client(command: Sequence[str], server: SimulatorServer) -> str:
    """The answer that a client in a process of its own came to; its last line is JSON."""
    done = subprocess.run(
        [*command, server.url, MODEL, str(BUDGET_TOKENS), PROMPT],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    assert told["deltas"] > len(SCRIPT)
    return str(told["answer"])


def _results(request: RequestRecord) -> list[tuple[str, bool]]:
    blocks = [
        block for block in request.body["messages"][-1]["content"] if block["type"] == "tool_result"
    ]
    return [(_text(block["content"]), bool(block.get("is_error"))) for block in blocks]


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def _thinks(request: RequestRecord) -> bool:
    replies = [one for one in request.body["messages"] if one["role"] == "assistant"]
    return any(block["type"] == "thinking" for block in replies[-1]["content"])

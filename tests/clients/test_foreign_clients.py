"""A client that nobody here wrote, in an environment of its own, on the standalone simulator."""

from __future__ import annotations

from pathlib import Path

from budget_magic.simulator.server import serve
from tests.clients.scene import SCRIPT, check, run_client
from tests.support import require

HERE = Path(__file__).parent


def test_pydantic_ai_goes_through_a_streaming_tool_loop_with_a_budget() -> None:
    command = [require("pydantic-ai"), str(HERE / "pydantic_ai_loop.py")]
    with serve(SCRIPT) as server:
        check(server, run_client(command, server))

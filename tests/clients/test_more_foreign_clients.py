"""More clients that nobody here wrote; collected by `make soak` only (see conftest.py)."""

from __future__ import annotations

from pathlib import Path

from budget_magic.simulator.server import serve
from tests.clients.scene import SCRIPT, check, run_client
from tests.support import require

HERE = Path(__file__).parent


def test_langchain_goes_through_a_streaming_tool_loop_with_a_budget() -> None:
    command = [require("langchain"), str(HERE / "langchain_loop.py")]
    with serve(SCRIPT) as server:
        check(server, run_client(command, server))


def test_the_typescript_sdk_goes_through_a_streaming_tool_loop_with_a_budget() -> None:
    require("typescript-sdk")
    command = [require("node"), str(HERE / "typescript_loop.mjs")]
    with serve(SCRIPT) as server:
        check(server, run_client(command, server))

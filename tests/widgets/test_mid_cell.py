"""A button pressed while a cell runs is heard before the cell ends: a real kernel, no browser."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

ROOT = Path(__file__).parents[2]
GUARD_S = 30.0
OPEN = """
import asyncio
from IPython.display import display
from tests.report.records import audit_until_step_8
from tests.widgets.panels import Show
show = Show(audit_until_step_8().ask())
display(show.panel.mime_bundle(), raw=True)
"""
WAIT = """
for _ in range(400):
    if show.controls.stopped.is_set():
        break
    await asyncio.sleep(0.05)
print("heard", show.controls.said, show.panel.said_hello.is_set())
show.panel.close()
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[BlockingKernelClient]:
    """A client of a kernel that can import the tests."""
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(ROOT), env={**_environment(), "PYTHONPATH": str(ROOT)})
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=GUARD_S)
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _environment() -> dict[str, str]:
    import os  # noqa: PLC0415 - only here

    return {**os.environ, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


def say(client: BlockingKernelClient, comm_id: str, content: dict[str, Any]) -> None:
    """A view's custom message, as a front end without subshells sends it."""
    data = {"method": "custom", "content": content}
    message = client.session.msg("comm_msg", {"comm_id": comm_id, "data": data})
    client.shell_channel.send(message)


def test_a_button_is_heard_before_its_cell_ends(kernel: BlockingKernelClient) -> None:
    cell = kernel.execute(OPEN + WAIT)
    panel, printed, pressed = "", "", False
    deadline = time.monotonic() + GUARD_S
    while time.monotonic() < deadline:
        message = kernel.get_iopub_msg(timeout=GUARD_S)
        content = message["content"]
        if message["msg_type"] == "comm_open" and "_esm" in content["data"].get("state", {}):
            panel = content["comm_id"]
        elif message["msg_type"] == "display_data" and not pressed:
            assert content["data"]["application/vnd.jupyter.widget-view+json"]["model_id"] == panel
            say(kernel, panel, {"k": "hello", "r": 0})
            say(kernel, panel, {"k": "effort", "level": "low", "when": "now"})
            say(kernel, panel, {"k": "stop"})
            pressed = True
        elif message["msg_type"] == "stream":
            printed += content["text"]
        elif message["msg_type"] == "error":
            pytest.fail("\n".join(content["traceback"]))
        elif (
            message["msg_type"] == "status"
            and content["execution_state"] == "idle"
            and message["parent_header"].get("msg_id") == cell
        ):
            break
    assert printed == "heard [('effort', 'low', 'now'), ('stop',)] True\n"

"""A button pressed while a cell runs is heard before the cell ends: a real kernel, no browser."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tests.ui.scenes import MODULE

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


SCENE = f"""
%load_ext budget_magic
{MODULE}
sim, mine = scripted(Reply(calls=[note('first')]), Reply(text=LONG * 9), pace=200)
"""
TASK = "%%claude_task audit --client mine -t save_note\nSave a note, then write."


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


def said(client: BlockingKernelClient, cell: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a cell publishes, kind and content, until it has ended."""
    deadline = time.monotonic() + GUARD_S
    while time.monotonic() < deadline:
        message = client.get_iopub_msg(timeout=GUARD_S)
        content = message["content"]
        idle = message["msg_type"] == "status" and content["execution_state"] == "idle"
        if idle and message["parent_header"].get("msg_id") == cell:
            return
        yield message["msg_type"], content
    pytest.fail("the cell did not end")


def is_panel(kind: str, content: dict[str, Any]) -> bool:
    """Whether a message opens the panel."""
    return kind == "comm_open" and "_esm" in content["data"].get("state", {})


def test_a_button_is_heard_before_its_cell_ends(kernel: BlockingKernelClient) -> None:
    cell = kernel.execute(OPEN + WAIT)
    panel, printed, pressed = "", "", False
    for kind, content in said(kernel, cell):
        if is_panel(kind, content):
            panel = content["comm_id"]
        elif kind == "display_data" and not pressed:
            assert content["data"]["application/vnd.jupyter.widget-view+json"]["model_id"] == panel
            say(kernel, panel, {"k": "hello", "r": 0})
            say(kernel, panel, {"k": "effort", "level": "low", "when": "now"})
            say(kernel, panel, {"k": "stop"})
            pressed = True
        elif kind == "stream":
            printed += content["text"]
        elif kind == "error":
            pytest.fail("\n".join(content["traceback"]))
    assert printed == "heard [('effort', 'low', 'now'), ('stop',)] True\n"


def test_a_task_is_approved_and_stopped_while_its_cell_runs(kernel: BlockingKernelClient) -> None:
    kernel.execute(SCENE, reply=True, timeout=GUARD_S)
    cell = kernel.execute(TASK)
    panel, ended, waiting, streamed, pressed = "", "", set[str](), "", False
    for kind, content in said(kernel, cell):
        if is_panel(kind, content):
            panel = content["comm_id"]
        elif kind == "display_data":
            say(kernel, panel, {"k": "hello", "r": 0})
        elif kind == "error":
            ended = content["ename"]
        told = content.get("data", {}).get("content", {}) if kind == "comm_msg" else {}
        for asked in told.get("h", {}).get("approvals", []):
            if asked["id"] not in waiting:
                waiting.add(asked["id"])
                answer = {"k": "decide", "id": asked["id"], "kind": "once", "reason": ""}
                say(kernel, panel, answer)
        streamed += "".join(piece[2] for piece in told.get("d", []))
        if "The next file" in streamed and not pressed:
            say(kernel, panel, {"k": "stop"})
            pressed = True
    assert (len(waiting), ended) == (1, "TaskInterrupted")
    after = kernel.execute(
        "print(called, len(sim.requests), sim.requests[1].disconnected.wait(10))"
    )
    printed = "".join(c["text"] for kind, c in said(kernel, after) if kind == "stream")
    assert printed == "['first'] 2 True\n"

"""A real kernel, spoken to as a front end does, without a browser."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

from tests.ui.scenes import MODULE

GUARD_S = 60


@dataclass(slots=True)
class Ran:
    """What one cell sent back."""

    status: str
    took_after_s: float
    """Seconds from the interrupt to the reply; the whole time where none was sent."""
    displays: list[dict[str, Any]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    """Data that replaced displays meanwhile, of whatever cell."""
    errors: list[dict[str, Any]] = field(default_factory=list)
    text: str = ""
    asked: list[str] = field(default_factory=list)
    comms: int = 0

    @property
    def last(self) -> dict[str, Any]:
        """The data of the last display."""
        data: dict[str, Any] = self.displays[-1]
        return data


class Kernel:
    """One kernel; cells run one by one."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager, self.client = manager, client

    def run(
        self,
        source: str,
        *,
        person: bool = True,
        answer: str | None = "",
        interrupt_when: Callable[[Ran], bool] | None = None,
        interrupts: int = 1,
    ) -> Ran:
        """Run a cell to its end.

        Parameters
        ----------
        source
            The cell.
        person
            Whether a user is attached who can be asked.
        answer
            What is typed where `input()` asks; None leaves it waiting.
        interrupt_when
            Interrupts the kernel once this holds of what has arrived.
        interrupts
            How often, one right after the other.
        """
        message_id = self.client.execute(source, allow_stdin=person)
        ran = Ran(status="", took_after_s=0.0)
        since = time.monotonic()
        deadline = since + GUARD_S
        while time.monotonic() < deadline:
            if person and self.client.stdin_channel.msg_ready():
                question = self.client.get_stdin_msg(timeout=1)
                ran.asked.append(question["content"]["prompt"])
                if answer is not None:
                    self.client.input(answer)
            if interrupt_when is not None and interrupt_when(ran):
                interrupt_when = None
                since = time.monotonic()
                for _ in range(interrupts):
                    self.manager.interrupt_kernel()
            if not self.client.iopub_channel.msg_ready():
                self.client.iopub_channel.socket.poll(50)
                continue
            message = self.client.get_iopub_msg(timeout=1)
            if message["msg_type"] == "update_display_data":
                ran.updates.append(message["content"]["data"])
            if message["parent_header"].get("msg_id") == message_id and _take(message, ran):
                break
        ran.took_after_s = time.monotonic() - since
        ran.status = self.ask(message_id)["status"]
        return ran

    def ask(self, message_id: str) -> dict[str, Any]:
        """Return the reply to a request."""
        # Others may still lie there, such as one to a question whether the kernel is ready.
        while True:
            reply = self.client.get_shell_msg(timeout=GUARD_S)
            if reply["parent_header"].get("msg_id") == message_id:
                content: dict[str, Any] = reply["content"]
                return content


def _take(message: dict[str, Any], ran: Ran) -> bool:
    """Keep a message; True where the cell is over."""
    content = message["content"]
    match message["msg_type"]:
        case "status":
            return bool(content["execution_state"] == "idle")
        case "stream":
            ran.text += content["text"]
        case "display_data" | "update_display_data" | "execute_result":
            ran.displays.append(content["data"])
        case "error":
            ran.errors.append(content)
        case "comm_open" | "comm_msg":
            ran.comms += 1
    return False


@pytest.fixture
def fresh_kernel(tmp_path: Path) -> Iterator[Kernel]:
    """A kernel in a folder of its own, the extension loaded and nothing else."""
    (tmp_path / "scenes_here.py").write_text(MODULE)
    (tmp_path / "app.py").write_text("import os\n\npassword = 'hunter2-but-longer'\n")
    manager, client = start_new_kernel(
        kernel_name="python3",
        cwd=str(tmp_path),
        env={**os.environ, "IPYTHONDIR": str(tmp_path / "ipython")},
    )
    running = Kernel(manager, client)
    running.run("%load_ext budget_magic")
    yield running
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    manager.cleanup_resources()


@pytest.fixture
def kernel(fresh_kernel: Kernel) -> Kernel:
    """The same, with what plays Claude."""
    fresh_kernel.run("from scenes_here import *")
    return fresh_kernel

"""What `%load_ext budget_magic` and the first panel cost, beside `import anthropic`.

Each is measured in processes of its own.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyter_client.manager import start_new_kernel

from tests.notebook_runs import environment

_GUARD_S: Final = 60
_LOAD: Final = 'shell.run_line_magic("load_ext", "budget_magic")'
_IMPORT: Final = "import anthropic"
_TIMED: Final = """
import time
{start}
began = time.perf_counter()
{work}
print((time.perf_counter() - began) * 1000)
"""
_IN_A_KERNEL: Final = """
import ipykernel.kernelapp
from ipykernel.zmqshell import ZMQInteractiveShell as Shell
shell = Shell.instance()
"""
_IN_A_TERMINAL: Final = """
from IPython.terminal.interactiveshell import TerminalInteractiveShell as Shell
shell = Shell.instance(simple_prompt=True)
"""
STARTS: Final = {"a kernel": _IN_A_KERNEL, "a terminal": _IN_A_TERMINAL}
"""Where the extension is loaded, with the code that starts the same there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadCost:
    """Milliseconds, medians."""

    place: str
    load_ms: float
    import_ms: float

    @property
    def share(self) -> float:
        """Load time by import time."""
        return self.load_ms / self.import_ms


def measure(place: str, *, repeats: int) -> LoadCost:
    """Medians over fresh processes with compiled modules, both kinds in turn."""
    pairs = [(_timed(place, _LOAD), _timed(place, _IMPORT)) for _ in range(repeats + 1)]
    load, imported = zip(*pairs[1:], strict=True)
    return LoadCost(
        place=place, load_ms=statistics.median(load), import_ms=statistics.median(imported)
    )


def first_panel(*, repeats: int) -> LoadCost:
    """Medians from the first `%%claude_task` of a kernel to its panel, beside the import."""
    pairs = [(_until_panel(), _timed("a kernel", _IMPORT)) for _ in range(repeats + 1)]
    shown, imported = zip(*pairs[1:], strict=True)
    return LoadCost(
        place="a kernel", load_ms=statistics.median(shown), import_ms=statistics.median(imported)
    )


def _until_panel() -> float:
    """Milliseconds from sending the cell until the kernel has sent its panel."""
    env = environment()
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    manager, client = start_new_kernel(env=env, cwd=str(Path.home()))
    try:
        client.execute_interactive("%load_ext budget_magic", timeout=_GUARD_S)
        began = time.perf_counter()
        client.execute("%%claude_task bench --client simulator\nSay hello.")
        while client.get_iopub_msg(timeout=_GUARD_S)["msg_type"] != "display_data":
            pass
        return (time.perf_counter() - began) * 1000
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _timed(place: str, work: str) -> float:
    env = environment()
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    code = _TIMED.format(start=STARTS[place], work=work)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=env,
        cwd=Path.home(),
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.splitlines()[-1])

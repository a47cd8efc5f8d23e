"""What `%load_ext budget_magic` costs, beside `import anthropic`, each in processes of its own."""

from __future__ import annotations

import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.notebook_runs import environment

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

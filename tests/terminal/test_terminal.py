"""IPython in a real terminal: Ctrl-C stops a cell, and what runs behind leaves the prompt alone."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

pexpect = pytest.importorskip("pexpect", reason="pexpect comes with IPython where ptys exist")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a terminal here is a pty")

GUARD_S: Final = 60
CTRL_C: Final = "\x03"
CTRL_D: Final = "\x04"
SCENE: Final = '''
import threading

from anthropic import AsyncAnthropic

from budget_magic import tasks
from budget_magic.simulator import Reply, Signal, Simulator, hold, silence
from budget_magic.simulator.server import SimulatorServer

def play(*replies, faults):
    """A client of a server on loopback; says so once its first request has gone silent."""
    simulator = Simulator(list(replies), faults=faults)
    server = SimulatorServer(simulator).start()
    def tell():
        simulator.arrival(0).wait()
        simulator.requests[0].silent.wait()
        print("SIL" + "ENT", flush=True)
    threading.Thread(target=tell, daemon=True).start()
    return simulator, AsyncAnthropic(api_key="k", base_url=server.url)
'''


class Terminal:
    """IPython on a pty, spoken to by keys."""

    def __init__(self, folder: Path) -> None:
        self.child = pexpect.spawn(
            sys.executable,
            [
                *("-m", "IPython", "--no-confirm-exit", "--no-banner", "--colors=NoColor"),
                "--TerminalInteractiveShell.autosuggestions_provider=None",
                "--HistoryManager.enabled=False",
            ],
            cwd=str(folder),
            env={**os.environ, "IPYTHONDIR": str(folder), "PROMPT_TOOLKIT_NO_CPR": "1"},
            dimensions=(50, 400),
            timeout=GUARD_S,
            encoding="utf-8",
        )
        self._cells = 1
        self._prompt()

    def type(self, cell: str) -> None:
        """Paste a cell and have it run."""
        self.child.send(f"\x1b[200~{cell}\x1b[201~")
        self.child.send("\x1b\r")

    def run(self, cell: str) -> str:
        """Run a cell to its end, and return what was printed."""
        self.type(cell)
        return self.until_prompt()

    def until_prompt(self) -> str:
        """Return what is printed until the next prompt."""
        self._cells += 1
        return self._prompt()

    def expect(self, text: str) -> str:
        """Return what is printed until a text comes."""
        self.child.expect_exact(text)
        return _plain(self.child.before)

    def send(self, keys: str) -> None:
        """Press keys."""
        self.child.send(keys)

    def _prompt(self) -> str:
        self.child.expect(rf"In \[{self._cells}\]:")
        return _plain(self.child.before)


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", text)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    (tmp_path / "scene.py").write_text(SCENE)
    opened = Terminal(tmp_path)
    opened.run("from scene import *")
    opened.run("%load_ext budget_magic")
    yield opened
    opened.child.close(force=True)


WRITE: Final = "%%claude_task audit --client mine -t none -o out\nWrite at length."


@pytest.mark.parametrize("presses", [1, 2, 3])
def test_ctrl_c_stops_a_cell_with_one_line_and_the_server_sees_it(
    terminal: Terminal, presses: int
) -> None:
    terminal.run(
        "sim, mine = play(Reply(text='x ' * 400), Reply(text='Done.'), faults=[silence(on=0)])"
    )
    terminal.type(WRITE)
    terminal.expect("SILENT")

    terminal.send(CTRL_C * presses)
    said = terminal.until_prompt()

    assert said.count("TaskInterrupted: stopped in step 1") == 1
    assert "Traceback" not in said
    assert "KeyboardInterrupt" not in said
    # The server sees the disconnect while it is silent: only then does this end.
    seen = terminal.run(
        "print('saw', sim.requests[0].disconnected.wait(10), sim.requests[0].closed_while_silent)"
    )
    assert "saw True True" in seen
    assert "interrupted" in terminal.run("%claude_tasks")
    assert "keyboard" in terminal.run("print(out.reason)")
    terminal.run("%claude_resume audit -o again")
    assert "it is completed" in terminal.run("print('it is', again.state)")


def test_ctrl_c_reaches_a_function_of_the_session(terminal: Terminal) -> None:
    terminal.run(
        "from budget_magic.simulator import Call\n"
        "def wait_long() -> str:\n"
        "    print('BEG' + 'AN', flush=True)\n"
        "    threading.Event().wait()\n"
    )
    terminal.run(
        "sim, mine = play(Reply(calls=[Call('wait_long', {})]), Reply(text='Done.'), faults=[])"
    )
    terminal.type("%%claude_task audit --client mine -t wait_long --approve all\nWait.")
    terminal.expect("BEGAN")

    terminal.send(CTRL_C)
    said = terminal.until_prompt()

    assert said.count("TaskInterrupted: ") == 1
    assert "Traceback" not in said
    assert "Done." in terminal.run("%claude_resume audit")


def test_ctrl_d_at_the_question_about_a_call_denies_it(terminal: Terminal) -> None:
    terminal.run(
        "from budget_magic.simulator import Call\n"
        "def clean_up() -> str: return 'clean'\n"
        "sim, mine = play(Reply(calls=[Call('clean_up', {})]), Reply(text='Done.'), faults=[])"
    )
    terminal.type("%%claude_task audit --client mine -t clean_up -o out\nGo.")
    terminal.expect("or a reason to deny: ")

    terminal.send(CTRL_D)
    said = terminal.until_prompt()

    assert "TaskFailed" not in said
    assert "it is completed" in terminal.run("print('it is', out.state)")
    kinds = (
        "[one.fact.reason for one in tasks()['audit'].events if one.fact.kind == 'approval_given']"
    )
    assert "closed without an answer" in terminal.run(kinds)


def test_a_background_turn_says_in_one_line_that_it_ended_and_leaves_what_is_typed(
    terminal: Terminal,
) -> None:
    terminal.run("go = Signal()")
    terminal.run("sim, mine = play(Reply(text='Done.'), faults=[hold(go, on=0)])")
    terminal.type("%%claude_task audit --client mine -t none --background\nWrite.")
    terminal.expect("SILENT")
    # The prompt is back, and a cell is being typed when the turn ends.
    terminal.type("go.set(); tasks()['audit'].wait(); typed = 1")
    terminal.send("print('and', 'typed')")

    said = terminal.expect("audit: completed")
    rest = terminal.expect("shows it")
    terminal.send("\x1b\r")
    terminal.expect("and typed")

    assert "elapsed" not in said + rest
    assert "\n" not in rest


def test_a_background_turn_says_which_tools_it_leaves_out(terminal: Terminal) -> None:
    terminal.run("def clean_up() -> str: return 'clean'")
    terminal.run("sim, mine = play(Reply(text='Done.'), faults=[])")
    said = terminal.run("%%claude_task audit --client mine -t clean_up --background\nGo.")
    assert "where no cell waits to approve or run it: clean_up; declare a function" in said
    terminal.run("tasks()['audit'].wait()")


def test_a_bare_resume_shows_its_turn_once(terminal: Terminal) -> None:
    terminal.run("sim, mine = play(Reply(text='Done here.'), faults=[])")
    terminal.run("%%claude_task audit --client mine -t none\nWrite.")
    said = terminal.run("%claude_resume audit")
    assert said.count("Done here.") == 1
    assert "Out[" not in said

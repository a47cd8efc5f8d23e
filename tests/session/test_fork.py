"""A forked process runs tasks too, on a loop of its own, and leaves the parent's alone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.notebook_runs import environment

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")

RUN = """
import multiprocessing, os, sys, traceback
from decimal import Decimal
from budget_magic import Task
from budget_magic.session import default_session
from budget_magic.simulator import Call, Reply, Simulator, silence
from budget_magic.wire.sdk import simulated_client

def look(word: str) -> str:
    return word.upper()

def scene(view):
    call = Reply(calls=[Call("look", {"word": "w"})])
    return Reply(text="Done.") if view.last_calls else call

def new(name, **options):
    mine = simulated_client(Simulator(scene, **options).transport())
    return Task(name, client=mine, tools=[look], approve="all")

def in_child(work):
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0

parent = new("parent")
first = parent.run("Look.")
assert first.text == "Done."
"""

OS_FORK = """
def work():
    assert parent.run("Again.").text == "Done."       # the parent's task, where it stands
    assert parent.turns[-1].number == 2
    assert new("fresh").run("Look.").text == "Done."
    assert Task("simulated", client="simulator", tools="none").run("Look.").state == "completed"
    assert default_session().account.spent.usd > first.spend.cost_usd

in_child(work)
in_child(lambda: in_child(work))                      # and a process that this one forks
assert len(parent.turns) == 1
assert parent.run("Go on.").text == "Done."           # the parent's loop is not disturbed
"""

MULTIPROCESSING = """
def work(number):
    task = new(f"task-{number}")
    return task.run("Look.").text, Task("s", client="simulator", tools="none").run("Hi.").state

with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(work, range(4)) == [("Done.", "completed")] * 4
assert parent.run("Go on.").text == "Done."
"""

WHILE_A_TURN_RUNS = """
replies = [Reply(text="Half of it. " * 20), Reply(text="Whole.")]
simulator = Simulator(replies, faults=[silence(on=0)])
task = Task("busy", client=simulated_client(simulator.transport()), tools="none")
task.start("Look.")
simulator.arrival(0).wait()
simulator.requests[0].silent.wait()

def work():
    assert not task.is_running
    assert task.account.held.usd == default_session().account.held.usd == 0
    assert task.resume().state == "completed"

in_child(work)
assert task.is_running
assert task.account.held.usd > 0
task.stop()
try:
    task.wait()
except KeyboardInterrupt as error:
    assert error.outcome.text.endswith("[cut off here]")
"""

EXIT = """
child = os.fork()
if not child:
    parent.run("Again.")
    sys.exit(0)                                       # an ordinary exit, with its handlers
assert os.waitpid(child, 0)[1] == 0
assert parent.run("Go on.").text == "Done."
"""


@pytest.mark.parametrize(
    "code",
    [OS_FORK, MULTIPROCESSING, WHILE_A_TURN_RUNS, EXIT],
    ids=["os.fork", "multiprocessing", "while a turn runs", "exit"],
)
def test_a_forked_process_runs_tasks_and_leaves_the_parent_s_alone(code: str) -> None:
    # Newer Pythons warn of any fork beside threads.
    ran = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", f"{RUN}{code}\nprint('ended')"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.stderr == ""
    assert ran.stdout.endswith("ended\n")
    assert ran.returncode == 0

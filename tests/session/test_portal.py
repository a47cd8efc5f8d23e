"""The thread on which all loops run: one, whatever starts it, and alive whatever its tasks do."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from budget_magic import Task, tool
from budget_magic.errors import ConfigurationError
from budget_magic.events import ToolFinished
from budget_magic.session import default_session
from budget_magic.simulator import Call, Reply, Simulator
from tests.loop.running import facts, results, task_on

EIGHT_AT_ONCE = """
import threading
from tests.session.test_shared_ceilings import looking
from tests.loop.running import facts, task_on
from budget_magic import Ceilings
from budget_magic.events import TurnFinished
from budget_magic.session import default_session
from budget_magic.simulator import Simulator

simulator = Simulator(looking)
together = threading.Barrier(8)
ceilings = Ceilings(cost_usd=None, steps=5)
tasks = [task_on(simulator, name=f"task-{n}", ceilings=ceilings, wrap_up=False) for n in range(8)]

def work(task):
    together.wait()
    task.run("Look.")

threads = [threading.Thread(target=work, args=(task,), daemon=True) for task in tasks]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(30)
loops = [thread.name for thread in threading.enumerate() if thread.name == "budget_magic loop"]
print(len(loops), [thread.is_alive() for thread in threads].count(True))
print(simulator.bill.total_usd <= 2, default_session().account.requests_held)
"""


def in_a_new_process(script: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """What a script prints, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_eight_threads_that_start_at_once_share_one_loop_and_one_ceiling() -> None:
    ran = in_a_new_process(EIGHT_AT_ONCE, ANTHROPIC_COST_BUDGET="2")

    assert ran.stdout == "1 0\nTrue 0\n"
    assert ran.stderr == ""


def test_the_loop_outlives_a_task_that_raises_what_ends_a_loop() -> None:
    async def leave() -> None:
        raise SystemExit(3)

    async def interrupt() -> None:
        raise KeyboardInterrupt

    async def answer() -> int:
        return 42

    for end in (leave, interrupt):
        with pytest.raises((SystemExit, KeyboardInterrupt)):
            default_session().portal.start(end).result(10)

    assert default_session().portal.start(answer).result(10) == 42


def test_the_loop_outlives_whoever_stops_it_or_cancels_what_runs_on_it() -> None:
    async def stop() -> None:
        asyncio.get_running_loop().stop()

    async def cancel_all() -> None:
        for task in asyncio.all_tasks():
            task.cancel()

    async def answer() -> int:
        return 42

    default_session().portal.start(stop).result(10)
    with pytest.raises(concurrent.futures.CancelledError):
        default_session().portal.start(cancel_all).result(10)

    assert default_session().portal.start(answer).result(10) == 42


class Leaves:
    """A result that ends whoever reads it."""

    def __init__(self, how: type[BaseException]) -> None:
        self._how = how

    def __repr__(self) -> str:
        raise self._how

    __str__ = __repr__


class LeavingError(Exception):
    """An error whose message cannot be read."""

    def __str__(self) -> str:
        raise SystemExit(3)


def _fails() -> Any:
    raise LeavingError


@pytest.mark.parametrize("reads", [True, False])
@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.parametrize(
    "give",
    [
        lambda: Leaves(SystemExit),
        lambda: Leaves(KeyboardInterrupt),
        lambda: Leaves(GeneratorExit),
        lambda: Leaves(StopIteration),
        lambda: Leaves(BaseException),
        _fails,
    ],
    ids=["exit", "interrupt", "generator-exit", "stop-iteration", "base", "error"],
)
def test_a_result_that_ends_whoever_reads_it_is_an_error_result(
    give: Any, *, is_async: bool, reads: bool
) -> None:
    def hostile() -> Any:
        """Give something."""
        return give()

    async def hostile_async() -> Any:
        """Give something."""
        return give()

    hostile_async.__name__ = "hostile"
    made = tool(reads=reads)(hostile_async if is_async else hostile)
    task = task_on(
        Simulator([Reply(calls=[Call("hostile", {})]), Reply(text="Done.")]), tools=[made]
    )

    try:
        outcome = task.run("Look.")
    except KeyboardInterrupt:
        # On the thread that waits it cannot be told from Ctrl-C.
        assert not reads
        outcome = task.resume()

    assert outcome.text == "Done."
    assert facts(task, ToolFinished)[0].is_error
    assert task_on(Simulator([Reply(text="Alive.")]), name="other").run("x").text == "Alive."


@pytest.mark.parametrize("said", [Leaves(SystemExit), SystemExit(2)], ids=["returns", "raises"])
def test_an_approval_function_that_ends_whoever_asks_denies(said: Any) -> None:
    def note(text: str) -> str:
        """Write something down."""
        return text

    def decide(_call: object) -> Any:
        if isinstance(said, BaseException):
            raise said
        return said

    simulator = Simulator([Reply(calls=[Call("note", {"text": "x"})]), Reply(text="Done.")])
    task = task_on(simulator, tools=[note], approve=decide)

    assert task.run("Look.").text == "Done."
    assert "not run: the approval function failed with SystemExit" in results(task)[0]


def test_a_default_that_ends_whoever_reads_it_is_a_sentence() -> None:
    def look(word: str = "x", how: Any = Leaves(SystemExit)) -> str:  # noqa: B008 - hostile
        """Look something up."""
        return f"{word} {type(how).__name__}"

    with pytest.raises(ConfigurationError, match="look cannot be a tool: SystemExit"):
        Task("audit", client="simulator", tools=[look])


NOISE = """
import gc, os, threading
from budget_magic import Task
from budget_magic.session import default_session
from budget_magic.simulator import Reply, Simulator
from budget_magic.simulator.server import SimulatorServer

simulator = Simulator([Reply(text="x " * 40, output_tokens=60)] * 40, pace_tokens_per_s=600)
os.environ["ANTHROPIC_BASE_URL"] = SimulatorServer(simulator).start().url
os.environ["ANTHROPIC_API_KEY"] = "some-key-0123456789"
task = Task("audit", tools="none", max_tokens=2_000)
for number in range(4):
    def stop(arrival=simulator.arrival(len(simulator.requests))):
        arrival.wait()
        for _ in range(number + 1):
            task.stop()
    stopping = threading.Thread(target=stop)
    stopping.start()
    try:
        task.run("Write.")
    except KeyboardInterrupt:
        pass
    stopping.join()
    gc.collect()

async def leave():
    raise SystemExit(3)

def end_the_loop(arrival=simulator.arrival(len(simulator.requests))):
    arrival.wait()
    default_session().portal.start(leave)
threading.Thread(target=end_the_loop).start()
task.run("Write.")
if LEAVE_RUNNING:
    arrival = simulator.arrival(len(simulator.requests))
    task.start("x")
    arrival.wait()
print("ended")
"""


@pytest.mark.parametrize("leave_running", [True, False])
def test_interrupts_and_an_exit_write_nothing_to_stderr(*, leave_running: bool) -> None:
    ran = in_a_new_process(f"LEAVE_RUNNING = {leave_running}\n{NOISE}", PYTHONWARNINGS="default")

    assert ran.stdout == "ended\n"
    assert ran.stderr == ""


ONE_CLIENT = """
import gc, os, weakref
from budget_magic import Task
from budget_magic.session import default_session
from budget_magic.simulator import Reply, Simulator
from budget_magic.simulator.server import SimulatorServer

simulator = Simulator([Reply(text="Done.")] * 9)
os.environ["ANTHROPIC_BASE_URL"] = SimulatorServer(simulator).start().url
os.environ["ANTHROPIC_API_KEY"] = "first-key-0123456789"
one, two = Task("one", tools="none"), Task("two", tools="none")
for task in (one, two, one):
    task.run("Write.")
first = one.context.client
print(first is two.context.client)
os.environ["ANTHROPIC_API_KEY"] = "second-key-0123456789"
inner = first._client
one.run("Write."), two.run("Write.")
print(one.context.client is first, inner.is_closed())
del first, task
gc.collect()
async def turn_over():
    for _ in range(20):
        import asyncio
        await asyncio.sleep(0)
default_session().portal.start(turn_over).result(10)
print(inner.is_closed())
"""


def test_the_client_of_auto_is_made_once_and_closed_when_nobody_uses_it() -> None:
    ran = in_a_new_process(ONE_CLIENT, PYTHONWARNINGS="default")

    assert ran.stdout == "True\nFalse False\nTrue\n"
    assert ran.stderr == ""


def test_the_loop_runs_what_it_is_handed_on_its_own_thread() -> None:
    seen = default_session().portal.call(threading.current_thread)
    assert seen.name == "budget_magic loop"
    assert (
        default_session().portal.call(
            lambda: default_session().portal.call(threading.current_thread)
        )
        is seen
    )

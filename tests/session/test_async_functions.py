"""Async functions that cancel, stop or block the loop they run on: the turn goes on or ends."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable

import pytest

from budget_magic import Ceilings, tool
from budget_magic.events import ToolFinished
from budget_magic.simulator import Call, Reply, Signal, Simulator, hold
from tests.loop.running import (
    CUT_S,
    LOOK,
    facts,
    interruption,
    last_content,
    lookup,
    results,
    task_on,
)

Hostile = Callable[[], Awaitable[str]]


async def cancels_a_job() -> str:
    """Await a job that was cancelled."""
    job = asyncio.ensure_future(asyncio.sleep(9))
    job.cancel()
    await job
    return "never"


async def cancels_itself() -> str:
    """Cancel the own task, and go on."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(9)
    return "never"


async def cancels_itself_at_the_end() -> str:
    """Cancel the own task, and return."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    return "never"


async def cancels_all() -> str:
    """Cancel whatever runs on the loop."""
    for task in asyncio.all_tasks():
        task.cancel()
    await asyncio.sleep(9)
    return "never"


async def raises_cancelled() -> str:
    """Raise it."""
    raise asyncio.CancelledError


async def leaves() -> str:
    """Raise what closes a coroutine."""
    raise GeneratorExit


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (cancels_a_job, "CancelledError"),
        (cancels_itself, "CancelledError"),
        (cancels_itself_at_the_end, "CancelledError"),
        (cancels_all, "CancelledError"),
        (raises_cancelled, "CancelledError"),
        (leaves, "GeneratorExit"),
    ],
)
def test_a_function_that_is_cancelled_gets_an_error_result_and_the_turn_goes_on(
    function: Hostile, told: str
) -> None:
    name = str(getattr(function, "__name__", ""))
    simulator = Simulator([Reply(calls=[LOOK, Call(name, {}), LOOK]), Reply(text="Done.")])
    task = task_on(simulator, tools=[lookup, tool(reads=True)(function)])

    assert task.run("Look.").text == "Done."

    answers = {fact.name: fact for fact in facts(task, ToolFinished)}
    assert answers[name].shown.startswith(told)
    assert answers[name].is_error
    assert results(task).count("budget is a word") == 2
    assert task.run("Look again.").state == "completed"


@pytest.mark.parametrize("how", ["stop", "cancel"])
def test_a_function_that_ends_its_loop_ends_no_other_turn(how: str) -> None:
    go_on = Signal()
    other_simulator = Simulator([Reply(calls=[LOOK]), Reply(text="Alive.")], faults=[hold(go_on)])
    other = task_on(other_simulator, name="other")
    ended: list[str] = []
    thread = threading.Thread(target=lambda: ended.append(other.run("Look.").text), daemon=True)
    thread.start()
    assert other_simulator.arrival(0).wait()

    @tool(reads=True)
    async def stops() -> str:
        """Stop the loop."""
        if how == "stop":
            asyncio.get_running_loop().stop()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)
        return "stopped"

    simulator = Simulator([Reply(calls=[Call("stops", {})]), Reply(text="Done.")])
    task = task_on(simulator, tools=[stops])

    assert task.run("Look.").text == "Done."
    assert results(task) == ["stopped"]
    go_on.set()
    thread.join(10)
    assert ended == ["Alive."]


def test_a_function_that_blocks_its_loop_is_given_up_at_the_time_ceiling() -> None:
    go_on = threading.Event()

    @tool(reads=True)
    async def blocks() -> str:
        """Block."""
        go_on.wait(20)
        return "late"

    simulator = Simulator([Reply(calls=[Call("blocks", {})]), Reply(text="Done.")])
    task = task_on(simulator, tools=[blocks], ceilings=Ceilings(elapsed_s=CUT_S), wrap_up=False)

    began = time.monotonic()
    assert task.run("Look.").reason == "time_ceiling"
    assert time.monotonic() - began < 10  # a guard: the function alone would take 20 s

    assert results(task) == ["interrupted"]
    go_on.set()


def test_a_function_that_ignores_being_cancelled_does_not_hold_up_a_stop() -> None:
    began, go_on = threading.Event(), threading.Event()

    @tool(reads=True)
    async def stubborn() -> str:
        """Go on whatever happens."""
        began.set()
        while not go_on.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue
        return "late"

    simulator = Simulator([Reply(calls=[Call("stubborn", {})]), Reply(text="Done.")])
    task = task_on(simulator, tools=[stubborn])

    def stop() -> None:
        assert began.wait(10)
        task.stop()

    threading.Thread(target=stop, daemon=True).start()

    assert interruption(lambda: task.run("Look.")).reason == "stop_button"
    assert results(task) == ["interrupted"]
    go_on.set()
    assert task.resume().text == "Done."


def test_a_call_that_was_left_without_an_answer_is_answered_before_the_next_request() -> None:
    async def interrupt() -> str:
        """Get interrupted."""
        raise KeyboardInterrupt

    simulator = Simulator([Reply(calls=[Call("interrupt", {})]), Reply(text="Done.")])
    task = task_on(simulator, tools=[interrupt])
    interruption(lambda: task.run("Look."))
    assert task.context is not None
    task.context.conversation.answers.clear()

    assert task.run("Go on.").text == "Done."

    result, prompt = last_content(simulator.requests[-1])
    assert (result["type"], result["content"]) == ("tool_result", "not run")
    assert prompt["text"] == "Go on."

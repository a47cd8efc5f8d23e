"""`arun` never blocks the loop that awaits it; async functions run on that loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any, TypeVar

import pytest

from budget_magic import Outcome, Task, tool
from budget_magic.errors import ConfigurationError, TaskInterrupted
from budget_magic.events import ToolFinished
from budget_magic.simulator import Call, Reply, Simulator
from tests.loop.running import LOOK, facts, lookup, results, steps, task_on

T = TypeVar("T")
WHO: ContextVar[str] = ContextVar("who", default="nobody")


def calling(*functions: Callable[..., Any], **options: Any) -> Task:
    """A task that calls each function once, in one reply."""
    calls = [Call(str(getattr(one, "__name__", "")), {}) for one in functions]
    simulator = Simulator([Reply(calls=calls), Reply(text="Done.")])
    return task_on(simulator, tools=list(functions), **options)


def guarded(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine, which must come within ten seconds."""

    async def main() -> T:
        async with asyncio.timeout(10):
            return await coroutine

    return asyncio.run(main())


async def is_set(event: threading.Event) -> bool:
    """Whether an event comes within ten seconds, while the loop runs."""
    return await asyncio.to_thread(event.wait, 10)


def test_a_function_that_blocks_leaves_the_loop_free() -> None:
    began, freed = threading.Event(), threading.Event()

    def wait_for_the_loop() -> str:
        """Return once the caller's loop has run something meanwhile."""
        began.set()
        assert freed.wait(10)
        return "freed"

    async def main() -> Outcome:
        task = calling(wait_for_the_loop)
        running = asyncio.create_task(task.arun("Look."))
        assert await is_set(began)
        freed.set()
        return await running

    assert guarded(main()).text == "Done."


@pytest.mark.parametrize("reads", [True, False])
def test_an_async_function_runs_on_the_loop_that_awaits_the_turn(*, reads: bool) -> None:
    loops: list[asyncio.AbstractEventLoop] = []
    began = threading.Event()

    @tool(reads=reads)
    async def on_which() -> str:
        """Use an object of the caller's loop."""
        loops.append(asyncio.get_running_loop())
        began.set()
        await event.wait()
        return WHO.get()

    event = asyncio.Event()

    async def main() -> Outcome:
        WHO.set("the caller")
        task = calling(on_which)
        running = asyncio.create_task(task.arun("Look."))
        assert await is_set(began)
        event.set()
        outcome = await running
        assert loops == [asyncio.get_running_loop()]
        assert results(task) == ["the caller"]
        return outcome

    assert guarded(main()).text == "Done."


def test_sync_functions_run_one_at_a_time_in_one_thread_with_the_caller_s_context() -> None:
    threads: list[threading.Thread] = []

    def one() -> str:
        """Note the thread."""
        threads.append(threading.current_thread())
        return WHO.get()

    def two() -> str:
        """Note the thread."""
        return one()

    async def main() -> Task:
        WHO.set("the caller")
        task = calling(one, two)
        await task.arun("Look.")
        return task

    task = guarded(main())

    assert results(task) == ["the caller", "the caller"]
    assert len(set(threads)) == 1
    assert threading.main_thread() not in threads


@pytest.mark.parametrize("is_async", [True, False])
def test_an_approval_function_does_not_block_the_loop_either(*, is_async: bool) -> None:
    freed = threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    def approve(_call: object) -> bool:
        """Approve once the loop has run something."""
        return freed.wait(10)

    async def approve_async(_call: object) -> bool:
        """Approve on the caller's loop."""
        loops.append(asyncio.get_running_loop())
        return True

    def act() -> str:
        """Act."""
        return "acted"

    async def main() -> Task:
        task = calling(act, approve=approve_async if is_async else approve)
        running = asyncio.create_task(task.arun("Look."))
        for _ in range(20):
            await asyncio.sleep(0)
        freed.set()
        await running
        assert loops == ([asyncio.get_running_loop()] if is_async else [])
        return task

    assert results(guarded(main())) == ["acted"]


def test_a_stop_cancels_an_async_function_on_the_loop() -> None:
    began, cancelled = threading.Event(), threading.Event()

    async def waits() -> str:
        """Wait until cancelled."""
        try:
            began.set()
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return "never"

    async def run(task: Task) -> str:
        """Run it; the error would end the loop, as a KeyboardInterrupt does."""
        try:
            await task.arun("Look.")
        except TaskInterrupted as error:
            return error.outcome.reason
        return ""

    async def main() -> None:
        task = calling(waits)
        running = asyncio.create_task(run(task))
        assert await is_set(began)
        task.stop()
        assert await running == "stop_button"
        assert await is_set(cancelled)

    guarded(main())


def test_a_stop_does_not_wait_for_a_function_in_a_thread() -> None:
    began, leave = threading.Event(), threading.Event()

    def blocks() -> str:
        """Block until the test is over."""
        began.set()
        leave.wait(10)
        return "late"

    async def main() -> Task:
        task = calling(blocks)
        running = asyncio.create_task(task.arun("Look."))
        assert await is_set(began)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return task

    task = guarded(main())
    leave.set()

    assert [fact.content for fact in facts(task, ToolFinished)] == ["interrupted"]
    assert task.outcome is not None
    assert task.outcome.reason == "keyboard"


@pytest.mark.parametrize("turns_of_the_loop", range(4))
def test_a_cancellation_at_the_start_stops_the_turn(turns_of_the_loop: int) -> None:
    async def main() -> Task:
        task = task_on(Simulator(steps(2)))
        running = asyncio.create_task(task.arun("Look."))
        for _ in range(turns_of_the_loop):
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return task

    task = guarded(main())

    assert not task.is_running
    assert task.outcome is None or task.outcome.state == "interrupted"


def test_a_prompt_that_cannot_run_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="the prompt is empty"):
        guarded(task_on(Simulator(steps(0))).arun(" "))


def test_a_system_exit_of_a_function_does_not_end_the_caller_s_loop() -> None:
    async def leaves() -> str:
        """Exit."""
        raise SystemExit(3)

    @tool(reads=True)
    async def leaves_too() -> str:
        """Exit."""
        raise SystemExit(3)

    task = calling(leaves, leaves_too)

    assert guarded(task.arun("Look.")).text == "Done."
    assert results(task) == ["SystemExit: 3", "SystemExit: 3"]


def test_tasks_run_beside_each_other_on_one_loop() -> None:
    met = asyncio.Barrier(2)

    async def meet() -> str:
        """Wait for the other task's function."""
        await met.wait()
        return "met"

    async def main() -> list[Outcome]:
        tasks = [calling(meet, name=f"task-{number}") for number in range(2)]
        return await asyncio.gather(*(task.arun("Look.") for task in tasks))

    assert [outcome.text for outcome in guarded(main())] == ["Done.", "Done."]


def test_a_task_run_by_an_async_function_runs_on_the_same_loop() -> None:
    inner = task_on(Simulator([Reply(calls=[LOOK]), Reply(text="Inner.")]), "inner", tools=[lookup])

    async def ask() -> str:
        """Ask the other one."""
        return (await inner.arun("Look.")).text

    outer = calling(ask, name="outer")

    assert guarded(outer.arun("Look.")).text == "Done."
    assert results(outer) == ["Inner."]

"""Waiting for a turn: no cancellation is lost, and who only watches stops nothing."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from budget_magic import ConfigurationError, Task, tool
from budget_magic.events import SettingsChanged, StepStarted, TurnFinished
from budget_magic.session import default_session
from budget_magic.session.runner import Run
from budget_magic.simulator import Call, Reply, Signal, Simulator, hold
from tests.loop.running import facts, results, steps, task_on

FINISHED = TurnFinished(
    turn=1, step=1, state="completed", reason="end_turn", detail="", text="", elapsed_s=0.0
)


def held() -> tuple[Task, Simulator, Signal]:
    """A task whose first reply waits for a signal."""
    go_on = Signal()
    simulator = Simulator(steps(0), faults=[hold(go_on, on=0)])
    return task_on(simulator), simulator, go_on


def test_live_settings_change_while_a_turn_runs_and_others_are_refused() -> None:
    @tool(reads=True)
    def look() -> str:
        """Change settings of the task that runs this."""
        task.change(max_cost=3, effort="low")
        with pytest.raises(ConfigurationError, match="only effort, budget and ceilings can change"):
            task.change(max_cost=4, tools="none")
        return "changed"

    simulator = Simulator([Reply(calls=[Call("look", {})]), Reply(text="Done.")])
    task = task_on(simulator, tools=[look])
    task.run("Look.")

    (changed,) = facts(task, SettingsChanged)
    assert changed.settings.ceilings.cost_usd == task.settings.ceilings.cost_usd == 3
    assert [one.effort for one in facts(task, StepStarted)] == ["high", "low"]


def test_resuming_a_completed_turn_sends_nothing() -> None:
    simulator = Simulator([Reply(text="One."), Reply(text="Two.")])
    task = task_on(simulator)
    outcome = task.run("Look.")

    assert task.resume(max_cost=9) == outcome
    assert len(simulator.requests) == 1
    assert task.settings.ceilings.cost_usd == 9


@pytest.mark.parametrize("prompt", [None, 5, ["Look."]])
def test_a_prompt_that_is_no_text_is_refused(prompt: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"the prompt is .*; pass a text"):
        task_on(Simulator(steps(0))).run(prompt)


def interrupting(caller: Callable[[], object]) -> Callable[[], Any]:
    """The caller, interrupted by SIGINT as soon as it has a handler of its own."""

    def run() -> Any:
        before, beat = signal.getsignal(signal.SIGINT), threading.Event()

        def interrupt() -> None:
            while signal.getsignal(signal.SIGINT) is before:
                beat.wait(0.01)
            signal.raise_signal(signal.SIGINT)

        threading.Thread(target=interrupt, daemon=True).start()
        return caller()

    return run


@pytest.mark.parametrize("turns_of_the_loop", range(6))
@pytest.mark.parametrize("times", [1, 2])
def test_a_cancellation_that_comes_with_something_to_do_is_not_lost(
    turns_of_the_loop: int, times: int
) -> None:
    run = Run(default_session().portal)
    cancelled: list[int] = []

    def on_cancel() -> None:
        cancelled.append(1)
        run.finished = FINISHED
        run.done.set()

    async def main() -> TurnFinished:
        waiting = asyncio.create_task(run.wait_async(on_cancel))
        for _ in range(10):
            await asyncio.sleep(0)
        run.caller.wake()
        for _ in range(turns_of_the_loop):
            await asyncio.sleep(0)
        for _ in range(times):
            waiting.cancel()
        for _ in range(20):
            await asyncio.sleep(0)
        run.done.set()
        run.finished = FINISHED
        return await waiting

    assert asyncio.run(main()) is FINISHED
    assert cancelled == [1]


def test_ctrl_c_ends_only_the_waiting_for_a_background_turn() -> None:
    task, simulator, go_on = held()
    task.start("Look.")
    assert simulator.arrival(0).wait()

    with pytest.raises(KeyboardInterrupt, match="the turn itself runs on"):
        interrupting(task.wait)()

    assert task.is_running
    go_on.set()
    assert task.wait().state == "completed"


def test_ctrl_c_ends_only_the_waiting_for_a_turn_of_another_thread() -> None:
    task, simulator, go_on = held()
    ended: list[str] = []
    owner = threading.Thread(target=lambda: ended.append(task.run("Look.").state), daemon=True)
    owner.start()
    assert simulator.arrival(0).wait()

    with pytest.raises(KeyboardInterrupt):
        interrupting(task.wait)()

    assert task.is_running
    go_on.set()
    owner.join(10)
    assert ended == ["completed"]


def test_cancelling_await_end_ends_only_the_waiting() -> None:
    task, _, go_on = held()
    task.start("Look.")

    async def main() -> None:
        waiting = asyncio.create_task(task.await_end())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError, match="the turn itself runs on"):
            await waiting

    asyncio.run(main())

    assert task.is_running
    go_on.set()
    assert asyncio.run(task.await_end()).state == "completed"


@pytest.mark.parametrize("in_a_loop", [True, False])
def test_an_interrupted_function_of_a_watched_turn_is_answered_and_the_turn_runs_on(
    *, in_a_loop: bool
) -> None:
    def impatient() -> str:
        """Get interrupted."""
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            return "swallowed"
        return "never"

    simulator = Simulator([Reply(calls=[Call("impatient", {})]), Reply(text="Done.")])
    task = task_on(simulator, tools=[impatient])
    task.start("Look.")

    async def wait() -> None:
        await task.await_end()

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(wait()) if in_a_loop else task.wait()

    assert task.wait().state == "completed"
    assert results(task) == ["KeyboardInterrupt"]

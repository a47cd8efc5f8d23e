"""Stopping a turn: the request is aborted, booked, and the history stays valid."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import Any

import pytest

from budget_magic import Task
from budget_magic.errors import TaskInterrupted
from budget_magic.events import AttemptFailed, StepFinished, StepStarted, ToolFinished, TurnStarted
from budget_magic.simulator import Call, Reply, Signal, Simulator, hold, silence
from tests.loop.running import (
    LOOK,
    facts,
    interruption,
    is_append_only,
    last_content,
    lookup,
    results,
    steps,
    stopped_at,
    task_on,
)


def stop_when_silent(task: Task, simulator: Simulator, number: int = 0) -> None:
    """Stop the task, from a thread of its own, once a request has gone silent."""

    def watch() -> None:
        assert simulator.arrival(number).wait()
        assert simulator.requests[number].silent.wait()
        task.stop()

    threading.Thread(target=watch, daemon=True).start()


def test_a_stop_while_the_stream_is_silent_reaches_the_server_while_it_is_silent() -> None:
    simulator = Simulator(steps(1), faults=[silence(on=0)])
    task = task_on(simulator)
    stop_when_silent(task, simulator)

    outcome = interruption(lambda: task.run("Look."))

    assert (outcome.state, outcome.reason) == ("interrupted", "stop_button")
    assert simulator.requests[0].disconnected.wait()
    assert simulator.requests[0].closed_while_silent


def test_what_was_cut_off_is_booked_with_both_ends() -> None:
    simulator = Simulator(steps(1), faults=[silence(on=0)])
    task = task_on(simulator)
    stop_when_silent(task, simulator)

    outcome = interruption(lambda: task.run("Look."))

    failed = facts(task, AttemptFailed)[0]
    assert outcome.spend.unconfirmed_usd == failed.unconfirmed_usd >= simulator.bill.total_usd > 0
    assert "cut off: at least $0.0016 (streamed), at most $0.64 (held)" in outcome.detail
    assert 'go on with `tasks()["audit"].resume()`' in outcome.detail


def test_a_stop_before_the_first_byte_holds_the_whole_worst_case() -> None:
    simulator = Simulator(steps(1), faults=[silence(on=0, before_headers=True)])
    task = task_on(simulator)
    stop_when_silent(task, simulator)

    outcome = interruption(lambda: task.run("Look."))

    assert outcome.spend.unconfirmed_usd == facts(task, StepStarted)[0].held_usd
    assert facts(task, AttemptFailed)[0].at_least_usd == 0


@pytest.mark.parametrize("with_prompt", [True, False])
def test_the_next_run_continues_after_an_interrupt(with_prompt: bool) -> None:  # noqa: FBT001 - a case
    simulator = Simulator(steps(2), faults=[silence(on=1)])
    task = task_on(simulator)
    stop_when_silent(task, simulator, 1)
    interruption(lambda: task.run("Look."))

    outcome = task.run("Go on, please.") if with_prompt else task.resume()

    assert (outcome.state, outcome.text) == ("completed", "Done.")
    assert outcome.turn == (2 if with_prompt else 1)
    assert is_append_only(simulator.requests)
    assert len(results(task)) == 2


def test_stopping_before_anything_is_sent_holds_nothing() -> None:
    simulator = Simulator(steps(1))
    task = task_on(simulator)

    outcome = stopped_at(task, TurnStarted)

    assert simulator.requests == []
    assert outcome.spend.unconfirmed_usd == 0
    assert "cut off" not in outcome.detail
    assert task.resume().text == "Done."


def test_a_stop_in_the_moment_a_reply_is_complete_keeps_the_reply() -> None:
    simulator = Simulator(steps(1))
    task = task_on(simulator)

    outcome = stopped_at(task, StepFinished)

    assert outcome.spend.cost_usd == simulator.bill.total_usd
    assert outcome.spend.unconfirmed_usd == 0
    assert task.resume().text == "Done."
    assert is_append_only(simulator.requests)


def test_a_stop_during_a_function_answers_its_call_interrupted() -> None:
    began, go_on = threading.Event(), threading.Event()

    def slow(word: str) -> str:
        """Take a while."""
        began.set()
        assert go_on.wait(10)
        return word

    simulator = Simulator([Reply(calls=[Call("slow", {"word": "w"}), LOOK]), Reply(text="Done.")])
    task = task_on(simulator, tools=[slow, lookup])

    def stop() -> None:
        assert began.wait(10)
        task.stop()
        go_on.set()

    threading.Thread(target=stop, daemon=True).start()

    interruption(lambda: task.run("Look."))

    assert results(task) == ["interrupted", "not run: the turn ended first"]
    assert [fact.ran for fact in facts(task, ToolFinished)] == [True, False]
    assert task.resume().text == "Done."
    assert [block["type"] for block in last_content(simulator.requests[-1])] == ["tool_result"] * 2


def test_a_keyboard_interrupt_in_a_function_ends_the_turn_and_not_the_loop() -> None:
    def impatient(word: str) -> str:
        """Get interrupted."""
        raise KeyboardInterrupt(word)

    simulator = Simulator([Reply(calls=[Call("impatient", {"word": "w"})]), Reply(text="Done.")])
    task = task_on(simulator, tools=[impatient])

    outcome = interruption(lambda: task.run("Look."))

    assert (outcome.state, outcome.reason) == ("interrupted", "keyboard")
    assert results(task) == ["interrupted"]
    assert task.resume().text == "Done."
    assert task_on(Simulator([Reply(text="Alive.")]), name="other").run("Look.").text == "Alive."


def swallows() -> str:
    """Swallow the interrupt."""
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        return "swallowed"
    return "never"


def fails_instead() -> str:
    """Raise another error in its place."""
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        raise ValueError("no") from None
    return "never"


def leaves_twice() -> str:
    """Be interrupted once more while it cleans up."""
    try:
        signal.raise_signal(signal.SIGINT)
    finally:
        signal.raise_signal(signal.SIGINT)
    return "never"


async def swallows_async() -> str:
    """Swallow it in a coroutine."""
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        return "swallowed"
    return "never"


async def cleans_up() -> str:
    """Be interrupted while it sleeps."""
    threading.Timer(0, lambda: signal.raise_signal(signal.SIGINT)).start()
    try:
        await asyncio.sleep(20)
    finally:
        await asyncio.sleep(0)
    return "never"


@pytest.mark.parametrize(
    "function", [swallows, fails_instead, leaves_twice, swallows_async, cleans_up]
)
def test_an_interrupt_of_a_function_stops_the_turn_whatever_the_function_makes_of_it(
    function: Any,
) -> None:
    name = function.__name__
    simulator = Simulator([Reply(calls=[Call(name, {}), Call(name, {})]), Reply(text="Done.")])
    task = task_on(simulator, tools=[function])
    before = signal.getsignal(signal.SIGINT)

    outcome = interruption(lambda: task.run("Look."))

    assert (outcome.state, outcome.reason) == ("interrupted", "keyboard")
    assert results(task) == ["interrupted", "not run: the turn ended first"]
    assert len(simulator.requests) == 1
    assert signal.getsignal(signal.SIGINT) is before
    assert task.resume().text == "Done."


def test_an_interrupt_of_a_task_in_a_function_stops_the_outer_one_though_it_is_swallowed() -> None:
    inner_simulator = Simulator(steps(1), faults=[silence(on=0)])
    inner = task_on(inner_simulator, "inner")

    def ask() -> str:
        """Ask the other one."""
        try:
            return inner.run("Look.").text
        except KeyboardInterrupt:
            return "swallowed"

    def interrupt() -> None:
        assert inner_simulator.arrival(0).wait()
        assert inner_simulator.requests[0].silent.wait()
        signal.raise_signal(signal.SIGINT)

    simulator = Simulator([Reply(calls=[Call("ask", {})]), Reply(text="Done.")])
    outer = task_on(simulator, "outer", tools=[ask])
    threading.Thread(target=interrupt, daemon=True).start()

    outcome = interruption(lambda: outer.run("Look."))

    assert (outcome.task, outcome.reason) == ("outer", "keyboard")
    assert inner.outcome is not None
    assert inner.outcome.reason == "keyboard"
    assert len(simulator.requests) == 1


def test_an_interrupt_of_an_approval_function_runs_nothing_though_it_approves() -> None:
    noted: list[str] = []

    def note(text: str) -> str:
        """Write something down."""
        noted.append(text)
        return text

    def decide(_call: object) -> bool:
        swallows()
        return True

    simulator = Simulator([Reply(calls=[Call("note", {"text": "x"})]), Reply(text="Done.")])
    task = task_on(simulator, tools=[note], approve=decide)

    assert interruption(lambda: task.run("Look.")).reason == "keyboard"
    assert noted == []
    assert len(simulator.requests) == 1


def test_ctrl_c_stops_the_turn() -> None:
    simulator = Simulator(steps(1), faults=[silence(on=0)])
    task = task_on(simulator)

    def interrupt() -> None:
        assert simulator.arrival(0).wait()
        assert simulator.requests[0].silent.wait()
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    outcome = interruption(lambda: task.run("Look."))

    assert (outcome.state, outcome.reason) == ("interrupted", "keyboard")
    assert simulator.requests[0].closed_while_silent


def test_cancelling_arun_stops_the_turn() -> None:
    simulator = Simulator(steps(1), faults=[silence(on=0)])
    task = task_on(simulator)

    async def main() -> None:
        running = asyncio.create_task(task.arun("Look."))
        await simulator.arrival(0)
        await simulator.requests[0].silent
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())

    assert task.outcome is not None
    assert (task.outcome.state, task.outcome.reason) == ("interrupted", "keyboard")
    assert simulator.requests[0].closed_while_silent


def test_arun_gives_what_run_gives() -> None:
    outcome = asyncio.run(task_on(Simulator(steps(2))).arun("Look."))

    assert (outcome.state, outcome.text, outcome.spend.steps) == ("completed", "Done.", 3)


def test_run_works_inside_a_running_event_loop() -> None:
    async def main() -> str:
        return task_on(Simulator(steps(1))).run("Look.").text

    assert asyncio.run(main()) == "Done."


def test_the_error_carries_the_outcome_and_is_a_keyboard_interrupt() -> None:
    task = task_on(Simulator(steps(1)))

    with pytest.raises(KeyboardInterrupt) as raised:
        stop_at_once(task)

    assert isinstance(raised.value, TaskInterrupted)
    assert raised.value.outcome == task.outcome


def stop_at_once(task: Task) -> None:
    """Stop a turn and wait for its end."""
    outcome = stopped_at(task, TurnStarted)
    assert outcome.state == "interrupted"
    task.wait()


def test_a_second_turn_is_refused_while_one_runs() -> None:
    go_on = Signal()
    simulator = Simulator(steps(0), faults=[hold(go_on, on=0)])
    task = task_on(simulator)
    refused: list[Any] = []

    def try_again() -> None:
        assert simulator.arrival(0).wait()
        try:
            task.run("Another.")
        except Exception as error:  # noqa: BLE001 - handed to the test
            refused.append(error)
        go_on.set()

    threading.Thread(target=try_again, daemon=True).start()
    outcome = task.run("Look.")

    assert outcome.state == "completed"
    assert "audit is already running" in str(refused[0])
    assert len(simulator.requests) == 1

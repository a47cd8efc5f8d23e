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
    assert "go on with `%claude_resume audit`" in outcome.detail


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

    assert results(task) == ["interrupted", "not run: the turn ended before"]
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
    assert "audit runs already" in str(refused[0])
    assert len(simulator.requests) == 1

"""What had streamed when a turn ended early: on record, and in the text of the outcome."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from budget_magic import Ceilings, Task, tool
from budget_magic.errors import TaskInterrupted
from budget_magic.events import CUT_OFF_MARK, AttemptFailed, Delta, Live, Record, TurnFinished
from budget_magic.events.codec import from_json, to_json
from budget_magic.session import Session, set_default_session
from budget_magic.simulator import Call, Fault, Reply, Simulator, drop, silence, status_error
from tests.loop.running import CUT_S, LOOK, facts, interruption, lookup, task_on

LONG = "The first half of the answer is here, and the second half comes after it. " * 9 + "End."
SCRIPT = [Reply(text="I look first.", calls=[LOOK]), Reply(text=LONG)]
SOON = 0.001


def streamed(task: Task) -> str:
    """The text on record of the last attempt that failed."""
    return facts(task, AttemptFailed)[-1].streamed_text


def stop_when_silent(task: Task, simulator: Simulator, number: int) -> None:
    """Stop the task, from a thread of its own, once a request has gone silent."""

    def watch() -> None:
        assert simulator.arrival(number).wait()
        assert simulator.requests[number].silent.wait()
        task.stop()

    threading.Thread(target=watch, daemon=True).start()


def stopped(*faults: Fault, number: int = 1) -> tuple[Simulator, Task, str]:
    """A turn that is stopped while its second reply streams."""
    simulator = Simulator(SCRIPT, faults=[silence(on=number, after_events=6), *faults])
    task = task_on(simulator)
    stop_when_silent(task, simulator, number)
    return simulator, task, interruption(lambda: task.run("Look.")).text


def test_what_had_streamed_when_a_turn_is_stopped_is_kept_and_marked() -> None:
    simulator, task, text = stopped()

    assert streamed(task)
    assert LONG.startswith(streamed(task))
    assert streamed(task) != LONG
    assert text == f"I look first.\n\n{streamed(task).strip()}\n\n{CUT_OFF_MARK}"
    assert facts(task, TurnFinished)[-1].text == text
    assert "The first half" not in json.dumps(task.messages)
    assert len(simulator.requests) == 2


@pytest.mark.parametrize("after_bytes", range(640, 1160, 40))
def test_a_reply_that_is_cut_off_in_a_secret_keeps_no_part_of_it(
    monkeypatch: pytest.MonkeyPatch, after_bytes: int
) -> None:
    secret = "sk-plant-" + "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789" * 2
    monkeypatch.setenv("PLANTED_API_KEY", secret)
    simulator = Simulator(
        [Reply(text=f"The key is {secret}, and so on.")],
        faults=[silence(on=0, after_bytes=after_bytes)],
    )
    task = task_on(simulator)
    stop_when_silent(task, simulator, 0)

    outcome = interruption(lambda: task.run("Look."))

    kept = json.dumps(task.report(), default=str) + outcome.text + repr(task.events)
    assert secret[:4] not in kept


def test_what_is_kept_is_what_views_were_shown() -> None:
    shown: list[str] = []

    class View:
        def record(self, record: Record) -> None:
            """Ignore facts."""

        def live(self, event: Live) -> None:
            """Collect the text."""
            if isinstance(event, Delta) and event.kind == "text" and event.step == 2:
                shown.append(event.text)

    simulator = Simulator(SCRIPT, faults=[silence(on=1, after_events=7)])
    task = task_on(simulator)
    task.subscribe(View())
    stop_when_silent(task, simulator, 1)

    interruption(lambda: task.run("Look."))

    assert streamed(task) == "".join(shown) != ""


@pytest.mark.parametrize("kind", [drop, silence], ids=["broken off", "out of time"])
def test_what_had_streamed_when_nothing_helps_is_kept(kind: Callable[..., Fault]) -> None:
    ceilings = Ceilings(elapsed_s=CUT_S if kind is silence else None)
    never = status_error(400, on=[2, 3, 4, 5])
    simulator = Simulator(SCRIPT, faults=[kind(on=1, after_events=6), never])
    task = task_on(simulator, ceilings=ceilings)

    outcome = task.run("Look.")

    kept = facts(task, AttemptFailed)[0].streamed_text
    assert outcome.state == ("halted" if kind is silence else "failed")
    assert LONG.startswith(kept)
    assert outcome.text == f"I look first.\n\n{kept.strip()}\n\n{CUT_OFF_MARK}"


def test_an_attempt_that_is_repeated_successfully_stays_on_record_only() -> None:
    simulator = Simulator(SCRIPT, faults=[drop(on=1, after_events=6)])
    task = task_on(simulator)

    outcome = task.run("Look.")

    assert LONG.startswith(streamed(task))
    assert outcome.text in {"", "Done.", LONG}
    assert CUT_OFF_MARK not in outcome.text


def test_thinking_and_calls_are_no_text() -> None:
    reply = Reply(thinking="Let me see. " * 9, calls=[Call("lookup", {"word": "w" * 200})])
    simulator = Simulator([reply], faults=[silence(on=0, after_events=5)])
    task = task_on(simulator)
    stop_when_silent(task, simulator, 0)

    outcome = interruption(lambda: task.run("Look."))

    assert (streamed(task), outcome.text) == ("", "")


def test_a_resumed_turn_keeps_its_earlier_text() -> None:
    simulator, task, first = stopped()
    simulator.faults[:] = [silence(on=2, after_events=7)]
    stop_when_silent(task, simulator, 2)

    again = interruption(task.resume).text

    assert again.startswith("I look first.\n\n")
    assert again.endswith(f"\n\n{CUT_OFF_MARK}")
    assert again.count(CUT_OFF_MARK) == 1
    assert first.startswith("I look first.")
    simulator.faults.clear()
    assert CUT_OFF_MARK not in task.resume().text


def test_a_resume_that_sends_nothing_does_not_lose_what_had_streamed() -> None:
    _, task, text = stopped()

    outcome = task.resume(max_steps=1)

    assert outcome.reason == "step_ceiling"
    assert outcome.text == text


def test_the_next_turn_does_not_begin_with_it() -> None:
    simulator, task, _ = stopped()
    simulator.faults.clear()

    outcome = task.run("Anything else?")

    assert CUT_OFF_MARK not in outcome.text


def test_a_rebuilt_task_has_the_same_text_and_goes_on_with_it() -> None:
    lines: list[str] = []

    class Journal:
        def record(self, record: Record) -> None:
            """Write one record."""
            lines.append(to_json(record))

    with Session(required_sinks=[Journal()]) as session:
        before = set_default_session(session)
        _, task, text = stopped()
        set_default_session(before)
    simulator = Simulator(SCRIPT)
    rebuilt = Task.from_records(
        [from_json(line) for line in lines], client=task.settings.client, tools=[lookup]
    )

    assert rebuilt.outcome is not None
    assert rebuilt.outcome.text == text
    assert rebuilt.resume(max_steps=1).text == text
    assert simulator.requests == []


def test_a_record_from_before_the_field_is_read() -> None:
    _, task, _ = stopped()
    record = next(one for one in task.events if isinstance(one.fact, AttemptFailed))
    assert isinstance(record.fact, AttemptFailed)
    old = json.loads(to_json(record))
    del old["fact"]["streamed_text"]

    read = from_json(json.dumps(old))

    assert read == replace(record, fact=replace(record.fact, streamed_text=""))
    assert from_json(to_json(record)) == record


def test_a_secret_that_had_streamed_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "k-1234567890")
    script = [Reply(text="The key is k-1234567890, and so on and on and on and on and on.")]
    simulator = Simulator(script, faults=[silence(on=0, after_bytes=1_500)])
    task = task_on(simulator)
    stop_when_silent(task, simulator, 0)

    outcome = interruption(lambda: task.run("Look."))

    assert "k-1234567890" not in repr(task.events) + outcome.text
    assert "[secret MY_API_KEY]" in streamed(task)
    assert "[secret MY_API_KEY]" in outcome.text


def test_a_task_that_a_tool_runs_keeps_its_own_text() -> None:
    inner = Simulator([Reply(text=LONG)], faults=[silence(on=0, after_events=6)])
    texts: list[str] = []

    @tool(reads=True)
    def delegate() -> str:
        """Run another task."""
        task = task_on(inner, "inner")
        stop_when_silent(task, inner, 0)
        try:
            task.run("Look.")
        except TaskInterrupted as error:
            texts.append(getattr(error.outcome, "text", ""))
        return "stopped"

    outer = Simulator([Reply(text="I ask.", calls=[Call("delegate", {})]), Reply(text="Done.")])
    task = task_on(outer, tools=[delegate])

    assert task.run("Look.").text == "Done."
    assert texts[0].endswith(f"\n\n{CUT_OFF_MARK}")


def test_a_summary_that_was_cut_off_is_not_what_claude_said() -> None:
    script = [
        Reply(text="I look first.", calls=[LOOK], output_tokens=20_000),
        Reply(text="A summary of all this. " * 20),
    ]
    simulator = Simulator(script, faults=[silence(on=1, after_events=6)])
    task = task_on(simulator, compact_at=10_000)
    stop_when_silent(task, simulator, 1)

    outcome = interruption(lambda: task.run("Look."))

    assert outcome.text == "I look first."

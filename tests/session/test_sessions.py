"""Sessions: side by side in one process, closed, and with sinks that must record."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest

from budget_magic import Ceilings, ConfigurationError, Task, TaskInterrupted, tool
from budget_magic.events import (
    Fact,
    Live,
    MessageAppended,
    Record,
    StepStarted,
    ToolFinished,
    ToolStarted,
    TurnFinished,
)
from budget_magic.session import PythonHost, Session, default_session
from budget_magic.session.outcome import Outcome
from budget_magic.settings import Defaults
from budget_magic.simulator import Call, Reply, SceneContext, Signal, Simulator, hold
from budget_magic.wire.sdk import simulated_client
from tests.loop.running import facts, lookup, steps

CAP_USD = Decimal("0.50")


class Capped(PythonHost):
    """A host under whose ceiling all tasks of a session stay."""

    def defaults(self) -> Defaults:
        """Return defaults with a session ceiling."""
        return Defaults(session_cost_usd=CAP_USD)


def task_in(session: Session, simulator: Simulator, name: str) -> Task:
    """A task of a session on a real client."""
    return Task(
        name,
        session=session,
        client=simulated_client(simulator.transport()),
        tools=[lookup],
        approve="all",
        ceilings=Ceilings(steps=20),
    )


def test_two_sessions_side_by_side_share_nothing_and_hold_their_ceilings() -> None:
    def scene(view: SceneContext) -> Reply:
        return Reply(calls=[Call("lookup", {"word": str(view.replies)})])

    simulators = [Simulator(scene), Simulator(scene)]
    with Session(host=Capped()) as first, Session(host=Capped()) as second:
        tasks = [
            task_in(session, simulator, f"task-{number}")
            for session, simulator in zip((first, second), simulators, strict=True)
            for number in range(4)
        ]
        together, outcomes = threading.Barrier(8), list[Outcome]()

        def work(task: Task) -> None:
            together.wait()
            outcomes.append(task.run("Look."))

        threads = [threading.Thread(target=work, args=(task,)) for task in tasks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(outcomes) == 8
        assert {one.state for one in outcomes} == {"halted"}
        for session, simulator in zip((first, second), simulators, strict=True):
            assert list(session.tasks) == [f"task-{number}" for number in range(4)]
            assert session.account.requests_held == 0
            assert simulator.bill.total_usd <= session.account.spent.usd <= CAP_USD
        assert first.portal is not second.portal
        assert first.gate is not second.gate
    assert not default_session().tasks


def test_closing_a_session_stops_and_books_what_runs() -> None:
    go_on = Signal()
    simulator = Simulator(steps(1), faults=[hold(go_on, on=0)])
    session = Session()
    task = task_in(session, simulator, "audit")
    task.start("Look.")
    assert simulator.arrival(0).wait()

    session.close()

    assert not task.is_running
    assert facts(task, TurnFinished)[-1].state == "interrupted"
    assert session.account.requests_held == 0
    with pytest.raises(ConfigurationError, match="the session is closed"):
        task.run("Once more.")


def test_a_session_that_ran_async_functions_is_closed_twice() -> None:
    @tool(reads=True)
    async def lookup(word: str) -> str:
        """Look up a word."""
        return f"{word} is a word"

    session = Session()
    client = simulated_client(Simulator(steps(1)).transport())
    task = Task("audit", session=session, client=client, tools=[lookup], approve="all")
    assert task.run("Look.").state == "completed"

    session.close()
    session.close()

    with pytest.raises(ConfigurationError, match="the session is closed"):
        task.run("Once more.")


def test_a_task_of_another_session_is_refused_inside_a_tool() -> None:
    other = Session()
    refused: list[str] = []

    def delegate() -> str:
        """Run a task of another session."""
        inner = task_in(other, Simulator(steps(1)), "inner")
        try:
            inner.run("Look.")
        except ConfigurationError as error:
            refused.append(str(error))
        return "done"

    simulator = Simulator([Reply(calls=[Call("delegate", {})]), Reply(text="Done.")])
    client = simulated_client(simulator.transport())
    with other:
        Task("outer", client=client, tools=[delegate], approve="all").run("Go.")

    assert len(refused) == 1
    assert "inner belongs to another session than the task whose tool runs it" in refused[0]


def test_a_task_made_inside_a_tool_belongs_to_the_session_of_the_tools_task() -> None:
    made: list[Task] = []

    def delegate() -> str:
        """Run a task."""
        client = simulated_client(Simulator([Reply(text="Inner.")]).transport())
        made.append(Task("inner", client=client, tools="none"))
        return made[0].run("Look.").text

    simulator = Simulator([Reply(calls=[Call("delegate", {})]), Reply(text="Done.")])
    with Session() as session:
        outer = Task(
            "outer",
            session=session,
            client=simulated_client(simulator.transport()),
            tools=[delegate],
            approve="all",
        )
        assert outer.run("Go.").state == "completed"
        assert list(session.tasks) == ["outer", "inner"]

        (call,) = [record for record in outer.events if isinstance(record.fact, ToolStarted)]
        (start, *_) = [one for one in made[0].events if one.fact.kind == "turn_started"]
        assert start.parent == call.id


class Journal:
    """A required sink that fails with one kind of fact."""

    def __init__(self, fails_with: type[Fact] | None = None, times: int = 1) -> None:
        self.records: list[Record] = []
        self.fails_with, self.times = fails_with, times

    def record(self, record: Record) -> None:
        """Record a fact, or fail."""
        if self.fails_with is not None and isinstance(record.fact, self.fails_with) and self.times:
            self.times -= 1
            raise OSError("No space left on device")
        self.records.append(record)

    def live(self, event: Live) -> None:
        """Let it stream."""


@pytest.mark.parametrize("kind", [MessageAppended, StepStarted])
def test_what_cannot_be_recorded_is_not_sent(kind: type[Fact]) -> None:
    simulator, journal = Simulator(steps(1)), Journal(fails_with=kind)
    with Session(required_sinks=[journal]) as session:
        task = task_in(session, simulator, "audit")
        outcome = task.run("Look.")

        assert (outcome.state, outcome.reason) == ("failed", "configuration")
        assert "step 1 was not sent: the task cannot be recorded (OSError: No space left on" in (
            outcome.detail
        )
        assert not simulator.requests
        assert session.account.requests_held == 0
        assert outcome.spend.unconfirmed_usd == 0
        assert task.resume().state == "completed"


def test_every_required_sink_is_told_though_another_fails() -> None:
    failing, whole = Journal(fails_with=StepStarted), Journal()
    with Session(required_sinks=[failing, whole]) as session:
        task = task_in(session, Simulator(steps(1)), "audit")
        assert task.run("Look.").reason == "configuration"

    assert [record.sequence for record in whole.records] == list(range(1, len(task.events) + 1))
    assert failing.records == whole.records


@pytest.mark.parametrize("number", range(1, 14))
def test_a_journal_that_failed_once_has_no_gap(number: int) -> None:
    class FailsOnce(Journal):
        def record(self, record: Record) -> None:
            """Fail at one record, once."""
            if record.sequence == number and self.times:
                self.times = 0
                raise OSError("No space left on device")
            self.records.append(record)

    journal, simulator = FailsOnce(), Simulator(steps(1))
    with Session(required_sinks=[journal]) as session:
        task = task_in(session, simulator, "audit")
        if task.run("Look.").state != "completed":
            assert task.resume().state == "completed"

    assert [one.sequence for one in journal.records] == list(range(1, len(task.events) + 1))
    with Session() as other:
        rebuilt = Task.from_records(
            journal.records, session=other, client=task.settings.client, tools=[lookup]
        )
        assert rebuilt.spend == task.spend


def test_a_call_that_cannot_be_recorded_does_not_run() -> None:
    simulator, journal = Simulator(steps(1)), Journal(fails_with=ToolStarted)
    with Session(required_sinks=[journal]) as session:
        task = task_in(session, simulator, "audit")
        outcome = task.run("Look.")

    assert (outcome.state, outcome.reason) == ("failed", "configuration")
    (answer,) = facts(task, ToolFinished)
    assert (answer.ran, answer.content) == (False, "not run: the call could not be recorded")
    assert len(simulator.requests) == 1


def test_records_belong_to_their_call_their_step_or_their_turn() -> None:
    journal = Journal()
    with Session(required_sinks=[journal]) as session:
        task_in(session, Simulator(steps(1)), "audit").run("Look.")

    kinds = {record.id: record.fact.kind for record in journal.records}
    parents = [(record.fact.kind, kinds.get(record.parent or "")) for record in journal.records]
    assert parents == [
        ("tools_offered", None),
        ("turn_started", None),
        ("effort_changed", "turn_started"),
        ("message_appended", "turn_started"),
        ("step_started", "turn_started"),
        ("message_appended", "step_started"),
        ("step_finished", "step_started"),
        ("tool_started", "step_started"),
        ("tool_finished", "tool_started"),
        ("message_appended", "turn_started"),
        ("step_started", "turn_started"),
        ("message_appended", "step_started"),
        ("step_finished", "step_started"),
        ("turn_finished", "step_started"),
    ]


def test_a_subscription_outlives_turns_until_it_is_ended() -> None:
    seen = Journal()
    task = task_in(default_session(), Simulator([Reply(text="Yes.")] * 3), "audit")
    end = task.subscribe(seen)
    task.run("First.")
    task.run("Second.")
    end()
    task.run("Third.")

    assert {record.fact.turn for record in seen.records} == {1, 2}


class OnlyRecords:
    """A view that leaves out what streams."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def record(self, record: Record) -> None:
        """Keep a record."""
        self.records.append(record)


def test_a_view_may_leave_out_what_streams() -> None:
    view: Any = OnlyRecords()
    task = task_in(default_session(), Simulator(steps(1)), "audit")
    task.subscribe(view)

    outcome = task.run("Look.")

    assert outcome.state == "completed"
    assert outcome.spend.unconfirmed_usd == 0
    assert len(view.records) == len(task.events)


@pytest.mark.parametrize("view", [None, object(), "view"])
def test_what_takes_no_records_is_not_a_view(view: Any) -> None:
    task = task_in(default_session(), Simulator(steps(1)), "audit")
    with pytest.raises(ConfigurationError, match="is not a view: give it a method"):
        task.subscribe(view)
    assert task.run("Look.").state == "completed"


def test_closing_a_session_while_a_function_runs_interrupts_the_turn() -> None:
    session = Session()

    def close() -> str:
        """Close the session that runs this."""
        session.close()
        return "closed"

    client = simulated_client(Simulator([Reply(calls=[Call("close", {})]), *steps(0)]).transport())
    task = Task("audit", session=session, client=client, tools=[close], approve="all")

    with pytest.raises(TaskInterrupted):
        task.run("Go.")
    assert facts(task, TurnFinished)[-1].state == "interrupted"


def test_a_session_closed_before_anything_ran_is_closed() -> None:
    with Session() as session:
        task = task_in(session, Simulator(steps(1)), "audit")
    with pytest.raises(ConfigurationError, match="the session is closed"):
        task.run("Look.")


def test_a_running_task_is_not_rebuilt_beside_itself() -> None:
    go_on, journal = Signal(), Journal()
    simulator = Simulator(steps(1), faults=[hold(go_on, on=0)])
    with Session(required_sinks=[journal]) as session:
        task = task_in(session, simulator, "audit")
        task.start("Look.")
        assert simulator.arrival(0).wait()
        with pytest.raises(ConfigurationError, match="audit is already running"):
            Task.from_records(journal.records, session=session)
        assert session.tasks["audit"] is task
        go_on.set()
        assert task.wait().state == "completed"

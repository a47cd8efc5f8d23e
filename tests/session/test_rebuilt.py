"""A task rebuilt from its records goes on as the recorded one would, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings

from budget_magic import Ceilings, ConfigurationError, Task
from budget_magic.events import (
    AttemptFailed,
    Fact,
    Record,
    RetryScheduled,
    StepStarted,
    TurnFinished,
)
from budget_magic.events.codec import from_json, to_json
from budget_magic.loop.compaction import ASK
from budget_magic.loop.contexts import Decision
from budget_magic.session import Session, set_default_session
from budget_magic.session.outcome import Outcome
from budget_magic.session.start import Start, start_turn
from budget_magic.session.turns import Prompt
from budget_magic.simulator import Call, Reply, SceneContext, Simulator, status_error
from budget_magic.tools.approval import Call as AskedCall
from budget_magic.wire.sdk import simulated_client
from tests.loop.running import facts, lookup, note, task_on
from tests.loop.test_promise import Script, fetch, played, scripts
from tests.support import examples


class Journal:
    """A required sink that writes each record as a line of JSON."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def record(self, record: Record) -> None:
        """Write one record."""
        self.lines.append(to_json(record))

    def records(self) -> list[Record]:
        """What was written, read back."""
        return [from_json(line) for line in self.lines]


def next_request(simulator: Simulator, go_on: Callable[[], Outcome]) -> str:
    """The next request for a reply, as JSON."""
    simulator.faults.clear()
    before = len(simulator.requests)
    go_on()
    sent = [one for one in simulator.requests[before:] if one.path == "/v1/messages"]
    return json.dumps(sent[0].body) if sent else ""


def account_state(task: Task) -> tuple[object, ...]:
    """What stands against a task's ceilings."""
    account = task.account
    cut_off = [(one.task, one.most, one.least, one.is_reply) for one in account.cut_off]
    below = (account.spent_below, account.unconfirmed_below)
    return account.spent, account.unconfirmed, below, cut_off


def assert_goes_on_alike(
    task: Task, simulator: Simulator, beside: Simulator, journal: Journal
) -> None:
    """The rebuilt task stands as the recorded one does, and sends the same next request."""
    last = facts(task, TurnFinished)[-1]
    resumes = last.state != "completed"
    one_more = (last.step if resumes else 0) + 1
    raised = Ceilings(cost_usd=None, total_tokens=None, steps=one_more)
    task.change(replace(task.settings, ceilings=raised))
    with Session() as session:
        rebuilt = Task.from_records(
            journal.records(),
            session=session,
            client=simulated_client(beside.transport()),
            tools=list(task.settings.tools),
            ceilings=raised,
            stuck_rule=task.settings.stuck_rule,
        )
        assert rebuilt.messages == task.messages
        assert rebuilt.spend == task.spend
        assert account_state(rebuilt) == account_state(task)
        assert [turn.outcome for turn in rebuilt.turns] == [turn.outcome for turn in task.turns]
        assert [turn.is_superseded for turn in rebuilt.turns] == [
            turn.is_superseded for turn in task.turns
        ]
        again = next_request(beside, lambda: go_on(rebuilt, resumes=resumes))
    assert again == next_request(simulator, lambda: go_on(task, resumes=resumes)) != ""


def go_on(task: Task, *, resumes: bool) -> Outcome:
    """How the task ends when it goes on."""
    return task.resume() if resumes else task.run("Next.")


@pytest.fixture
def journal() -> Iterator[Journal]:
    """What the default session must record."""
    written = Journal()
    with Session(required_sinks=[written]) as session:
        before = set_default_session(session)
        yield written
        set_default_session(before)


@settings(max_examples=examples(30))
@given(scripts())
def test_a_rebuilt_task_sends_the_same_next_request(script: Script) -> None:
    written = Journal()
    with Session(required_sinks=[written]) as session:
        before = set_default_session(session)
        try:
            script = replace(script, count_error=0.0)
            simulator, task = played(script)
            assert_goes_on_alike(task, simulator, script.simulator(), written)
        finally:
            set_default_session(before)


def change_effort(task: Task) -> None:
    """Two turns, the second with less effort."""
    task.run("First.")
    task.change(replace(task.settings, effort="low"))
    task.run("Second.")


def change_tools(task: Task) -> None:
    """Two turns, the second with one more tool."""
    task.run("First.")
    task.change(replace(task.settings, tools=(lookup, fetch)))
    task.run("Second.")


def change_budget(task: Task) -> None:
    """Two turns, the second with a larger budget, counted as documented."""
    task.change(replace(task.settings, carry="documented"))
    task.run("First.")
    task.change(replace(task.settings, budget=90_000))
    task.run("Second.")


def rewind(task: Task) -> None:
    """Three turns, of which the last two are gone back before."""
    for prompt in ("First.", "Second.", "Third."):
        task.run(prompt)
    otherwise = Prompt(typed="Otherwise.", sent="Otherwise.")
    start_turn(task, otherwise, Start(rewind_to=task.turns[1]), task.new_run())
    task.wait()


def compact(task: Task) -> None:
    """Two turns; the second begins with a summary of the first."""
    task.run("First.")
    task.change(replace(task.settings, compact_at=2_000))
    task.run("Second.")


def refuse(task: Task) -> None:
    """Two turns, of which the last is refused."""
    task.run("Second.")
    task.run("First, refuse.")


def ask_tools(task: Task) -> None:
    """One turn with a call that is approved for the rest of the task."""
    task.start("Second.", approver=approve_for_task)
    task.wait()


async def approve_for_task(call: AskedCall) -> Decision:
    """Approve a call for the rest of the task."""
    assert call.name == "note"
    return Decision(kind="task")


def scene(view: SceneContext) -> Reply:
    """A call in each second turn, then an answer; a summary where one is asked for."""
    if ASK in view.asked:
        return Reply(text="What was said so far.", thinking="Short.")
    if "Second" in view.asked and not view.turn_replies:
        return Reply(calls=[Call("note", {"text": view.asked})], thinking="I note it.")
    if "First" in view.asked and "refuse" in view.asked:
        return Reply(text="No.", stop_reason="refusal")
    return Reply(text="Done. " * 50, thinking="Done.")


@pytest.mark.parametrize(
    "work", [change_effort, change_tools, change_budget, rewind, compact, refuse, ask_tools]
)
@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-sonnet-5-5"])
def test_whatever_a_task_did_comes_back(
    journal: Journal, work: Callable[[Task], None], model: str
) -> None:
    simulator, beside = Simulator(scene), Simulator(scene)
    task = task_on(simulator, tools=[lookup, note], model=model, approve="ask")

    work(task)

    assert_goes_on_alike(task, simulator, beside, journal)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _records: [],
        lambda records: records[1:],
        lambda records: [*records[:3], *records[4:]],
        lambda records: records[::-1],
        lambda records: [*records, replace(records[-1], task="other")],
    ],
)
def test_records_that_are_not_those_of_a_whole_task_are_refused(
    journal: Journal, spoil: Callable[[list[Record]], list[Record]]
) -> None:
    task_on(Simulator(scene)).run("Look.")
    with Session() as session:
        with pytest.raises(ConfigurationError, match="records"):
            Task.from_records(spoil(journal.records()), session=session)
        assert not session.tasks


@pytest.mark.parametrize(("kind", "attempt"), [(StepStarted, 1), (RetryScheduled, 2)])
def test_a_request_of_a_dead_process_counts_at_its_worst_case(
    journal: Journal, kind: type[Fact], attempt: int
) -> None:
    simulator = Simulator(scene, faults=[status_error(529, on=0, retry_after=0.0)])
    task = task_on(simulator, tools=[lookup, note])
    task.run("Second.")
    records = journal.records()
    last = max(place for place, one in enumerate(records) if isinstance(one.fact, kind))
    cut = records[: last + 1]
    (*_, started) = (one.fact for one in cut if isinstance(one.fact, StepStarted))

    with Session() as session:
        rebuilt = Task.from_records(
            cut, session=session, client=task.settings.client, tools=[lookup, note]
        )

        assert facts(rebuilt, AttemptFailed)[-1].attempt == attempt
        assert rebuilt.held.usd == rebuilt.spend.unconfirmed_usd == started.held_usd
        assert rebuilt.account.unconfirmed.usd == started.held_usd
        assert rebuilt.events[-1].sequence == len(cut) + 1
        assert not rebuilt.is_running
        assert rebuilt.resume().state == "completed"
        assert rebuilt.release_held().startswith("Released $")

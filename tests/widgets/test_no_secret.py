"""A planted secret comes up everywhere in a run, and nothing that leaves it holds one."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from functools import partial
from pathlib import Path

import pytest

from budget_magic import Task
from budget_magic.events import (
    ApprovalAsked,
    ApprovalGiven,
    AttemptFailed,
    Delta,
    Live,
    MessageAppended,
    Record,
    RetryScheduled,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    TurnStarted,
)
from budget_magic.events.codec import to_json
from budget_magic.loop.contexts import Decision
from budget_magic.report.live_turn import LiveTurn
from budget_magic.session.controls import TaskControls
from budget_magic.session.redaction import redact_shown
from budget_magic.simulator import (
    Call,
    Reply,
    Scripted,
    Simulator,
    error_event,
    status_error,
)
from budget_magic.tools.approval import Call as AskedCall
from budget_magic.widgets import Panel
from budget_magic.wire.sdk import simulated_client
from tests.loop.running import facts, sent
from tests.loop.running import replies as replies_of
from tests.planted import ENVIRON, KEY, WORD, encoded_everyhow, leaks
from tests.widgets.conftest import Stage

SOON = 0.001
SAID = f"The key is {KEY}, or {encoded_everyhow(KEY)}, and {WORD}."


def reveal(text: str) -> str:
    return f"{text}: {encoded_everyhow(KEY)} {WORD}"


reveal.__doc__ = f"Reveal a text.\n\nArgs:\n    text: Such as {KEY}."


def fail(text: str) -> str:
    """Fail with a message."""
    raise ValueError(f"{text} {KEY}")


class Everything:
    """A sink that keeps all that it is told."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.events: list[Live] = []

    def record(self, record: Record) -> None:
        """Keep a record."""
        self.records.append(record)

    def live(self, event: Live) -> None:
        """Keep what streams."""
        self.events.append(event)

    def streamed(self) -> str:
        """What a reader saw stream, block by block."""
        blocks: dict[tuple[int, int], str] = defaultdict(str)
        for event in self.events:
            if isinstance(event, Delta):
                blocks[event.step, event.block] += event.text
        return "\n".join(blocks.values())


async def decide(call: AskedCall) -> Decision:
    """Deny one kind of call, with a reason that holds a secret."""
    assert not leaks(call.summary + repr(call))
    if call.name == "reveal":
        return Decision(kind="denied", reason=f"no, because of {KEY}")
    return Decision(kind="task")


def replies() -> list[Reply]:
    """What the model does with the secrets that it knows."""
    return [
        Reply(
            thinking=f"I remember {SAID}",
            text=SAID,
            calls=[
                Call("reveal", {"text": f"a {KEY}"}),
                Call("fail", {"text": KEY}),
                Call("fail", {"text": ["no", {WORD: KEY}]}),
                Call(f"use_{WORD}", {KEY: encoded_everyhow(KEY)}),
                Call("list", {}),
                Call("read", {"file_path": f"{WORD}.txt"}),
                Call("read", {"file_path": KEY}),
            ],
        ),
        Reply(text=f"Done with {SAID}"),
    ]


@pytest.mark.parametrize("delta_characters", [1, 5, 11, None])
@pytest.mark.parametrize("ends_badly", [False, True])
def test_no_form_of_a_secret_leaves_a_run(  # noqa: PLR0913, PLR0917 - all places at once
    stage: Stage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    delta_characters: int | None,
    *,
    ends_badly: bool,
) -> None:
    caplog.set_level(logging.DEBUG, "budget_magic")
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    (tmp_path / f"{WORD}.txt").write_text(f"{WORD} {encoded_everyhow(KEY)}\n")
    told = f"Overloaded, said {KEY} and {WORD}."
    faults = [
        status_error(529, on=0, retry_after=SOON, message=told),
        error_event(on=1, message=told, after_events=30),
    ]
    if ends_badly:
        faults.append(status_error(400, on=3, message=told))
    simulator = Simulator(
        Scripted(replies(), by="history"), faults=faults, delta_characters=delta_characters
    )
    task = Task(
        "audit",
        client=simulated_client(simulator.transport()),
        tools=["files", reveal, fail],
        approve="ask",
        root=tmp_path,
        system=f"You know {KEY}.",
        tags={"for": KEY, WORD: "x"},
    )
    seen = Everything()
    live_turn = LiveTurn(task.fold, task.ratios)
    panel = Panel(live_turn, TaskControls(task, live_turn))
    prompt = f"Look at {KEY} and {encoded_everyhow(WORD)}."

    task.start(prompt, sinks=[live_turn, seen], approver=decide)
    outcome = task.wait()
    comm = stage.comms[-1]
    for fact in facts(task, ToolFinished):
        comm.say({"k": "whole", "part": "result", "id": fact.call_id})
        comm.say({"k": "whole", "part": "call", "id": fact.call_id})
    panel.finish()

    assert outcome.state == ("failed" if ends_badly else "completed")
    kinds = (TurnStarted, AttemptFailed, RetryScheduled, MessageAppended, ApprovalAsked,
             ApprovalGiven, ToolStarted, ToolFinished, TurnFinished)  # fmt: skip
    for kind in kinds:
        mine = facts(task, kind)
        assert mine, kind
        assert any("[secret PLANTED_" in repr(fact) for fact in mine), kind
    for record in seen.records:
        assert not leaks(repr(record) + to_json(record))
    assert not leaks(seen.streamed() + repr(seen.events))
    whole = replies_of(task)[0]
    blocks = [block.get("thinking") or block.get("text") for block in whole]
    for text in filter(None, blocks):
        assert text in seen.streamed()
    assert not leaks(json.dumps(comm.told, ensure_ascii=False))
    panel.widget.send_state("snapshot")
    assert not leaks(json.dumps(comm.told, ensure_ascii=False))
    for mime, saved in task.report().items():
        shown = saved if isinstance(saved, str) else json.dumps(saved, ensure_ascii=False)
        assert not leaks(shown), mime
        assert "[secret" in shown or mime.endswith("json")
    shown = repr((task, task.settings, task.turns, outcome))
    assert not leaks(shown)
    assert not leaks(caplog.text + "".join(capfd.readouterr()))
    for request in simulator.requests:
        assert not leaks(json.dumps([request.body["system"], request.body["tools"]]))
        users = [message for message in sent(request) if message["role"] == "user"]
        assert not leaks(json.dumps(users, ensure_ascii=False))
    panel.close()


def test_a_secret_that_only_markdown_puts_together_does_not_reach_the_page(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    text = f"The word is {WORD.replace('P', '&#80;')}, indeed.\n\nMore of it.\n\nAnd the end."
    task = Task("audit", client=simulated_client(Simulator([Reply(text=text)]).transport()))
    live_turn = LiveTurn(task.fold, task.ratios)
    redact = partial(redact_shown, redact=task.bus.redactor.redact)
    panel = Panel(live_turn, TaskControls(task, live_turn), redact=redact)

    task.start("Look.", sinks=[live_turn])
    task.wait()
    panel.finish()
    panel.widget.send_state("snapshot")

    told = json.dumps(stage.comms[-1].told, ensure_ascii=False)
    assert "indeed" in told
    assert "[secret PLANTED_WORD_TOKEN]" in told
    assert not leaks(told)
    panel.close()


def test_what_claude_wrote_goes_back_untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    simulator = Simulator(Scripted(replies(), by="history"))
    client = simulated_client(simulator.transport())
    task = Task("audit", client=client, tools=[reveal, fail], approve="none")
    task.run("Look.")

    (said,) = [m for m in sent(simulator.requests[1]) if m["role"] == "assistant"]
    thinking, text, first, *_ = said["content"]
    assert thinking["thinking"] == f"I remember {SAID}"
    assert thinking["signature"]
    assert text["text"] == SAID
    assert first["input"] == {"text": f"a {KEY}"}

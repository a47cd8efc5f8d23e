"""What is asked before a call runs, what runs then, and for how long an approval holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from budget_magic import Task, tool
from budget_magic.events import ApprovalAsked, ApprovalGiven, ToolFinished, ToolStarted
from budget_magic.loop.contexts import Decision
from budget_magic.simulator import Call, Reply, Scripted, Simulator
from budget_magic.tools.approval import Call as AskedCall
from tests.loop.running import facts, results, sent, task_on
from tests.planted import ENVIRON, KEY

DEEP = {"text": "a", "deep": {"list": [1, {"x": "y"}]}}


@pytest.fixture(autouse=True)
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two secrets in the environment."""
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)


class Asked:
    """An approver that remembers what it was asked and always gives the same answer."""

    def __init__(self, decision: Decision) -> None:
        self.calls: list[AskedCall] = []
        self._decision = decision

    async def __call__(self, call: AskedCall) -> Decision:
        """Remember and answer."""
        self.calls.append(call)
        return self._decision


def scripted(*calls: Call) -> Simulator:
    """One reply a call, then an answer; round by round as often as it is asked."""
    return Simulator(Scripted([*(Reply(calls=[call]) for call in calls), Reply(text="Done.")]))


def run(task: Task, decision: str = "once") -> Asked:
    """A turn whose questions are all answered in the same way."""
    asked = Asked(Decision(kind=decision))  # type: ignore[arg-type] # one of the three words
    task.start("Go.", approver=asked)
    task.wait()
    return asked


def keep(kept: list[dict[str, Any]]) -> Callable[..., str]:
    """A tool that keeps its input and then changes it, as deep as it can."""

    def save(text: str, deep: dict[str, Any]) -> str:
        """Save."""
        kept.append(json.loads(json.dumps({"text": text, "deep": deep})))
        deep["list"][1]["x"] = "changed"
        deep["list"].append("more")
        return "saved"

    return save


def test_a_tool_that_edits_its_arguments_changes_neither_history_nor_record() -> None:
    kept: list[dict[str, Any]] = []
    simulator = scripted(Call("save", DEEP), Call("save", DEEP))
    task = task_on(simulator, tools=[keep(kept)], approve="all")
    task.run("Save.")

    assert kept == [DEEP, DEEP]
    assert [fact.input for fact in facts(task, ToolStarted)] == [DEEP, DEEP]
    inputs = [
        block["input"]
        for message in sent(simulator.requests[-1])
        for block in message["content"]
        if block["type"] == "tool_use"
    ]
    assert inputs == [DEEP, DEEP]
    assert "changed" not in json.dumps(task.messages)


def test_an_approval_function_cannot_change_what_runs() -> None:
    kept: list[dict[str, Any]] = []

    def approve(call: AskedCall) -> bool:
        call.arguments["text"] = "other"
        call.arguments["deep"]["list"].clear()
        return True

    task = task_on(scripted(Call("save", DEEP)), tools=[keep(kept)], approve=approve)
    task.run("Save.")

    assert kept == [DEEP]
    assert "other" not in json.dumps(task.messages)


def test_an_approval_function_is_told_the_exact_call() -> None:
    hidden = "echo hello \x1b]; echo PWNED; \x07\x9d; x\x9c\u202e\u200b\U000e0041" + "a" * 900 + "!"
    told: list[AskedCall] = []

    def approve(call: AskedCall) -> bool:
        told.append(call)
        return False

    def shell(command: str) -> str:
        """Run a command."""
        return command

    task = task_on(scripted(Call("shell", {"command": hidden})), tools=[shell], approve=approve)
    task.run("Go.")

    assert told[0].arguments == {"command": hidden}
    assert told[0].summary == (
        r"shell(command='echo hello \x1b]; echo PWNED; \x07\x9d; x\x9c\u202e\u200b\U000e0041"
        + "a" * 900
        + "!')"
    )


def define() -> Callable[..., str]:
    """Define the function, as a cell of the notebook does each time it runs."""

    def save(text: str) -> str:
        """Save."""
        return f"saved {text}"

    return save


def test_an_approval_for_the_task_holds_for_that_function_only() -> None:
    simulator = Simulator(
        Scripted(
            [
                Reply(calls=[Call("save", {"text": "a"}), Call("save", {"text": "b"})]),
                Reply(text="Done."),
            ]
            * 3
        )
    )
    save = define()
    task = task_on(simulator, tools=[save], approve="ask")

    assert len(run(task, "task").calls) == 1
    assert len(run(task, "task").calls) == 0
    task.change(replace_tools(task, define()))
    assert len(run(task, "task").calls) == 1
    assert results(task) == ["saved a", "saved b"] * 3


class Note:
    """Something with a method that is a tool."""

    def save(self, text: str) -> str:
        """Save."""
        return f"saved {text}"


def test_a_method_is_approved_with_its_object() -> None:
    simulator = Simulator(
        Scripted([Reply(calls=[Call("save", {"text": "a"})]), Reply(text="Done.")] * 3)
    )
    note = Note()
    task = task_on(simulator, tools=[note.save], approve="ask")

    assert len(run(task, "task").calls) == 1
    task.change(replace_tools(task, note.save))
    assert len(run(task, "task").calls) == 0
    task.change(replace_tools(task, Note().save))
    assert len(run(task, "task").calls) == 1


def replace_tools(task: Task, function: Callable[..., str]) -> Any:
    """The settings of the task with another tool."""
    return replace(task.settings, tools=(function,))


@tool(reads=True)
def look(text: str) -> str:
    """Look something up."""
    return f"found {text}"


@pytest.mark.parametrize("policy", ["ask", "all"])
@pytest.mark.parametrize("tools", [[define()], [look]], ids=["writes", "reads"])
def test_a_call_that_holds_a_secret_always_asks(policy: str, tools: list[Any]) -> None:
    name = tools[0].__name__
    simulator = Simulator(
        Scripted(
            [
                Reply(calls=[Call(name, {"text": "plain"})]),
                Reply(calls=[Call(name, {"text": f"x {KEY}"})]),
                Reply(calls=[Call(name, {"text": f"y {KEY}"})]),
                Reply(text="Done."),
            ]
        )
    )
    task = task_on(simulator, tools=tools, approve=policy)
    asked = run(task, "task")

    with_secret = [call for call in asked.calls if call.secrets]
    assert [call.arguments["text"] for call in with_secret] == [
        "x [secret PLANTED_API_KEY]",
        "y [secret PLANTED_API_KEY]",
    ]
    assert len(asked.calls) == 2 + (policy == "ask" and name == "save")
    assert [fact.why for fact in facts(task, ApprovalAsked)][-1] == (
        "Its input holds [secret PLANTED_API_KEY], so it asks."
    )
    assert len(results(task)) == 3
    assert all(fact.ran for fact in facts(task, ToolFinished))


@pytest.mark.parametrize("policy", ["ask", "all", "none"])
def test_a_call_that_holds_a_secret_is_denied_where_no_user_is_attached(policy: str) -> None:
    task = task_on(scripted(Call("look", {"text": KEY})), tools=[look], approve=policy)
    task.run("Go.")

    assert not any(fact.ran for fact in facts(task, ToolFinished))
    (given,) = facts(task, ApprovalGiven)
    by = "policy" if policy == "none" else "nobody"
    assert (given.decision, given.by) == ("denied", by)
    expected = (
        "because its input holds [secret PLANTED_API_KEY]"
        if policy == "none"
        else "no interactive user is attached to approve look; a call that holds"
        " [secret PLANTED_API_KEY] always requires approval"
    )
    assert expected in given.reason
    assert expected in results(task)[0]


def test_a_task_that_nobody_watches_denies_a_call_that_holds_a_secret() -> None:
    task = task_on(scripted(Call("look", {"text": KEY})), tools=[look])
    task.start("Go.")
    task.wait()

    assert "always requires approval" in results(task)[0]


def test_an_approval_function_is_asked_about_a_secret_in_a_reading_call() -> None:
    told: list[AskedCall] = []

    def approve(call: AskedCall) -> str:
        told.append(call)
        return "not that"

    task = task_on(
        scripted(Call("look", {"text": "plain"}), Call("look", {"text": KEY})),
        tools=[look],
        approve=approve,
    )
    task.run("Go.")

    assert [call.arguments for call in told] == [{"text": "[secret PLANTED_API_KEY]"}]
    assert told[0].secrets == ("PLANTED_API_KEY",)
    assert results(task) == ["found plain", "not run: denied by the user: not that"]

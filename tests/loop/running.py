"""Running tasks against a simulator, as the tests of the loop and the session do."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeVar

from budget_magic import Task, tool
from budget_magic.errors import TaskInterrupted
from budget_magic.events import (
    Fact,
    Live,
    MessageAppended,
    Record,
    StepFinished,
    StepStarted,
    ToolFinished,
)
from budget_magic.session.outcome import Outcome
from budget_magic.settings import StuckRule
from budget_magic.simulator import Call, Reply, RequestRecord, Simulator
from budget_magic.wire.sdk import simulated_client

F = TypeVar("F")

LOOK = Call("lookup", {"word": "budget"})
CUT_S = 2.0
"""Time ceiling of a turn that must be cut in its middle: a busy machine gets that far too."""


@tool(reads=True)
def lookup(word: str) -> str:
    """Look up a word.

    Parameters
    ----------
    word
        What to look up.
    """
    return f"{word} is a word"


def note(text: str) -> str:
    """Write something down; it is no read-only tool, so it runs on the waiting thread."""
    return f"noted: {text}"


def steps(count: int, *, output_tokens: int = 500, result_tokens: int = 300) -> list[Reply]:
    """So many replies that call a tool, and one that ends the turn."""
    looks = [
        Reply(
            text=f"Step {number}.",
            calls=[Call("lookup", {"word": f"word {number}"}, result_tokens)],
            output_tokens=output_tokens,
        )
        for number in range(1, count + 1)
    ]
    return [*looks, Reply(text="Done.", output_tokens=output_tokens)]


def task_on(
    simulator: Simulator,
    name: str = "audit",
    *,
    wrap_up: bool = True,
    stuck_rule: StuckRule | None = None,
    **options: Any,
) -> Task:
    """A task whose client is the real SDK over this simulator; it counts as a real client.

    Scripts may repeat themselves: they only count as stuck where a rule is given.
    """
    chosen = {
        "tools": [lookup],
        "approve": "all",
        "client": simulated_client(simulator.transport()),
        **options,
    }
    task = Task(name, **chosen)
    task.change(replace(task.settings, wrap_up=wrap_up, stuck_rule=stuck_rule))
    return task


def facts(task: Task, kind: type[F]) -> list[F]:
    """All facts of one kind, oldest first."""
    return [record.fact for record in task.events if isinstance(record.fact, kind)]


def all_facts(task: Task) -> list[Fact]:
    """All facts, oldest first."""
    return [record.fact for record in task.events]


def replies(task: Task) -> list[list[dict[str, Any]]]:
    """The content of the replies, oldest first, as views see it."""
    appended = [fact.message for fact in facts(task, MessageAppended)]
    return [one["content"] for one in appended if one["role"] == "assistant"]


def last_step(task: Task) -> StepFinished:
    """The last complete reply."""
    return facts(task, StepFinished)[-1]


def last_start(task: Task) -> StepStarted:
    """The last step that began."""
    return facts(task, StepStarted)[-1]


def results(task: Task) -> list[str]:
    """The answers to calls as views show them, oldest first."""
    return [fact.shown for fact in facts(task, ToolFinished)]


def resumed(task: Task, **changes: Any) -> Outcome:
    """The outcome after going on, with some settings changed."""
    task.change(replace(task.settings, **changes))
    return task.resume()


class Stopper:
    """A sink that stops a task as soon as a fact of one kind comes."""

    def __init__(self, task: Task, kind: type[Fact]) -> None:
        self._task, self._kind = task, kind

    def record(self, record: Record) -> None:
        """Stop the task if this is the fact."""
        if isinstance(record.fact, self._kind):
            self._task.stop()

    def live(self, event: Live) -> None:
        """Let it stream."""


def stopped_at(task: Task, kind: type[Fact]) -> Outcome:
    """The outcome of a turn that is stopped when a fact of one kind comes."""
    task.start("Look.", sinks=[Stopper(task, kind)])
    return interruption(task.wait)


def interruption(work: Callable[[], object]) -> Outcome:
    """The outcome of a turn that somebody stops while `work` waits for it."""
    try:
        work()
    except TaskInterrupted as error:
        outcome = error.outcome
        assert isinstance(outcome, Outcome)
        return outcome
    raise AssertionError("nobody stopped the turn")


def sent(request: RequestRecord) -> list[dict[str, Any]]:
    """The messages of a request without cache marks, which are no part of what is said."""
    messages: list[dict[str, Any]] = json.loads(json.dumps(request.body["messages"]))
    for message in messages:
        for block in message["content"]:
            block.pop("cache_control", None)
    return messages


def last_content(request: RequestRecord) -> list[dict[str, Any]]:
    """The blocks of the last user message of a request."""
    content: list[dict[str, Any]] = [one for one in sent(request) if one["role"] == "user"][-1][
        "content"
    ]
    return content


def is_append_only(requests: Sequence[RequestRecord]) -> bool:
    """Whether each request begins with everything that the one before it said."""
    said = [sent(request) for request in requests]
    return all(later[: len(earlier)] == earlier for earlier, later in pairwise(said))

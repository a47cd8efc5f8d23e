"""A client or a record that fails as nothing should: the turn is booked and ended all the same."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from budget_magic import Task
from budget_magic.errors import TaskInterrupted
from budget_magic.events import AttemptFailed, StepStarted, TurnFinished
from budget_magic.session import default_session
from budget_magic.simulator import Reply, Simulator
from budget_magic.wire.sdk import simulated_client
from tests.loop.running import facts


def breaking_once(error: BaseException) -> Any:
    """A client whose first request raises something that no client should."""
    messages = simulated_client(Simulator([Reply(text="Done.")]).transport()).beta.messages
    left = [error]

    def stream(**params: Any) -> Any:
        if left:
            raise left.pop()
        return messages.stream(**params)

    return SimpleNamespace(beta=SimpleNamespace(messages=SimpleNamespace(stream=stream)))


@pytest.mark.parametrize("error", [RuntimeError("odd"), SystemExit(3), KeyError("usage")])
def test_whatever_breaks_the_loop_is_booked_and_the_turn_fails(error: BaseException) -> None:
    task = Task("audit", client=breaking_once(error), tools="none")

    outcome = task.run("Look.")

    assert (outcome.state, outcome.reason) == ("failed", "api_error")
    assert type(error).__name__ in outcome.detail
    assert "go on with `%claude_resume audit`" in outcome.detail
    assert len(facts(task, TurnFinished)) == 1
    held = facts(task, StepStarted)[0].held_usd
    assert facts(task, AttemptFailed)[0].unconfirmed_usd == held == outcome.spend.unconfirmed_usd
    assert default_session().account.requests_held == 0
    assert task.resume().text == "Done."


def test_an_interrupt_on_the_loop_itself_stops_the_turn() -> None:
    task = Task("audit", client=breaking_once(KeyboardInterrupt()), tools="none")

    with pytest.raises(TaskInterrupted) as raised:
        task.run("Look.")

    assert raised.value.outcome == task.outcome
    assert default_session().account.requests_held == 0
    assert task.resume().text == "Done."

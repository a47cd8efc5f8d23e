"""What can be known before sending is one sentence with the way out; nothing is sent or changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from budget_magic import Ceilings, ConfigurationError, Task, tasks
from budget_magic.models import user_prices
from budget_magic.simulator import Reply, Simulator
from tests.loop.running import lookup, task_on

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a budget below the minimum": (
        {"budget": 19_999},
        "a budget of 19,999 tokens is below the API's minimum of 20,000; use `budget=20000`",
    ),
    "a budget of zero": ({"budget": 0}, "below the API's minimum of 20,000"),
    "a budget that is a word": (
        {"budget": "much"},
        "budget 'much': give a number of tokens, such as 20000, 64k, 1.5M",
    ),
    "a budget with a fraction": (
        {"budget": 64_000.5},
        "64000.5: give a number of tokens",
    ),
    "a budget that is true": ({"budget": True}, "budget True: give a number of tokens"),
    "a model without budgets": (
        {"model": "claude-sonnet-5"},
        "claude-sonnet-5 does not support task budgets: use `budget=None` (the ceilings",
    ),
    "an unknown model": (
        {"model": "claude-opus-5-6"},
        "a cost ceiling cannot be enforced: did you mean claude-opus-5-5",
    ),
    "an unknown effort": (
        {"effort": "huge"},
        "effort 'huge': choose one of low, medium, high, xhigh, max",
    ),
    "an effort the model lacks": (
        {"model": "claude-opus-4-6", "budget": None, "effort": "xhigh"},
        "claude-opus-4-6 does not support effort xhigh; use low, medium, high, max",
    ),
    "an unknown tool": ({"tools": ["fly"]}, "tools fly: pass the object fly itself, not its name"),
    "a tool of a later version": ({"tools": ["mcp:x"]}, "mcp:x is not part of this version"),
    "max_tokens of zero": ({"max_tokens": 0}, "max_tokens 0: give at least 1"),
    "too many max_tokens": (
        {"max_tokens": 500_000},
        "max_tokens 500,000 is more than claude-opus-5-5 can write in one reply; use 128,000",
    ),
    "an unknown policy": (
        {"approve": "perhaps"},
        "choose one of ask, all, none",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_settings_that_cannot_work_make_no_task(case: str) -> None:
    given, says = REFUSED[case]

    with pytest.raises(ConfigurationError) as refused:
        Task("audit", **given)

    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "audit" not in tasks()


@pytest.mark.parametrize("case", REFUSED)
def test_settings_that_cannot_work_leave_a_task_as_it_was(case: str) -> None:
    given, _ = REFUSED[case]
    simulator = Simulator([Reply(text="One."), Reply(text="Two.")])
    task = task_on(simulator)
    task.run("First.")
    before, events = task.settings, task.events

    with pytest.raises(ConfigurationError):
        task.change(replace(task.settings, **given))

    assert task.settings == before
    assert task.events == events
    assert task.run("Second.").text == "Two."


@pytest.mark.parametrize("prompt", ["", "  \n\t "])
def test_an_empty_prompt_is_refused(prompt: str) -> None:
    simulator = Simulator([Reply(text="One.")])
    task = task_on(simulator)

    with pytest.raises(
        ConfigurationError, match="the prompt is empty; write what Claude should do"
    ):
        task.run(prompt)

    assert simulator.requests == []
    assert task.turns == []


@pytest.mark.parametrize("name", ["", "1st", "two words", "a/b", "x" * 65, "ä", None])
def test_a_name_that_is_none_is_refused(name: Any) -> None:
    with pytest.raises(ConfigurationError, match="invalid task name"):
        Task(name)


def test_an_unknown_model_runs_without_a_cost_ceiling() -> None:
    simulator = Simulator([Reply(text="One.")])
    open_ = Ceilings(cost_usd=None)

    task = task_on(simulator, model="claude-unheard-of", budget=None, ceilings=open_)

    assert task.settings.model == "claude-unheard-of"


def test_an_unknown_model_runs_with_a_price_of_the_user() -> None:
    row = {"input": 4, "output": 20, "cache_read": 0.2, "write_5m": 5, "write_1h": 8}
    task = Task("audit", budget=None, tools=[lookup])
    prices = {"mine": user_prices("mine", row)}

    task.change(replace(task.settings, model="mine", prices=prices))

    assert task.settings.model == "mine"


def test_resuming_a_task_that_never_ran_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="audit has no turn to resume; give it a prompt"):
        Task("audit").resume()


def test_waiting_for_a_task_that_never_ran_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="audit has not run yet; give it a prompt first"):
        Task("audit").wait()


@pytest.mark.parametrize("effort", ["low", "high", "xhigh", "max"])
def test_max_tokens_follow_the_effort(effort: str) -> None:
    expected = 64_000 if effort in {"xhigh", "max"} else 32_000

    assert Task("audit", effort=effort).settings.reply_tokens == expected
    assert Task("audit", effort=effort, max_tokens=9_000).settings.reply_tokens == 9_000


def test_ceilings_that_are_no_ceilings_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"ceilings 5: give a Ceilings, such as"):
        Task("audit", ceilings=5)  # type: ignore[arg-type] # what a user may write


@pytest.mark.parametrize("name", ["steps", "total_tokens"])
def test_a_fraction_of_a_step_or_token_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} 2.5: give a "):
        Ceilings(**{name: 2.5})  # type: ignore[arg-type] # what a user may write


def test_the_system_prompt_is_fixed_from_the_first_turn_on() -> None:
    task = task_on(Simulator([Reply(text="Done.")]), system="Be brief.")
    task.change(system="Be thorough.")
    task.run("Look.")

    with pytest.raises(ConfigurationError, match="the system prompt is fixed by the first turn"):
        task.change(system="Be brief.")
    with pytest.raises(ConfigurationError, match="the system prompt is fixed by the first turn"):
        task.resume(system="Be brief.")

    assert task.settings.system == "Be thorough."

"""One budget over all cells: what each request says of it, on both kinds of server."""

from __future__ import annotations

from typing import Any

import pytest

from budget_magic import Task
from budget_magic.errors import ConfigurationError
from budget_magic.events import HistoryRewritten, NoticePosted, StepFinished
from budget_magic.loop.budget_carryover import sent_budget
from budget_magic.simulator import Call, Reply, Simulator
from tests.loop.running import facts, last_start, steps, task_on

BUDGET = 64_000
SPENT_IN_A_TURN = 2 * 500 + 300
BOTH = ("today", "documented")


def two_turns(policy: Any, server: Any, *, output_tokens: int = 500) -> tuple[Simulator, Task]:
    """A task that has run two prompts, each with one call."""
    simulator = Simulator([*steps(1, output_tokens=output_tokens)] * 2, carry=server)
    task = task_on(simulator, budget=BUDGET, carry=policy, max_tokens=60_000)
    task.run("Look.")
    task.run("Look again.")
    return simulator, task


def budgets(simulator: Simulator) -> list[Any]:
    """What each request said of the budget."""
    return [request.body["output_config"]["task_budget"] for request in simulator.requests]


@pytest.mark.parametrize("server", BOTH)
def test_a_server_that_works_as_the_policy_says_counts_what_our_meter_counts(server: Any) -> None:
    simulator, task = two_turns(server, server)
    assert simulator.requests[2].remaining_before == BUDGET - SPENT_IN_A_TURN
    assert simulator.requests[-1].remaining_after == task.remaining == BUDGET - 2 * SPENT_IN_A_TURN


def test_by_default_the_total_stays_and_nothing_remains_to_be_said() -> None:
    simulator, _ = two_turns("today", "today")
    assert budgets(simulator) == [{"type": "tokens", "total": BUDGET}] * 4


def test_the_documented_policy_sends_what_is_left_with_each_prompt() -> None:
    simulator, _ = two_turns("documented", "documented")
    totals = [budget["total"] for budget in budgets(simulator)]
    assert totals == [BUDGET, BUDGET, BUDGET - SPENT_IN_A_TURN, BUDGET - SPENT_IN_A_TURN]
    assert all("remaining" not in budget for budget in budgets(simulator))


def test_a_policy_on_the_other_kind_of_server_is_off_by_the_first_turn() -> None:
    simulator, _ = two_turns("today", "documented")
    assert simulator.requests[2].remaining_before == BUDGET
    simulator, _ = two_turns("documented", "today")
    assert simulator.requests[2].remaining_before == BUDGET - 2 * SPENT_IN_A_TURN


def test_less_than_the_api_takes_is_rounded_up_and_said() -> None:
    simulator, task = two_turns("documented", "documented", output_tokens=25_000)
    assert [budget["total"] for budget in budgets(simulator)] == [BUDGET, BUDGET, 20_000, 20_000]
    [note] = [fact.text for fact in facts(task, NoticePosted) if "Claude is told" in fact.text]
    assert note == (
        "Claude is told 20,000 tokens, the API's minimum, though 13,700 of this task's 64,000 are"
        " left"
    )


def test_what_is_left_is_never_said_to_be_less_than_nothing() -> None:
    sent = sent_budget("documented", BUDGET, removed_tokens=None, spent_before=70_000)
    assert sent.total == 20_000
    assert "though 0 of this task's 64,000 are left" in sent.note
    today = sent_budget("today", BUDGET, removed_tokens=70_000, spent_before=0)
    assert (today.total, today.remaining) == (BUDGET, 0)


def test_another_total_writes_the_cached_prefix_anew_and_is_reckoned_so() -> None:
    simulator, task = two_turns("documented", "documented")
    assert simulator.bill[2].split.read == 0
    assert last_start(task).held_usd is not None
    simulator, _ = two_turns("today", "today")
    assert simulator.bill[2].split.read > 0


def test_a_turn_that_goes_on_from_open_results_keeps_its_total() -> None:
    simulator = Simulator(steps(3), carry="documented")
    task = task_on(simulator, budget=BUDGET, carry="documented", wrap_up=False)
    task.run("Look.")
    assert {budget["total"] for budget in budgets(simulator)} == {BUDGET}


def test_where_each_prompt_starts_a_fresh_budget_a_rewrite_does_so_too() -> None:
    first, second = (
        Reply(calls=[Call("lookup", {"word": "one"}, tokens)], output_tokens=500)
        for tokens in (3_000, 1_000)
    )
    summary, answer = Reply(text="So far.", output_tokens=700), Reply(text="Done.")
    simulator = Simulator([first, second, summary, answer], carry="documented")
    task = task_on(simulator, budget=BUDGET, carry="documented", compact_at=4_000)

    assert task.run("Look.").text == "Done."

    spent = sum(fact.budget_tokens for fact in facts(task, StepFinished)[:3])
    assert budgets(simulator)[-1] == {"type": "tokens", "total": BUDGET - spent}
    assert [fact.remaining for fact in facts(task, HistoryRewritten)] == [None]
    assert simulator.requests[-1].remaining_before == BUDGET - spent


def test_an_unknown_policy_is_refused() -> None:
    wrong: Any = "tomorrow"
    with pytest.raises(ConfigurationError, match="today, documented"):
        Task("wrong", carry=wrong, client="simulator")

"""Compaction: a summary takes the place of the history, and the budget is carried over it."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget_magic import Ceilings, Task
from budget_magic.errors import ConfigurationError
from budget_magic.events import (
    HistoryRewritten,
    Live,
    NoticePosted,
    Record,
    StepFinished,
    StepStarted,
    TurnStarted,
)
from budget_magic.loop.admit import LAST_ANSWER
from budget_magic.loop.compaction import ASK, KEPT, UNANSWERED
from budget_magic.meter.summary import least_prompt, summary_costs
from budget_magic.models import MODELS
from budget_magic.simulator import (
    Call,
    Fault,
    LongAudit,
    Reply,
    RequestRecord,
    Simulator,
    drop,
    status_error,
)
from tests.loop.running import (
    LOOK,
    facts,
    interruption,
    is_append_only,
    last_content,
    results,
    resumed,
    sent,
    task_on,
)

BUDGET = 64_000
SUMMARY = Reply(text="Found one thing.", output_tokens=700)
ANSWER = Reply(text="All done.", output_tokens=300)


def look(number: int, *, result_tokens: int = 1_000) -> Reply:
    """A reply that thinks and calls a tool."""
    return Reply(
        thinking="Hm.",
        thinking_tokens=100,
        text=f"Step {number}.",
        calls=[Call("lookup", {"word": f"word {number}"}, result_tokens)],
        output_tokens=600,
    )


def compacting(
    *replies: Reply, faults: list[Fault] | None = None, **options: Any
) -> tuple[Simulator, Task]:
    """A task that asks for a summary from 4,000 tokens of prompt on; before that come two steps."""
    simulator = Simulator([look(1, result_tokens=3_000), look(2), *replies], faults=faults or [])
    return simulator, task_on(simulator, budget=BUDGET, **{"compact_at": 4_000, **options})


class StopAtStep:
    """A sink that stops a task when one of its steps begins."""

    def __init__(self, task: Task, step: int) -> None:
        self._task, self._step = task, step

    def record(self, record: Record) -> None:
        """Stop the task if this is the step."""
        if isinstance(record.fact, StepStarted) and record.fact.step == self._step:
            self._task.stop()

    def live(self, event: Live) -> None:
        """Let it stream."""


def says(request: RequestRecord, sentence: str) -> bool:
    """Whether the last message of a request has this sentence."""
    return any(block.get("text") == sentence for block in last_content(request))


def asked_for_summary(simulator: Simulator) -> list[int]:
    """Numbers of the requests that asked for a summary."""
    return [number for number, request in enumerate(simulator.requests) if says(request, ASK)]


def test_it_is_off_unless_it_is_asked_for() -> None:
    simulator, task = compacting(look(3), look(4), ANSWER, compact_at=None)
    assert task.run("Look.").state == "completed"
    assert asked_for_summary(simulator) == []
    assert is_append_only(simulator.requests)


def test_a_summary_replaces_the_whole_history_and_the_turn_goes_on_from_it() -> None:
    simulator, task = compacting(SUMMARY, look(3), ANSWER)
    outcome = task.run("Look for it.")
    assert (outcome.state, outcome.text) == ("completed", "All done.")
    assert asked_for_summary(simulator) == [2]
    after = sent(simulator.requests[3])
    assert [message["role"] for message in after] == ["user"]
    [block] = after[0]["content"]
    assert "Found one thing." in block["text"]
    assert "Look for it." in block["text"]
    [fact] = facts(task, HistoryRewritten)
    assert (fact.step, fact.removed_messages) == (3, 6)


def test_no_call_is_left_open_by_it() -> None:
    simulator, task = compacting(SUMMARY, ANSWER)
    task.run("Look.")
    kinds = [block["type"] for block in last_content(simulator.requests[2])]
    assert kinds == ["tool_result", "text"]
    assert len(results(task)) == 2


def test_the_summary_is_a_step_that_is_reserved_and_booked_like_any_other() -> None:
    simulator, task = compacting(SUMMARY, ANSWER)
    outcome = task.run("Look.")
    assert outcome.spend.steps == 4 == len(simulator.bill)
    assert outcome.spend.cost_usd == simulator.bill.total_usd
    assert len(facts(task, StepStarted)) == 4
    assert [fact.usage.output_tokens for fact in facts(task, StepFinished)] == [600, 600, 700, 300]


def test_remaining_is_the_total_without_the_spend_of_the_removed_messages() -> None:
    simulator, task = compacting(SUMMARY, look(3), ANSWER)
    task.run("Look.")
    budgets = [request.body["output_config"]["task_budget"] for request in simulator.requests]
    removed = sum(fact.budget_tokens for fact in facts(task, StepFinished)[:3]) - 700
    assert budgets[:3] == [{"type": "tokens", "total": BUDGET}] * 3
    carried = {"type": "tokens", "total": BUDGET, "remaining": BUDGET - removed}
    assert budgets[3:] == [carried, carried]
    [fact] = facts(task, HistoryRewritten)
    assert fact.remaining == BUDGET - removed
    # The summary itself is on our meter; the server sees it as a prompt, which it does not count.
    left = simulator.requests[-1].remaining_after
    assert left is not None
    assert task.remaining is not None
    assert abs(left - 700 - task.remaining) <= 20


def test_remaining_changes_only_with_the_next_rewrite() -> None:
    simulator, task = compacting(
        SUMMARY, look(3, result_tokens=3_000), look(4), SUMMARY, look(5), ANSWER
    )
    task.run("Look.")
    task.run("And then?")
    sent_remaining = [
        request.body["output_config"]["task_budget"].get("remaining")
        for request in simulator.requests
    ]
    first, second = (fact.remaining for fact in facts(task, HistoryRewritten))
    assert first is not None
    assert second is not None
    assert second < first
    assert sent_remaining[:8] == [None, None, None, first, first, first, second, second]
    assert set(sent_remaining[8:]) == {second}


def test_without_a_budget_nothing_is_carried() -> None:
    simulator = Simulator([look(1, result_tokens=4_000), SUMMARY, ANSWER])
    task = task_on(simulator, budget=None, compact_at=4_000)
    # One step is not enough: the history must be twice its first request.
    assert task.run("Look.").state == "completed"
    assert all("task_budget" not in one.body["output_config"] for one in simulator.requests)
    assert [fact.remaining for fact in facts(task, HistoryRewritten)] in ([], [None])


def test_results_in_the_summary_request_are_marked_as_estimated() -> None:
    _, task = compacting(SUMMARY, look(3), ANSWER)
    task.run("Look.")
    marks = [fact.tool_result_tokens_estimated for fact in facts(task, StepFinished)]
    assert marks == [False, False, True, False, False]


def test_a_new_prompt_waits_for_the_summary_and_follows_it() -> None:
    simulator, task = compacting(ANSWER, SUMMARY, Reply(text="Four."), compact_at=5_700)
    task.run("Look.")
    outcome = task.run("What is two and two?")
    assert outcome.text == "Four."
    assert asked_for_summary(simulator) == [3]
    [block] = sent(simulator.requests[4])[0]["content"]
    assert "Found one thing." in block["text"]
    assert "What is two and two?" in block["text"]
    assert "Look." not in block["text"]


@pytest.mark.parametrize(
    "reply",
    [Reply(stop_reason="refusal"), Reply(text=" "), look(9)],
    ids=["declined", "empty", "a call instead"],
)
def test_without_a_summary_the_history_stays_and_the_turn_goes_on(reply: Reply) -> None:
    simulator, task = compacting(reply, ANSWER)
    outcome = task.run("Look.")
    assert (outcome.state, outcome.text) == ("completed", "All done.")
    assert not facts(task, HistoryRewritten)
    assert asked_for_summary(simulator)[0] == 2
    assert all(request.error is None for request in simulator.requests)
    (posted,) = facts(task, NoticePosted)
    assert re.fullmatch(f"{KEPT}; asking for it cost <?\\$0.0[1-9]", posted.text)
    if not reply.calls:
        assert not any(block.get("text") == ASK for block in last_content(simulator.requests[3]))


def test_a_prompt_that_waits_for_a_failed_summary_is_asked_all_the_same() -> None:
    simulator, task = compacting(
        ANSWER, Reply(stop_reason="refusal"), Reply(text="Four."), compact_at=5_700
    )
    task.run("Look.")
    assert task.run("What is two and two?").text == "Four."
    assert last_content(simulator.requests[-1])[-1]["text"] == "What is two and two?"


def test_a_summary_request_that_fails_for_good_leaves_the_history_as_it_was() -> None:
    refused = status_error(400, on=2)
    simulator, task = compacting(ANSWER, faults=[refused])
    failed = task.run("Look.")
    assert failed.state == "failed"
    assert not any(block.get("text") == ASK for block in task.messages[-1]["content"])
    assert resumed(task, compact_at=None).text == "All done."
    assert all(request.error is None for request in simulator.requests[3:])


def test_an_interrupted_summary_request_leaves_the_history_as_it_was() -> None:
    simulator, task = compacting(SUMMARY, ANSWER)
    stopper = StopAtStep(task, 3)
    task.start("Look.", sinks=[stopper])
    assert interruption(task.wait).state == "interrupted"
    assert not any(block.get("text") == ASK for block in task.messages[-1]["content"])
    assert task.resume().text == "All done."
    assert all(request.error is None for request in simulator.requests)


def test_a_dropped_summary_is_asked_for_again() -> None:
    simulator, task = compacting(SUMMARY, ANSWER, faults=[drop(on=2, after_bytes=900)])
    assert task.run("Look.").text == "All done."
    assert asked_for_summary(simulator) == [2, 3]
    assert len(facts(task, HistoryRewritten)) == 1
    assert task.spend.unconfirmed_tokens > 0


def test_the_last_step_is_never_spent_on_a_summary() -> None:
    simulator, task = compacting(ANSWER, ceilings=Ceilings(steps=3))
    outcome = task.run("Look.")
    assert outcome.text == "All done."
    assert asked_for_summary(simulator) == []


def test_the_last_answer_after_a_cut_reply_is_not_spent_on_a_summary() -> None:
    long = Reply(text="It goes on. " * 2_000, output_tokens=40_000)
    simulator, task = compacting(
        long, ANSWER, compact_at=3_000, ceilings=Ceilings(cost_usd=Decimal("0.30"))
    )
    outcome = task.run("Look.")

    assert outcome.reason == "cost_ceiling"
    (last,) = [n for n, r in enumerate(simulator.requests) if says(r, LAST_ANSWER)]
    assert last not in asked_for_summary(simulator)


def test_a_long_audit_goes_on_from_its_own_summary(tmp_path: Path) -> None:
    for number in range(30):
        text = "\n".join(f"value_{line} = {line}  # TODO {number}" for line in range(40))
        (tmp_path / f"part_{number:02}.py").write_text(text)
    simulator = Simulator(LongAudit(steps=30))
    task = task_on(simulator, tools=["files"], root=tmp_path, budget=1_000_000, compact_at=5_000)
    outcome = task.run("Audit this folder.")
    assert outcome.state == "completed"
    assert len(facts(task, HistoryRewritten)) >= 2
    assert all(request.error is None for request in simulator.requests)
    sizes = [request.prompt_tokens or 0 for request in simulator.requests]
    assert max(sizes) < 10_000
    assert sum(later < earlier for earlier, later in pairwise(sizes)) == len(
        facts(task, HistoryRewritten)
    )
    assert outcome.total.cost_usd == simulator.bill.total_usd


def test_a_compaction_by_the_server_ends_the_turn_and_says_what_to_do() -> None:
    simulator = Simulator([look(1), Reply(text="So far.", stop_reason="compaction"), ANSWER])
    task = task_on(simulator)
    outcome = task.run("Look.")
    assert (outcome.state, outcome.reason) == ("failed", "api_error")
    assert "`compact_at=...` summarises here" in outcome.detail
    assert task.resume().text == "All done."


@pytest.mark.parametrize("wrong", [0, 1_999, True, "100 k"])
def test_a_size_that_cannot_work_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"compact_at .*: give "):
        Task("wrong", compact_at=wrong, client="simulator")


def test_the_setting_is_part_of_the_records() -> None:
    _, task = compacting(SUMMARY, ANSWER)
    task.run("Look.")
    assert [fact.settings.compact_at for fact in facts(task, TurnStarted)] == [4_000]


def test_results_that_a_refused_request_carried_are_not_counted_again() -> None:
    simulator = Simulator([look(1), Reply(stop_reason="refusal"), Reply(calls=[LOOK]), ANSWER])
    task = task_on(simulator)
    assert task.run("Look.").reason == "refusal"
    task.run("Look again.")
    measured = [fact.tool_result_tokens for fact in facts(task, StepFinished)]
    assert measured[1] == 1_000
    assert measured[2] == 0


def test_a_size_at_which_a_summary_costs_more_than_it_saves_is_refused_with_the_figures() -> None:
    with pytest.raises(ConfigurationError) as refused:
        Task("wrong", compact_at=2_000, client="simulator")

    assert re.fullmatch(
        r"compact_at 2,000: a summary there would cost more than it saves \(about \$0\.018 to write"
        r" and cache it, and 100 later steps would save \$0\.00\d\); use `compact_at=3000` or more,"
        r" or `compact_at=None`",
        str(refused.value),
    )
    assert Task("right", compact_at=3_000, client="simulator").settings.compact_at == 3_000


def test_the_price_decides_what_size_is_refused() -> None:
    def price(cache_read: float) -> dict[str, Any]:
        row = {"input": 4, "output": 20, "cache_read": cache_read, "write_5m": 5, "write_1h": 8}
        return {"mine": row}

    Task("dear", compact_at=3_000, client="simulator", model="mine", prices=price(4))
    Task("free", compact_at=3_000, client="simulator", model="mine", prices=price(0))
    with pytest.raises(ConfigurationError, match=r"use `compact_at=\d+` or more"):
        Task("cheap", compact_at=3_000, client="simulator", model="mine", prices=price(0.01))


def test_a_history_that_begins_large_is_summarised_later_and_says_so() -> None:
    simulator, task = compacting(SUMMARY, look(3), ANSWER)
    task.run("Look at this. " * 900)
    (posted,) = facts(task, NoticePosted)
    first = facts(task, StepFinished)[0].usage.prompt_tokens
    assert posted.text == (
        "a summary at 4,000 tokens would cost more than it saves, since this history began with a"
        f" prompt of {first:,}: it is asked for from {2 * first:,} on"
    )
    assert asked_for_summary(simulator) == [2]
    assert (simulator.requests[2].prompt_tokens or 0) > 2 * first


def test_a_summary_that_was_not_answered_says_so() -> None:
    _, task = compacting(ANSWER, faults=[status_error(400, on=2)])
    task.run("Look.")
    assert [fact.text for fact in facts(task, NoticePosted)] == [UNANSWERED]


@given(st.integers(0, 100_000), st.sampled_from(sorted(MODELS)))
def test_the_smallest_prompt_that_pays_is_the_first_that_does(kept: int, model: str) -> None:
    table = MODELS[model].prices
    least = least_prompt(kept, table)

    assert summary_costs(least, kept, table).pays
    assert not summary_costs(least - 1, kept, table).pays

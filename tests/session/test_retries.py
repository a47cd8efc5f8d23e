"""Failures on the wire: what is tried again, what it may have cost, and what ends the turn."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from budget_magic import Ceilings, Task
from budget_magic.events import AttemptFailed, RetryScheduled, StepStarted, ToolStarted
from budget_magic.simulator import (
    Fault,
    Reply,
    Scripted,
    Simulator,
    drop,
    error_event,
    overloaded,
    rate_limit,
    refused_connection,
    silence,
    status_error,
    truncate,
)
from tests.loop.running import (
    CUT_S,
    facts,
    is_append_only,
    resumed,
    sent,
    steps,
    stopped_at,
    task_on,
)

SOON = 0.001

NOT_BILLED = {
    "409": status_error(409, on=1, retry_after=SOON),
    "429": rate_limit(on=1, retry_after=SOON),
    "500": status_error(500, on=1, retry_after=SOON),
    "503": status_error(503, on=1, retry_after=SOON),
    "529": status_error(529, on=1, retry_after=SOON),
    "no connection": refused_connection(on=1),
}
MAYBE_BILLED = {
    "error event": error_event(on=1),
    "drop": drop(on=1),
    "drop before the headers": drop(on=1, before_headers=True),
    "drop in the middle of a byte": drop(on=1, after_bytes=700),
    "truncated": truncate(on=1),
}
GAVE_UP = {
    "408": status_error(408, on=1, retry_after=SOON),
    "504": status_error(504, on=1, retry_after=SOON),
}
"""Statuses of a gateway: the server behind it may have billed the request."""


def run(*faults: Fault, **options: Any) -> tuple[Simulator, Task]:
    """A turn of three steps during which something goes wrong."""
    simulator = Simulator(Scripted(steps(2), by="history"), faults=list(faults))
    task = task_on(simulator, **options)
    task.run("Look.")
    return simulator, task


@cache
def ran(name: str) -> tuple[Simulator, Task]:
    """The turn during which the failure of that name happens once."""
    return run({**NOT_BILLED, **MAYBE_BILLED, **GAVE_UP}[name])


@pytest.mark.parametrize("name", [*NOT_BILLED, *MAYBE_BILLED, *GAVE_UP])
def test_a_passing_failure_is_tried_again_and_no_tool_runs_twice(name: str) -> None:
    simulator, task = ran(name)

    assert task.outcome is not None
    assert (task.outcome.state, task.outcome.text) == ("completed", "Done.")
    assert len(simulator.requests) == 4
    assert task.outcome.spend.steps == 3
    assert len({fact.call_id for fact in facts(task, ToolStarted)}) == 2
    assert len(facts(task, ToolStarted)) == 2
    assert sent(simulator.requests[1]) == sent(simulator.requests[2])
    assert is_append_only(simulator.requests)


@pytest.mark.parametrize("name", NOT_BILLED)
def test_an_attempt_that_cannot_have_been_billed_is_released(name: str) -> None:
    _, task = ran(name)

    failed = facts(task, AttemptFailed)
    assert [fact.unconfirmed_usd for fact in failed] == [0]
    assert task.spend.unconfirmed_usd == task.spend.unconfirmed_tokens == 0


@pytest.mark.parametrize("name", MAYBE_BILLED)
def test_an_attempt_that_may_have_been_billed_is_booked_as_unconfirmed(name: str) -> None:
    simulator, task = ran(name)

    failed = facts(task, AttemptFailed)[0]
    billed = simulator.bill[1]
    assert task.spend.unconfirmed_usd == failed.unconfirmed_usd >= billed.cost_usd > 0
    assert task.spend.unconfirmed_tokens == failed.unconfirmed_tokens >= billed.total_tokens
    assert failed.at_least_usd <= failed.unconfirmed_usd
    assert task.spend.cost_usd == simulator.bill.total_usd - billed.cost_usd


@pytest.mark.parametrize("name", GAVE_UP)
def test_an_attempt_that_a_gateway_gave_up_is_held(name: str) -> None:
    _, task = ran(name)

    (failed,) = facts(task, AttemptFailed)
    assert task.spend.unconfirmed_usd == failed.unconfirmed_usd > 0
    assert task.held.requests == 1


def test_what_a_broken_stream_cost_at_least_is_its_input_and_what_had_streamed() -> None:
    whole = [Reply(text="word " * 200), Reply(text="Done.")]
    simulator = Simulator(whole, faults=[drop(on=0, after_events=6)])
    task = task_on(simulator)
    task.run("Look.")

    failed = facts(task, AttemptFailed)[0]
    assert 0 < failed.at_least_usd <= simulator.bill[0].cost_usd * 2
    assert failed.at_least_usd < failed.unconfirmed_usd


def test_a_retry_is_announced_with_its_wait_and_its_number() -> None:
    _, task = run(rate_limit(on=1, retry_after=0.02))

    (scheduled,) = facts(task, RetryScheduled)
    assert (scheduled.step, scheduled.attempt, scheduled.attempts) == (2, 2, 4)
    assert scheduled.wait_s == 0.02
    assert "rate limit" in scheduled.why


def test_a_step_that_is_tried_again_starts_once() -> None:
    _, task = run(rate_limit(on=1, retry_after=SOON))

    assert [fact.step for fact in facts(task, StepStarted)] == [1, 2, 3]


def test_a_wait_longer_than_the_time_left_halts_at_once() -> None:
    simulator, task = run(rate_limit(on=1, retry_after=3_600), ceilings=Ceilings(elapsed_s=60))

    assert task.outcome is not None
    assert (task.outcome.state, task.outcome.reason) == ("halted", "time_ceiling")
    assert "3,600 seconds away" in task.outcome.detail
    assert "max_time=3780" in task.outcome.detail
    assert len(simulator.requests) == 2
    assert not facts(task, RetryScheduled)


@pytest.mark.parametrize("fault", [status_error(500, retry_after=SOON), truncate()])
def test_after_four_attempts_the_turn_has_failed(fault: Fault) -> None:
    simulator, task = run(fault)

    assert len(simulator.requests) == 4
    assert task.outcome is not None
    assert task.outcome.state == "failed"
    assert task.outcome.reason == ("api_error" if fault.kind == "status" else "connection")
    assert "step 1 failed after 4 attempts" in task.outcome.detail
    assert '`tasks()["audit"].resume()`' in task.outcome.detail
    assert len(facts(task, AttemptFailed)) == 4


def test_a_turn_that_failed_goes_on_where_it_stopped() -> None:
    simulator = Simulator(steps(2), faults=[status_error(529, on=(1, 2, 3, 4), retry_after=SOON)])
    task = task_on(simulator)
    assert task.run("Look.").state == "failed"

    outcome = task.resume()

    assert (outcome.state, outcome.text, outcome.turn) == ("completed", "Done.", 1)
    assert outcome.spend.steps == 3
    assert len(facts(task, ToolStarted)) == 2
    assert is_append_only(simulator.requests)


def test_a_new_prompt_after_a_failure_keeps_the_prompt_that_was_sent() -> None:
    simulator = Simulator(
        [Reply(text="Done.")], faults=[status_error(500, on=(0, 1, 2, 3), retry_after=SOON)]
    )
    task = task_on(simulator)
    task.run("First.")

    assert task.run("Second.").state == "completed"
    texts = [
        block["text"] for message in sent(simulator.requests[-1]) for block in message["content"]
    ]
    assert texts == ["First.", "Second."]


def test_a_spend_limit_is_not_tried_again() -> None:
    fault = status_error(429, error_code="enforced_spend_limit_reached", message="Spend limit.")
    simulator, task = run(fault)

    assert len(simulator.requests) == 1
    assert task.outcome is not None
    assert (task.outcome.state, task.outcome.reason) == ("failed", "api_error")


def test_a_wrong_key_fails_with_the_way_out_and_costs_nothing() -> None:
    simulator, task = run(status_error(401, message="invalid x-api-key"))

    assert task.outcome is not None
    assert (task.outcome.state, task.outcome.reason) == ("failed", "configuration")
    assert task.outcome.detail == (
        "step 1 failed: invalid x-api-key (HTTP 401 authentication_error); check the API key,"
        ' then `tasks()["audit"].resume()`'
    )
    assert len(simulator.requests) == 1
    assert task.spend.unconfirmed_usd == 0


def test_an_unknown_model_fails_with_the_way_out() -> None:
    _, task = run(status_error(404, message="model: claude-opus-9"))

    assert task.outcome is not None
    assert task.outcome.reason == "configuration"
    assert 'choose another model: `tasks()["audit"].resume(model=...)`' in task.outcome.detail


def test_an_error_about_the_budget_names_the_setting_that_leaves_it_out() -> None:
    message = "output_config.task_budget: Extra inputs are not permitted"
    simulator, task = run(status_error(400, message=message))

    assert task.outcome is not None
    assert task.outcome.reason == "configuration"
    assert '`tasks()["audit"].resume(budget=None)`' in task.outcome.detail
    assert len(simulator.requests) == 1


def test_another_bad_request_is_an_api_error_that_is_not_tried_again() -> None:
    simulator, task = run(status_error(400, message="messages: something is wrong"))

    assert task.outcome is not None
    assert (task.outcome.state, task.outcome.reason) == ("failed", "api_error")
    assert len(simulator.requests) == 1


def test_failed_attempts_count_against_the_ceiling() -> None:
    simulator, task = run(
        drop(on=(0, 1, 2), before_headers=True, billed="all"),
        ceilings=Ceilings(cost_usd="0.12"),
        max_tokens=2_000,
    )

    assert task.outcome is not None
    assert task.outcome.reason == "cost_ceiling"
    taken = task.spend.unconfirmed_usd + (task.spend.cost_usd or 0)
    assert simulator.bill.total_usd <= taken <= Decimal("0.12")


def test_a_stop_during_the_wait_for_a_retry_holds_nothing() -> None:
    simulator = Simulator(steps(1), faults=[rate_limit(on=0, retry_after=30)])
    task = task_on(simulator)

    outcome = stopped_at(task, RetryScheduled)

    assert outcome.state == "interrupted"
    assert task.spend.unconfirmed_usd == 0
    assert resumed(task).text == "Done."


def test_an_overloaded_server_that_recovers_is_only_waited_for() -> None:
    _, task = run(overloaded(on=0))

    assert task.outcome is not None
    assert task.outcome.state == "completed"
    assert facts(task, RetryScheduled)[0].wait_s <= 0.5


def test_a_page_of_a_proxy_becomes_one_line_without_control_codes() -> None:
    page = "<html>\n<p>\x1b]0;title\x07\x1b[2JToo large\u202e</p>\n" * 3_000
    simulator = Simulator(steps(1), faults=[status_error(413, on=0, message=page)])
    task = task_on(simulator)

    outcome = task.run("Look.")

    assert "Too large" in outcome.detail
    assert len(outcome.detail) < 800
    assert not set(outcome.detail) & {"\n", "\x1b", "\x07", "\u202e"}
    assert len(json.dumps(task.report())) < 20_000


def test_a_silent_stream_is_left_to_the_time_ceiling() -> None:
    simulator, task = run(silence(on=1), ceilings=Ceilings(elapsed_s=CUT_S))

    assert task.outcome is not None
    assert task.outcome.reason == "time_ceiling"
    assert simulator.requests[1].closed_while_silent


def test_a_wait_of_years_is_cut_to_an_hour_where_the_time_ceiling_is_open() -> None:
    simulator = Simulator(steps(1), faults=[rate_limit(on=0, retry_after="1e12")])
    task = task_on(simulator, ceilings=Ceilings(elapsed_s=None))

    stopped_at(task, RetryScheduled)

    assert [fact.wait_s for fact in facts(task, RetryScheduled)] == [3600.0]

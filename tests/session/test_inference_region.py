"""The inference region: held at 1.1 until it is known, learned per client, then fixed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from budget_magic import Task, tasks
from budget_magic.errors import ConfigurationError
from budget_magic.events import NoticePosted, StepFinished, StepStarted
from budget_magic.simulator import Simulator
from budget_magic.wire.sdk import simulated_client
from tests.loop.rewriting import Rewriting
from tests.loop.running import facts, steps, task_on


def regions_sent(simulator: Simulator) -> list[str | None]:
    """What each request asked for."""
    return [request.body.get("inference_geo") for request in simulator.requests]


def same_size(count: int) -> Any:
    """A script whose holds differ by their factor only: the prompt hardly grows."""
    return steps(count, output_tokens=60, result_tokens=10)


@pytest.mark.parametrize("region", ["us", "global"])
def test_once_learned_the_region_is_named_in_each_request(region: str) -> None:
    simulator = Simulator(same_size(3), inference_geo=region)
    task = task_on(simulator)

    outcome = task.run("Look.")

    assert regions_sent(simulator) == [None, region, region, region]
    assert outcome.total.cost_usd == simulator.bill.total_usd
    assert outcome.total.unconfirmed_usd == 0


def test_what_one_task_learned_of_a_client_holds_for_the_next() -> None:
    simulator = Simulator([*same_size(0), *same_size(0)])
    client = simulated_client(simulator.transport())
    task_on(simulator, name="first", client=client).run("Look.")
    second = task_on(simulator, name="second", client=client)

    second.run("Look.")

    assert regions_sent(simulator) == [None, "global"]


def test_a_region_that_one_task_states_is_not_learned_for_others() -> None:
    simulator = Simulator([*same_size(0), *same_size(1)], inference_geo="global")
    client = simulated_client(simulator.transport())
    task_on(simulator, name="first", client=client, inference_geo="us").run("Look.")
    second = task_on(simulator, name="second", client=client)

    outcome = second.run("Look.")

    assert regions_sent(simulator) == ["us", None, "global"]
    first_usd = tasks()["first"].spend.cost_usd
    assert outcome.total.cost_usd is not None
    assert first_usd is not None
    assert first_usd + outcome.total.cost_usd == simulator.bill.total_usd


def test_a_model_without_regions_unlearns_nothing() -> None:
    simulator = Simulator([*same_size(0)] * 3, inference_geo="us")
    client = simulated_client(simulator.transport())
    for number, model in enumerate(("claude-opus-5-5", "claude-haiku-4-5", "claude-opus-5-5")):
        name = f"task-{number}"
        task_on(simulator, name=name, client=client, model=model, budget=None).run("Look.")

    assert regions_sent(simulator) == [None, None, "us"]


def served_from_us(event: dict[str, Any]) -> None:
    """Let a reply come from the US whatever was asked for."""
    if event["type"] == "message_start":
        event["message"]["usage"]["inference_geo"] = "us"


def test_a_server_that_ignores_the_region_is_held_at_the_dearer_price() -> None:
    simulator = Simulator(same_size(2), inference_geo="global")
    client = simulated_client(Rewriting(simulator, served_from_us))
    task = task_on(simulator, client=client, inference_geo="global", max_tokens=2_000)
    obeyed = task_on(Simulator(same_size(2)), name="obeyed", inference_geo="global",
                     max_tokens=2_000)  # fmt: skip

    task.run("Look.")
    obeyed.run("Look.")

    held = [step.held_usd for step in facts(task, StepStarted)]
    plain = [step.held_usd for step in facts(obeyed, StepStarted)]
    assert held[0] == plain[0]
    assert plain[1] is not None
    assert held[1] == plain[1] * Decimal("1.1")


def test_another_client_learns_for_itself() -> None:
    simulator = Simulator([*same_size(0), *same_size(0)])
    task_on(simulator, name="first").run("Look.")

    task_on(simulator, name="second").run("Look.")

    assert regions_sent(simulator) == [None, None]


@pytest.mark.parametrize(("region", "factor"), [("us", "1.1"), ("global", "1")])
def test_a_stated_region_is_sent_and_priced_from_the_first_request(
    region: str, factor: str
) -> None:
    simulator = Simulator(same_size(2))
    task = task_on(simulator, inference_geo=region, max_tokens=2_000)
    plain = task_on(Simulator(same_size(2)), name="plain", max_tokens=2_000)

    outcome = task.run("Look.")
    plain.run("Look.")

    assert regions_sent(simulator) == [region] * 3
    assert outcome.total.cost_usd == simulator.bill.total_usd
    first, unknown = facts(task, StepStarted)[0], facts(plain, StepStarted)[0]
    assert first.held_usd is not None
    assert unknown.held_usd is not None
    assert first.held_usd == unknown.held_usd / Decimal("1.1") * Decimal(factor)


def without_region(event: dict[str, Any]) -> None:
    """Let a reply name no region."""
    if event["type"] == "message_start":
        event["message"]["usage"]["inference_geo"] = None


def test_where_no_region_is_reported_the_extra_tenth_is_unconfirmed() -> None:
    simulator = Simulator(same_size(3), inference_geo="us")
    client = simulated_client(Rewriting(simulator, without_region))
    task = task_on(simulator, client=client)

    outcome = task.run("Look.")

    spend = outcome.total
    assert spend.cost_usd is not None
    assert spend.unconfirmed_usd == spend.cost_usd / 10
    assert simulator.bill.total_usd == spend.cost_usd + spend.unconfirmed_usd
    assert [
        ("do not name their inference region" in one.text) for one in facts(task, NoticePosted)
    ] == [True]
    assert regions_sent(simulator) == [None] * 4


def test_a_stated_region_settles_the_price_where_the_reply_names_none() -> None:
    simulator = Simulator(same_size(1))
    client = simulated_client(Rewriting(simulator, without_region))
    task = task_on(simulator, client=client, inference_geo="us")

    outcome = task.run("Look.")

    assert outcome.total.unconfirmed_usd == 0
    assert outcome.total.cost_usd == simulator.bill.total_usd
    assert {step.usage.inference_geo for step in facts(task, StepFinished)} == {"us"}


def test_a_model_without_regional_prices_is_neither_asked_nor_charged_for_one() -> None:
    simulator = Simulator(same_size(2), inference_geo="us")
    task = task_on(simulator, model="claude-haiku-4-5", budget=None)

    outcome = task.run("Look.")

    assert regions_sent(simulator) == [None] * 3
    assert outcome.total.cost_usd == simulator.bill.total_usd
    assert outcome.total.unconfirmed_usd == 0


def test_a_region_that_cannot_be_had_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ConfigurationError, match="inference_geo 'mars': choose one of us, global"):
        Task("audit", inference_geo="mars")
    with pytest.raises(ConfigurationError, match="claude-haiku-4-5 does not take an inference"):
        Task("audit", inference_geo="us", model="claude-haiku-4-5", budget=None)

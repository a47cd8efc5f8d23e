"""Usage figures that cannot be right never make a reply free, and never break a ceiling."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from budget_magic import Ceilings, Task
from budget_magic.events import NoticePosted, StepFinished, StepStarted
from budget_magic.simulator import Call, Reply, SceneContext, Simulator
from budget_magic.wire.sdk import simulated_client
from tests.loop.rewriting import Edit, Rewriting
from tests.loop.running import facts, task_on

# What the SDK says of values that are not of the type it knows.
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")

GONE = object()
ZEROS = {"input_tokens": 0, "output_tokens": 0}
ZERO_ITERATION = {"type": "message", **ZEROS}
ALL_ZERO = {
    "input_tokens": 0,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "cache_creation": None,
    "output_tokens": 0,
}
WRONG: dict[str, Mapping[str, Any]] = {
    "input missing": {"input_tokens": GONE},
    "input null": {"input_tokens": None},
    "output missing": {"output_tokens": GONE},
    "output null": {"output_tokens": None},
    "negative": {"input_tokens": -5},
    "negative cache": {"cache_read_input_tokens": -5_000},
    "fractional": {"output_tokens": 12.5},
    "a whole fraction": {"output_tokens": 12.0},
    "a text": {"output_tokens": "12"},
    "a truth": {"output_tokens": True},
    "absurd": {"output_tokens": 10**30},
    "all zero": ALL_ZERO,
    "zero output": {"output_tokens": 0},
    "zero with iterations": {**ALL_ZERO, "iterations": [ZERO_ITERATION]},
    "iterations of zero": {"iterations": [ZERO_ITERATION]},
    "an iteration is no object": {"iterations": [7]},
    "more for an hour than written": {"cache_creation": {"ephemeral_1h_input_tokens": 10**7}},
    "absurd searches": {"server_tool_use": {"web_search_requests": 10**30}},
    "searches nobody offered": {"server_tool_use": {"web_search_requests": 1_000}},
    "more than max_tokens": {"output_tokens": 5_000_000, "iterations": GONE},
    "less than was written": {"output_tokens": 1, "iterations": GONE},
    "more than the context window": {"input_tokens": 90_000_000, "iterations": GONE},
    "an iteration beyond max_tokens": {
        "iterations": [{"type": "message", "input_tokens": 10**5, "output_tokens": 5_000_000}]
    },
    "iterations beyond max_tokens together": {
        "iterations": [{"type": "message", "input_tokens": 10**5, "output_tokens": 5_000}] * 90
    },
}


def rewritten(figures: Mapping[str, Any]) -> Edit:
    """Put these figures into every `usage` of a stream."""

    def edit(event: dict[str, Any]) -> None:
        usage = event.get("usage") or event.get("message", {}).get("usage")
        if usage is None:
            return
        for name, value in figures.items():
            usage.pop(name, None)
            if value is not GONE:
                usage[name] = value

    return edit


def forever(context: SceneContext) -> Reply:
    """A model that never ends its turn."""
    return Reply(
        text=f"Step {context.replies}. " + "It goes on. " * 80,
        calls=[Call("lookup", {"word": f"word {context.replies}"}, 500)],
        output_tokens=1_500,
    )


def on_liar(edit: Edit, **options: Any) -> tuple[Simulator, Task]:
    """A simulator behind a transport that rewrites its events, and a task on it."""
    simulator = Simulator(forever)
    client = simulated_client(Rewriting(simulator, edit))
    return simulator, task_on(simulator, client=client, budget=None, **options)


@pytest.mark.parametrize("figures", WRONG.values(), ids=WRONG)
def test_a_ceiling_holds_by_the_real_bill_whatever_the_usage_says(
    figures: Mapping[str, Any],
) -> None:
    simulator, task = on_liar(rewritten(figures), ceilings=Ceilings(cost_usd=2, steps=30))

    outcome = task.run("Look.")

    assert outcome.state in {"halted", "failed"}, outcome.detail
    assert 0 < simulator.bill.total_usd <= 2
    spend = outcome.total
    assert spend.cost_usd is not None
    assert simulator.bill.total_usd <= spend.cost_usd + spend.unconfirmed_usd <= 2
    assert simulator.bill.total_tokens <= spend.ceiling_tokens + spend.unconfirmed_tokens


def test_a_reply_without_usable_figures_counts_its_worst_case_and_says_so_once() -> None:
    simulator, task = on_liar(rewritten(WRONG["zero output"]), ceilings=Ceilings(steps=3))

    outcome = task.run("Look.")

    steps = facts(task, StepFinished)
    assert [step.usage_known for step in steps] == [False] * 3
    assert all(step.unconfirmed_usd > 0 and step.cost_usd == 0 for step in steps)
    assert outcome.spend.unconfirmed_usd == sum(step.unconfirmed_usd for step in steps)
    assert outcome.spend.cost_usd == 0
    assert outcome.spend.budget_tokens > 0
    (noted,) = facts(task, NoticePosted)
    assert noted.text == (
        "a reply came with invalid usage: its worst-case cost is unconfirmed and its token counts"
        " are estimates"
    )
    report = str(task.report()["text/plain"])
    assert report.count("came with invalid usage") == 1
    assert simulator.bill.total_usd < outcome.spend.unconfirmed_usd


def test_figures_that_turn_wrong_in_mid_task_do_not_lower_what_is_held_next() -> None:
    replies = 0

    def edit(event: dict[str, Any]) -> None:
        nonlocal replies
        replies += event["type"] == "message_stop"
        if replies % 2:
            rewritten(ALL_ZERO)(event)

    simulator, task = on_liar(edit, ceilings=Ceilings(cost_usd=Decimal("1.50"), steps=40))

    outcome = task.run("Look.")

    assert outcome.total.cost_usd is not None
    assert len(simulator.requests) > 2
    taken = outcome.total.cost_usd + outcome.total.unconfirmed_usd
    assert simulator.bill.total_usd <= taken <= Decimal("1.50")


@pytest.mark.parametrize("model", [None, "", 5, "claude-of-tomorrow"])
def test_a_reply_without_a_known_model_is_priced_as_the_one_asked_for(model: object) -> None:
    def edit(event: dict[str, Any]) -> None:
        if event["type"] == "message_start":
            event["message"]["model"] = model

    simulator, task = on_liar(edit, ceilings=Ceilings(steps=2))

    outcome = task.run("Look.")

    assert outcome.reason == "step_ceiling", outcome.detail
    assert outcome.total.cost_usd == simulator.bill.total_usd
    assert all(step.cost_estimated for step in facts(task, StepFinished))
    (noted,) = facts(task, NoticePosted)
    assert "so it is priced as claude-opus-5-5" in noted.text
    assert "≈ $0.07 of $5.00" in str(task.report()["text/plain"])


def test_a_part_by_an_unknown_model_is_priced_as_the_one_asked_for() -> None:
    def edit(event: dict[str, Any]) -> None:
        usage = event.get("usage") or {}
        for part in usage.get("iterations") or ():
            part["model"] = "claude-of-tomorrow"

    simulator, task = on_liar(edit, ceilings=Ceilings(steps=2))

    outcome = task.run("Look.")

    assert outcome.total.cost_usd == simulator.bill.total_usd
    assert all(step.cost_estimated for step in facts(task, StepFinished))
    (noted,) = facts(task, NoticePosted)
    assert "'claude-of-tomorrow', so it is priced as claude-opus-5-5" in noted.text


def test_another_known_model_that_answers_is_named() -> None:
    def edit(event: dict[str, Any]) -> None:
        if event["type"] == "message_start":
            event["message"]["model"] = "claude-haiku-4-5"

    _, task = on_liar(edit, ceilings=Ceilings(steps=2))

    task.run("Look.")

    (noted,) = facts(task, NoticePosted)
    assert (
        noted.text == "claude-haiku-4-5 answered instead of claude-opus-5-5 and is priced as such"
    )


def test_a_reply_that_never_says_its_final_usage_counts_its_worst_case() -> None:
    def edit(event: dict[str, Any]) -> None:
        if event["type"] == "message_delta":
            event.clear()
            event["type"] = "ping"

    simulator, task = on_liar(edit, ceilings=Ceilings(cost_usd=Decimal("0.50")))
    outcomes = [task.run(f"Look {number}.") for number in range(4)]

    spend = outcomes[-1].total
    assert spend.cost_usd == 0
    assert 0 < simulator.bill.total_usd <= spend.unconfirmed_usd <= Decimal("0.50")


class Gateway(httpx2.AsyncBaseTransport):
    """A gateway that answers with a status after the server behind it has written the reply."""

    def __init__(self, simulator: Simulator, status: int) -> None:
        self._inner, self._status = simulator.transport(), status

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Let the server work, and give its reply up."""
        response = await self._inner.handle_async_request(request)
        if request.url.path != "/v1/messages":
            return response
        await response.aread()
        error = {"type": "api_error", "message": "upstream timed out"}
        return httpx2.Response(self._status, json={"type": "error", "error": error})


@pytest.mark.parametrize("status", [408, 499, 502, 504])
def test_a_gateway_that_gives_up_holds_what_the_server_may_have_billed(status: int) -> None:
    simulator = Simulator(forever)
    client = simulated_client(Gateway(simulator, status))
    task = task_on(simulator, client=client, budget=None, ceilings=Ceilings(cost_usd=Decimal(1)))
    for prompt in ("One.", "Two.", "Three."):
        task.run(prompt)

    assert 0 < simulator.bill.total_usd <= task.spend.unconfirmed_usd <= 1


@pytest.mark.parametrize("model", ["claude-opus-5-5-20261001", "claude-opus-5-5"])
def test_a_dated_id_of_the_model_asked_for_is_no_doubt(model: str) -> None:
    def edit(event: dict[str, Any]) -> None:
        if event["type"] == "message_start":
            event["message"]["model"] = model

    _, task = on_liar(edit, ceilings=Ceilings(steps=2))

    task.run("Look.")

    assert not facts(task, NoticePosted)
    assert not any(step.cost_estimated for step in facts(task, StepFinished))


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ({"service_tier": "priority"}, "served at the priority tier"),
        ({"service_tier": "batch"}, "unknown service tier 'batch'"),
        ({"service_tier": "platinum"}, "unknown service tier 'platinum'"),
        ({"speed": "ludicrous"}, "unknown speed 'ludicrous'"),
    ],
)
def test_a_tier_or_speed_without_a_known_price_is_marked(
    figures: Mapping[str, Any], told: str
) -> None:
    _, task = on_liar(rewritten(figures), ceilings=Ceilings(steps=3))

    task.run("Look.")

    (noted,) = facts(task, NoticePosted)
    assert told in noted.text
    assert all(step.cost_estimated for step in facts(task, StepFinished))


def test_fast_mode_is_priced_and_held_at_its_price_once_it_was_seen() -> None:
    simulator, task = on_liar(
        rewritten({"speed": "fast"}), max_tokens=2_000, ceilings=Ceilings(steps=2)
    )

    outcome = task.run("Look.")

    assert outcome.total.cost_usd == simulator.bill.total_usd * 2
    assert not facts(task, NoticePosted)
    held = [started.held_usd or Decimal(0) for started in facts(task, StepStarted)]
    assert held[1] > held[0] * Decimal("1.5")


def test_tokens_of_iterations_outside_the_sum_count_in_the_token_ceiling() -> None:
    whole: dict[str, Any] = {}

    def edit(event: dict[str, Any]) -> None:
        if event["type"] == "message_start":
            whole.update(event["message"]["usage"])
        if event["type"] == "message_delta":
            whole.update(event["usage"])
            outside = {"type": "compaction", "input_tokens": 4_000, "output_tokens": 1_000}
            inside = {key: value for key, value in whole.items() if key.endswith("tokens")}
            event["usage"]["iterations"] = [{"type": "message", **inside}, outside]

    simulator, task = on_liar(edit, ceilings=Ceilings(cost_usd=None, total_tokens=40_000))

    outcome = task.run("Look.")

    assert outcome.reason == "token_ceiling", outcome.detail
    extra = outcome.spend.steps * 5_000
    assert outcome.total.ceiling_tokens == simulator.bill.total_tokens + extra
    assert task.account.spent.tokens == outcome.total.ceiling_tokens
    assert extra < 40_000

"""The promise with compaction: random scripts with summaries in between pass no ceiling."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from budget_magic.events import HistoryRewritten, Record, StepFinished, TurnFinished
from budget_magic.loop.compaction import ASK
from budget_magic.simulator import Reply, SceneContext, Simulator
from tests.loop.running import facts, task_on
from tests.loop.test_promise import Script, fetch, scripts
from tests.support import examples

BUDGET = 200_000
FAILED_BY_SCRIPT = frozenset({529})


def playing(script: Script, length: int) -> Simulator:
    """The script's server, which also writes summaries of so many words."""

    def scene(context: SceneContext) -> Reply:
        if ASK in context.asked:
            return Reply(thinking="I sum up.", text="Found it. " * length)
        return script.reply(context)

    return Simulator(
        scene,
        seed=script.seed,
        faults=script.faults,
        count_error=script.count_error,
        cache_miss_rate=script.miss_rate,
        inference_geo=script.geo,
    )


@settings(max_examples=examples(40))
@given(
    scripts(),
    st.sampled_from([5_000, 8_000, 20_000]),
    st.integers(0, 600),
    st.sampled_from(["today", "documented"]),
)
def test_no_script_passes_a_ceiling_or_is_refused(
    script: Script, compact_at: int, length: int, carry: str
) -> None:
    simulator = playing(script, length)
    task = task_on(
        simulator,
        tools=[fetch],
        budget=BUDGET,
        max_tokens=script.max_tokens,
        wrap_up=script.wrap_up,
        ceilings=script.ceilings,
        compact_at=compact_at,
        carry=carry,
    )
    for turn in range(script.turns):
        task.run(f"Go, {turn}.")

    spend, usd, tokens = task.spend, script.ceilings.cost_usd, script.ceilings.total_tokens
    assert spend.cost_usd is not None
    assert simulator.bill.total_usd <= spend.cost_usd + spend.unconfirmed_usd
    assert usd is None or spend.cost_usd + spend.unconfirmed_usd <= usd
    assert tokens is None or spend.ceiling_tokens + spend.unconfirmed_tokens <= tokens
    for one in facts(task, TurnFinished):
        assert one.reason != "api_error" or script.faults, one.detail
        assert one.step <= (script.ceilings.steps or 0)
    for request in simulator.requests:
        assert request.error is None or request.status in FAILED_BY_SCRIPT, request.error
    sent = [one.body["output_config"]["task_budget"] for one in simulator.requests]
    carried = {fact.remaining for fact in facts(task, HistoryRewritten)}
    assert {budget.get("remaining") for budget in sent} <= {None, *carried}
    assert all(budget["total"] <= BUDGET for budget in sent)
    _remaining_is_what_was_not_removed(task.events, carry)


def _remaining_is_what_was_not_removed(events: list[Record], carry: str) -> None:
    """After each rewrite: the total, less all that was counted before, less the summaries."""
    counted = summaries = 0
    last = 0
    for fact in (record.fact for record in events):
        if isinstance(fact, StepFinished):
            counted += fact.budget_tokens
            last = fact.usage.output_tokens
        elif isinstance(fact, HistoryRewritten):
            summaries += last
            if carry == "documented":
                assert fact.remaining is None
            else:
                assert fact.remaining is not None
                # A reply that could not be kept is counted, and was in no message.
                assert fact.remaining >= max(BUDGET - counted + summaries, 0)

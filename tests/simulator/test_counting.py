"""The token rule, the prompt cache, the countdown and the bill."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget_magic.simulator import Call, Carry, Reply, Scripted, Simulator
from budget_magic.simulator.tokens import count_text, cut_text, parse_partial_json
from tests.simulator.helpers import (
    HELLO,
    LOOKUP,
    ask,
    budget,
    client_of,
    loop,
    params,
    results,
    run,
    said,
    stream,
    text_of,
)

LONG = "A paragraph of the system prompt, long enough to be cached. " * 100
CACHED: dict[str, Any] = {"cache_control": {"type": "ephemeral"}}


async def found(_name: str, _arguments: dict[str, Any]) -> str:
    return "nothing to see"


async def whole_turn(simulator: Simulator, **changes: Any) -> list[dict[str, Any]]:
    messages = list(HELLO)
    async with client_of(simulator) as client:
        await loop(client, messages, found, **changes)
    return messages


@given(st.text())
def test_a_text_never_counts_more_tokens_than_bytes(text: str) -> None:
    assert (count_text(text) > 0) == bool(text)
    assert count_text(text) <= len(text.encode("utf-8", "surrogatepass"))


@given(st.text(), st.integers(0, 50))
def test_a_cut_text_is_a_start_of_the_text_that_fits(text: str, tokens: int) -> None:
    cut = cut_text(text, tokens)
    assert text.startswith(cut)
    assert count_text(cut) <= tokens


@given(st.text(max_size=40))
def test_cut_json_reads_as_an_object(text: str) -> None:
    assert isinstance(parse_partial_json('{"a": ' + text), dict)


@pytest.mark.parametrize("system", [None, LONG])
def test_the_worked_example_comes_out_exactly_whatever_the_client_sends(system: str | None) -> None:
    simulator = Simulator("worked_example")
    wanted = {"system": system, "tools": [LOOKUP], "max_tokens": 16_000}
    run(whole_turn(simulator, **wanted, **CACHED, **budget(100_000)))
    assert [record.prompt_tokens for record in simulator.requests] == [20, 7_820, 13_020]
    assert [entry.output_tokens for entry in simulator.bill] == [5_000, 4_000, 6_000]
    assert [record.remaining_before for record in simulator.requests] == [100_000, 92_200, 87_000]
    assert [record.remaining_after for record in simulator.requests] == [95_000, 88_200, 81_000]


def test_a_reply_counts_the_same_when_it_is_sent_back() -> None:
    script = [
        Reply(thinking="Let me see.", text="A word.", calls=[Call("lookup")]),
        Reply(text="End."),
    ]
    simulator = Simulator(script)
    run(whole_turn(simulator, tools=[LOOKUP]))
    first, second = simulator.requests
    results_tokens = 4 + count_text("nothing to see") + 3
    assert first.prompt_tokens is not None
    assert first.billed is not None
    assert second.prompt_tokens == first.prompt_tokens + first.billed.output_tokens + results_tokens


@pytest.mark.parametrize("calls", [1, 9])
def test_each_step_reads_all_earlier_tokens_from_the_cache(calls: int) -> None:
    script = [Reply(text="On.", calls=[Call("lookup", {"word": str(n)}) for n in range(calls)])] * 4
    simulator = Simulator([*script, Reply(text="End.")])
    run(whole_turn(simulator, tools=[LOOKUP], system=LONG, **CACHED))
    sizes = [entry.prompt_tokens for entry in simulator.bill]
    assert [entry.split.read for entry in simulator.bill] == [0, *sizes[:-1]]
    assert [entry.split.input_tokens for entry in simulator.bill] == [0] * 5


def test_twelve_parallel_calls_need_a_second_breakpoint_to_be_read_from_the_cache() -> None:
    calls = [Call("lookup", {"word": str(n)}) for n in range(12)]
    simulator = Simulator([Reply(text="On.", calls=calls), Reply(text="A."), Reply(text="B.")])
    first = ask(simulator, tools=[LOOKUP], system=LONG, **CACHED)
    marked = [{"role": "user", "content": [{"type": "text", "text": "Hello there.", **CACHED}]}]
    rest = [said(first), results(first)]
    ask(simulator, tools=[LOOKUP], system=LONG, messages=[*HELLO, *rest], **CACHED)
    ask(simulator, tools=[LOOKUP], system=LONG, messages=[*marked, *rest])
    sizes = [entry.prompt_tokens for entry in simulator.bill]
    assert [entry.split.read for entry in simulator.bill] == [0, 0, sizes[0]]


def test_a_breakpoint_looks_back_twenty_blocks_and_no_further() -> None:
    simulator = Simulator(lambda _context: Reply(text="Yes."))

    def read_after(blocks: int) -> int:
        system = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]
        texts = [{"type": "text", "text": f"Block {n}."} for n in range(blocks)]
        last = {"type": "text", "text": f"Last of {blocks}.", **CACHED}
        messages = [{"role": "user", "content": [*texts, last]}]
        system = [{"type": "text", "text": LONG}]
        ask(simulator, messages=messages, system=system)
        return simulator.bill[-1].split.read

    ask(simulator, system=[{"type": "text", "text": LONG, **CACHED}])
    assert read_after(18) > 0
    assert read_after(19) == 0


def test_a_prefix_below_the_model_s_minimum_is_not_cached() -> None:
    simulator = Simulator(lambda _context: Reply(text="Yes."))
    for _ in range(2):
        ask(simulator, **CACHED)
    assert [entry.split.read + entry.split.write_5m for entry in simulator.bill] == [0, 0]
    assert simulator.bill[1].split.input_tokens == simulator.bill[1].prompt_tokens


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "claude-sonnet-5-5"},
        {"output_config": {"effort": "low"}},
        {"system": "Another one. " + LONG},
        {"tools": [LOOKUP]},
        {"tool_choice": {"type": "none"}},
        budget(50_000),
        budget(50_000, remaining=40_000),
    ],
    ids=["model", "effort", "system", "tools", "tool_choice", "budget", "remaining"],
)
def test_a_change_of_the_prefix_misses_the_cache(changes: dict[str, Any]) -> None:
    simulator = Simulator(lambda _context: Reply(text="Yes."))
    same: dict[str, Any] = {"system": LONG, **CACHED}
    ask(simulator, **same)
    ask(simulator, **same)
    ask(simulator, **{**same, **changes})
    assert [entry.split.read > 0 for entry in simulator.bill] == [False, True, False]


def test_entries_expire_after_five_minutes_or_an_hour_and_reading_renews_them() -> None:
    now = [0.0]
    simulator = Simulator(lambda _context: Reply(text="Yes."), clock=lambda: now[0])
    reads = []
    for seconds in (0, 200, 200, 400):
        now[0] += seconds
        ask(simulator, system=LONG, **CACHED)
        reads.append(simulator.bill[-1].split.read > 0)
    assert reads == [False, True, True, False]
    hour = {"type": "ephemeral", "ttl": "1h"}
    ask(simulator, system="Longer. " + LONG, cache_control=hour)
    now[0] += 3_000
    ask(simulator, system="Longer. " + LONG, cache_control=hour)
    assert simulator.bill[-2].split.write_1h > 0
    assert simulator.bill[-1].split.read == simulator.bill[-1].prompt_tokens


def test_the_cache_can_be_told_to_miss() -> None:
    simulator = Simulator(lambda _context: Reply(text="Yes."), cache_miss_rate=1.0)
    for _ in range(2):
        ask(simulator, system=LONG, **CACHED)
    assert [entry.split.read for entry in simulator.bill] == [0, 0]


def test_count_tokens_gives_the_size_of_the_prompt() -> None:
    simulator = Simulator(lambda _context: Reply(text="Yes."))
    wanted = params(system=LONG, tools=[LOOKUP])
    del wanted["max_tokens"]

    async def count() -> int:
        async with client_of(simulator) as client:
            return (await client.beta.messages.count_tokens(**wanted)).input_tokens

    ask(simulator, system=LONG, tools=[LOOKUP])
    assert run(count()) == simulator.requests[0].prompt_tokens


def test_count_tokens_can_be_off_by_a_share() -> None:
    exact = Simulator(lambda _context: Reply(text="Yes."))
    ask(exact, system=LONG)
    size = exact.requests[0].prompt_tokens or 0
    wanted = params(system=LONG)
    del wanted["max_tokens"]
    counts = set()
    for seed in range(10):
        simulator = Simulator("audit", seed=seed, count_error=0.01)

        async def count(simulator: Simulator = simulator) -> int:
            async with client_of(simulator) as client:
                return (await client.beta.messages.count_tokens(**wanted)).input_tokens

        counts.add(run(count()))
    assert len(counts) > 3
    assert all(abs(one - size) <= size * 0.01 + 1 for one in counts)


@pytest.mark.parametrize(
    ("carry", "before"), [("today", [60_000, 58_800]), ("documented", [60_000, 60_000])]
)
def test_a_new_user_message_starts_a_fresh_budget_only_as_documented(
    carry: Carry, before: list[int]
) -> None:
    simulator = Simulator(
        [Reply(text="One.", output_tokens=1_200), Reply(text="Two.")], carry=carry
    )
    first = ask(simulator, **budget(60_000))
    follow_up = [*HELLO, said(first), {"role": "user", "content": "And now?"}]
    ask(simulator, messages=follow_up, **budget(60_000))
    assert [record.remaining_before for record in simulator.requests] == before


def test_text_beside_tool_results_continues_the_turn() -> None:
    script = [
        Reply(calls=[Call("lookup")], output_tokens=2_000, result_tokens=500),
        Reply(text="End."),
    ]
    simulator = Simulator(script, carry="documented")
    first = ask(simulator, tools=[LOOKUP], **budget(60_000))
    answered = results(first)
    answered["content"].append({"type": "text", "text": "Go on, please."})
    ask(simulator, tools=[LOOKUP], messages=[*HELLO, said(first), answered], **budget(60_000))
    assert simulator.requests[1].remaining_before == 57_500


def test_remaining_is_where_the_countdown_starts() -> None:
    simulator = Simulator([Reply(text="End.", output_tokens=10)])
    ask(simulator, **budget(60_000, remaining=0))
    assert simulator.requests[0].remaining_before == 0
    assert simulator.requests[0].remaining_after == -10


def test_the_bill_is_prices_times_usage() -> None:
    simulator = Simulator([Reply(text="End.", output_tokens=1_000)])
    ask(simulator, system=LONG, **CACHED)
    entry = simulator.bill[0]
    written = entry.split.write_5m
    assert written == entry.prompt_tokens
    assert entry.cost_usd == Decimal(written * 5 + 1_000 * 20) / 1_000_000
    assert simulator.bill.total_usd == entry.cost_usd
    assert simulator.bill.total_tokens == written + 1_000


@pytest.mark.parametrize(
    ("prompt", "price_in", "price_out"), [(100_000, "0.10", "0.50"), (100_001, "0.50", "2.50")]
)
def test_a_long_prompt_has_its_own_prices(prompt: int, price_in: str, price_out: str) -> None:
    scene = Scripted([Reply(text="End.", output_tokens=1_000)], prompt_tokens=prompt)
    simulator = Simulator(scene)
    ask(simulator, model="claude-haiku-5-5")
    wanted = prompt * Decimal(price_in) + 1_000 * Decimal(price_out)
    assert simulator.bill.total_usd == wanted / 1_000_000


def test_fast_mode_and_a_region_cost_more() -> None:
    reply = Reply(text="End.", output_tokens=1_000)
    simulator = Simulator(Scripted([reply] * 3, prompt_tokens=1_000))
    ask(simulator)
    ask(simulator, speed="fast", betas=["fast-mode-2026-02-01"])
    message = ask(simulator, inference_geo="us")
    plain, fast, regional = (entry.cost_usd for entry in simulator.bill)
    assert fast == 2 * plain
    assert regional == plain * Decimal("1.1")
    assert message.usage.inference_geo == "us"


def test_the_same_seed_and_conversation_give_the_same_replies() -> None:
    def told(seed: int) -> list[dict[str, Any]]:
        return run(whole_turn(Simulator("audit", seed=seed), tools=[LOOKUP], **budget()))

    assert told(1) == told(1)
    assert told(1) != told(2)


def test_usage_is_complete_and_adds_up() -> None:
    simulator = Simulator([Reply(thinking="Let me think.", thinking_tokens=300, text="End.")])

    async def work() -> tuple[dict[str, Any], dict[str, Any]]:
        started: dict[str, Any] = {}
        async with client_of(simulator) as client:
            wanted = {**params(system=LONG, **CACHED), "stream": True}
            events = await client.beta.messages.create(**wanted)
            ended: dict[str, Any] = {}
            async for event in events:
                if event.type == "message_start":
                    started = event.message.usage.to_dict()
                elif event.type == "message_delta":
                    ended = event.usage.to_dict()
        return started, ended

    started, ended = run(work())
    entry = simulator.bill[0]
    assert started["output_tokens"] == 1
    assert started["cache_creation"]["ephemeral_5m_input_tokens"] == entry.split.write_5m
    assert (started["service_tier"], started["speed"]) == ("standard", "standard")
    assert "cache_creation" not in ended
    assert ended["output_tokens"] == entry.output_tokens
    assert ended["output_tokens_details"] == {"thinking_tokens": 300}
    assert [one["type"] for one in ended["iterations"]] == ["message"]
    assert ended["iterations"][0]["output_tokens"] == entry.output_tokens


def test_a_parallel_conversation_plays_the_script_by_its_own_history() -> None:
    simulator = Simulator(Scripted([Reply(text="One."), Reply(text="Two.")], by="history"))

    async def work() -> list[str]:
        async with client_of(simulator) as client:
            texts = []
            for _ in range(2):
                first = await stream(client)
                follow_up = [*HELLO, said(first), {"role": "user", "content": "More?"}]
                second = await stream(client, messages=follow_up)
                texts += [text_of(first), text_of(second)]
            return texts

    assert run(work()) == ["One.", "Two.", "One.", "Two."]

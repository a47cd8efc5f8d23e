"""The table of models and prices, against genai_prices and against the documentation's rules."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from genai_prices import extract_usage

from budget_magic.errors import ConfigurationError
from budget_magic.events import IterationUsage, Usage
from budget_magic.meter.cost import (
    expected_usd,
    price_table,
    rewrite_usd,
    step_cost_usd,
    worst_case_usd,
)
from budget_magic.models import (
    EFFORT_LEVELS,
    MODELS,
    Model,
    find_model,
    models_with_budget,
    user_prices,
)

OPUS = "claude-opus-5-5"
HAIKU = "claude-haiku-5-5"
PRICED = pytest.mark.parametrize("model", sorted(MODELS))
ROW = {"input": 4, "output": "20", "cache_read": 0.2, "write_5m": 5, "write_1h": 8}


def theirs(model: str, usage: Usage) -> Decimal:
    """What genai_prices says that a reply cost."""
    sent: dict[str, Any] = {
        "input_tokens": usage.input_tokens,
        "cache_read_input_tokens": usage.cache_read_input_tokens,
        "cache_creation_input_tokens": usage.cache_creation_input_tokens,
        "cache_creation": {
            "ephemeral_1h_input_tokens": usage.cache_creation_1h_input_tokens,
            "ephemeral_5m_input_tokens": usage.cache_creation_input_tokens
            - usage.cache_creation_1h_input_tokens,
        },
        "output_tokens": usage.output_tokens,
    }
    extracted = extract_usage({"model": model, "usage": sent}, provider_id="anthropic")
    return extracted.calc_price().total_price


@PRICED
@pytest.mark.parametrize(
    "usage",
    [
        Usage(input_tokens=1_000_000),
        Usage(output_tokens=1_000_000),
        Usage(cache_read_input_tokens=90_000),
        Usage(cache_creation_input_tokens=90_000),
        Usage(cache_creation_input_tokens=90_000, cache_creation_1h_input_tokens=40_000),
        Usage(
            input_tokens=17,
            cache_read_input_tokens=41_003,
            cache_creation_input_tokens=999,
            output_tokens=1_234,
            thinking_tokens=1_000,
        ),
        Usage(input_tokens=60_000, cache_read_input_tokens=60_000, output_tokens=5_000),
    ],
    ids=["input", "output", "reads", "writes", "writes for an hour", "all", "long prompt"],
)
def test_prices_agree_with_genai_prices(model: str, usage: Usage) -> None:
    assert step_cost_usd(usage, model, {}) == theirs(model, usage)


@pytest.mark.parametrize("prompt", [99_999, 100_000, 100_001])
def test_the_long_prompt_tier_begins_above_its_border_and_holds_for_the_whole_request(
    prompt: int,
) -> None:
    usage = Usage(cache_read_input_tokens=prompt - 10, input_tokens=10, output_tokens=1_000)

    cost = step_cost_usd(usage, HAIKU, {})

    times = 5 if prompt > 100_000 else 1
    short = (Decimal("0.01") * (prompt - 10) + Decimal("0.1") * 10 + Decimal("0.5") * 1_000) / 10**6
    assert cost == short * times == theirs(HAIKU, usage)


def test_a_model_without_long_prompt_prices_costs_the_same_above() -> None:
    assert step_cost_usd(Usage(input_tokens=900_000), OPUS, {}) == Decimal("3.6")


def test_us_inference_costs_a_tenth_more() -> None:
    plain, us = Usage(output_tokens=1_000), Usage(output_tokens=1_000, inference_geo="us")

    assert step_cost_usd(us, OPUS, {}) == Decimal("1.1") * (step_cost_usd(plain, OPUS, {}) or 0)
    assert step_cost_usd(Usage(inference_geo="global"), OPUS, {}) == 0


def test_fast_mode_has_prices_of_its_own() -> None:
    fast = Usage(input_tokens=1_000, output_tokens=1_000, speed="fast")

    assert step_cost_usd(fast, OPUS, {}) == Decimal("0.048")
    assert step_cost_usd(fast, "claude-opus-5", {}) == Decimal("0.06")
    assert step_cost_usd(fast, "claude-sonnet-5", {}) == Decimal("0.012")


def test_web_searches_cost_a_cent_each() -> None:
    assert step_cost_usd(Usage(web_search_requests=3), OPUS, {}) == Decimal("0.03")


def test_iterations_are_priced_one_by_one_by_their_own_models() -> None:
    usage = Usage(
        input_tokens=1_000,
        output_tokens=100,
        iterations=(
            IterationUsage(kind="message", input_tokens=1_000, output_tokens=100),
            IterationUsage(kind="compaction", input_tokens=50_000, output_tokens=2_000),
            IterationUsage(kind="advisor_message", model="claude-haiku-4-5", output_tokens=1_000),
        ),
    )

    cost = step_cost_usd(usage, OPUS, {})

    message, compaction = Decimal("0.006"), Decimal("0.24")
    assert cost == message + compaction + Decimal("0.005")


def test_each_iteration_has_its_own_long_prompt_tier() -> None:
    small = IterationUsage(kind="message", input_tokens=60_000)
    usage = Usage(input_tokens=120_000, iterations=(small, small))

    assert step_cost_usd(usage, HAIKU, {}) == Decimal("0.012")


def test_an_unknown_model_has_no_cost_unless_the_user_gives_prices() -> None:
    own = {"mine": user_prices("mine", ROW)}

    assert step_cost_usd(Usage(output_tokens=1), "mine", {}) is None
    assert step_cost_usd(Usage(output_tokens=1_000), "mine", own) == Decimal("0.02")


def test_the_users_prices_go_before_the_table() -> None:
    own = {OPUS: user_prices(OPUS, {**ROW, "output": 1})}

    assert step_cost_usd(Usage(output_tokens=1_000_000), OPUS, own) == 1
    assert price_table(OPUS, own) is own[OPUS]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({}, "exactly the keys input, output, cache_read, write_5m, write_1h"),
        ({**ROW, "fast": 1}, "exactly the keys"),
        ({**ROW, "input": "free"}, "the input price of mine is 'free'"),
        ({**ROW, "input": -1}, "the input price of mine is -1"),
        ({**ROW, "input": "nan"}, "the input price of mine is 'nan'"),
    ],
)
def test_prices_that_are_none_are_refused(row: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        user_prices("mine", row)


@PRICED
def test_the_worst_case_is_never_below_what_a_request_costs(model: str) -> None:
    table = MODELS[model].prices
    for prompt, output in ((1, 1), (100_000, 1_000), (100_001, 32_000)):
        worst = worst_case_usd(
            table, prompt_tokens=prompt, output_tokens=output, factor=Decimal("1.1")
        )
        for usage in (
            Usage(input_tokens=prompt, output_tokens=output, inference_geo="us"),
            Usage(cache_creation_input_tokens=prompt, output_tokens=output, inference_geo="us"),
            Usage(cache_read_input_tokens=prompt, output_tokens=output),
        ):
            assert worst >= (step_cost_usd(usage, model, {}) or 0)


def test_the_expected_cost_reads_what_is_known_and_writes_the_rest() -> None:
    table = MODELS[OPUS].prices
    usage = Usage(
        cache_read_input_tokens=8_000, cache_creation_input_tokens=2_000, output_tokens=500
    )

    expected = expected_usd(
        table, known_tokens=8_000, new_tokens=2_000, output_tokens=500, factor=Decimal(1)
    )

    assert expected == step_cost_usd(usage, OPUS, {})
    assert rewrite_usd(table, 90_000) == Decimal("0.432")


@PRICED
def test_a_cache_read_costs_less_than_input_and_a_write_more(model: str) -> None:
    for prices in (MODELS[model].prices.base, MODELS[model].prices.long_prompt):
        if prices is not None:
            assert prices.cache_read < prices.input < prices.write_5m < prices.write_1h
            assert prices.dearest_input_5m() == prices.write_5m


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("anthropic.claude-opus-5-5-v1:0", OPUS),
        ("us.anthropic.claude-opus-5-5-v1:0", OPUS),
        ("claude-opus-5-5@20261101", OPUS),
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
    ],
)
def test_a_model_is_found_under_its_names_at_clouds(name: str, row: str) -> None:
    assert find_model(name) is MODELS[row]


@pytest.mark.parametrize("name", ["", "gpt-9", "claude-opus-5-6", "opus-5-5"])
def test_an_unknown_name_is_not_guessed(name: str) -> None:
    assert find_model(name) is None


def test_budget_support_is_what_the_documentation_lists() -> None:
    without = {model.id for model in MODELS.values() if model.budget == "no"}

    assert without == {
        "claude-sonnet-5",
        "claude-opus-4-6",
        "claude-sonnet-4-6",
        "claude-haiku-4-5",
    }
    assert OPUS in models_with_budget()
    assert "claude-fable-5-2" not in models_with_budget()


@PRICED
def test_effort_levels_keep_their_order(model: str) -> None:
    row: Model = MODELS[model]
    assert list(row.effort_levels) == [
        level for level in EFFORT_LEVELS if level in row.effort_levels
    ]
    assert row.effort_levels or not row.effort_per_message

"""Prices of models that our table lacks: a public list, by exact id, marked when shown."""

from __future__ import annotations

from decimal import Decimal

import pytest
from genai_prices.data_snapshot import get_snapshot

from budget_magic import ConfigurationError, Task
from budget_magic.events import Usage
from budget_magic.meter.cost import price_table, pricing_doubts, step_cost_usd
from budget_magic.models import MODELS, listed_prices, user_prices

LISTED = "claude-sonnet-4-5"
OURS = "claude-haiku-4-5"


def test_a_listed_model_has_the_prices_of_the_list() -> None:
    table = listed_prices(LISTED)
    assert table is not None
    assert (table.base.input, table.base.output, table.base.write_5m) == (
        Decimal(3),
        Decimal(15),
        Decimal("3.75"),
    )
    assert table.long_prompt_above == 200_000
    assert table.for_prompt(200_001).input == 6
    assert table.source.startswith("genai-prices ")


@pytest.mark.parametrize("model", ["claude-opus-55", "claude", "", "haiku", LISTED.upper()])
def test_only_an_exact_id_is_found(model: str) -> None:
    assert listed_prices(model) is None


def test_our_own_prices_and_the_users_come_first() -> None:
    row = user_prices(
        LISTED, dict.fromkeys(("input", "output", "cache_read", "write_5m", "write_1h"), 7)
    )
    assert price_table(LISTED, {LISTED: row}) is row
    assert price_table(OURS, {}) is MODELS[OURS].prices


def test_every_listed_model_can_be_priced() -> None:
    ids = {model.id for provider in get_snapshot().providers for model in provider.models}
    found = [table for table in map(listed_prices, sorted(ids)) if table is not None]
    assert len(found) > 500
    for table in found:
        base = table.base
        assert base.write_1h >= base.write_5m >= Decimal(0)
        assert base.input >= 0
        assert base.output >= 0


def test_dollars_by_a_list_price_are_marked() -> None:
    usage = Usage(input_tokens=1_000_000, output_tokens=1_000_000)
    doubts = list(
        pricing_doubts(usage, asked="claude-opus-4-5", answered="claude-opus-4-5", own={})
    )
    assert step_cost_usd(usage, "claude-opus-4-5", {}) == Decimal(30)
    assert len(doubts) == 1
    assert doubts[0].startswith("the price of claude-opus-4-5 is the list price of genai-prices 0.")


def test_an_unlisted_model_is_refused_under_a_cost_ceiling() -> None:
    with pytest.raises(
        ConfigurationError, match="no price is known for the model 'claude-opus-55'"
    ):
        Task("audit", model="claude-opus-55")

"""Money: what a reply cost by its usage, and what a request can cost at most."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from budget_magic.events import IterationUsage, Usage
from budget_magic.models import Prices, PriceTable, find_model

MTOK: Final = Decimal(1_000_000)
US_INFERENCE: Final = Decimal("1.1")
"""Factor of `inference_geo: us` (platform.claude.com, "Pricing", 2026-11)."""
BATCH: Final = Decimal("0.5")
"""Factor of `service_tier: batch` (same page)."""
WEB_SEARCH_USD: Final = Decimal("0.01")
"""Price of one web search (same page: $10 per 1,000)."""
OUTSIDE_THE_SUM: Final = frozenset({"compaction", "advisor_message"})
"""Kinds of iterations whose tokens are not in the top-level usage figures."""


def price_table(model: str, own: Mapping[str, PriceTable]) -> PriceTable | None:
    """The prices of a model: the user's own first, then the shipped table; None where unknown."""
    if model in own:
        return own[model]
    row = find_model(model)
    return None if row is None else row.prices


def step_cost_usd(usage: Usage, model: str, own: Mapping[str, PriceTable]) -> Decimal | None:
    """What one reply cost, in US dollars; None where a price it needs is unknown.

    Parameters
    ----------
    usage
        As the API gave it; where `iterations` are given, each is priced by its own model.
    model
        Model that answered.
    own
        Prices that the user gave, by model id.
    """
    parts = usage.iterations or (_as_iteration(usage),)
    total = Decimal(0)
    for part in parts:
        table = price_table(part.model or model, own)
        if table is None:
            return None
        total += _part_usd(part, _in_force(table, part.prompt_tokens, usage.speed))
    return total * _factor(usage) + WEB_SEARCH_USD * usage.web_search_requests


def worst_case_usd(
    table: PriceTable, *, prompt_tokens: int, output_tokens: int, factor: Decimal
) -> Decimal:
    """The most that a request can cost: its whole prompt at the dearest price, its whole reply."""
    prices = table.for_prompt(prompt_tokens)
    return (
        (prices.dearest_input_5m() * prompt_tokens + prices.output * output_tokens) * factor / MTOK
    )


def expected_usd(
    table: PriceTable, *, known_tokens: int, new_tokens: int, output_tokens: int, factor: Decimal
) -> Decimal:
    """What a request costs where its known prefix is read from the cache and the rest written."""
    prices = table.for_prompt(known_tokens + new_tokens)
    return (
        (
            prices.cache_read * known_tokens
            + prices.write_5m * new_tokens
            + prices.output * output_tokens
        )
        * factor
        / MTOK
    )


def rewrite_usd(table: PriceTable, cached_tokens: int) -> Decimal:
    """What it costs more, once, to write a cached prefix again instead of reading it."""
    prices = table.for_prompt(cached_tokens)
    return max(Decimal(0), (prices.write_5m - prices.cache_read) * cached_tokens / MTOK)


def _as_iteration(usage: Usage) -> IterationUsage:
    return IterationUsage(
        kind="message",
        input_tokens=usage.input_tokens,
        cache_read_input_tokens=usage.cache_read_input_tokens,
        cache_creation_input_tokens=usage.cache_creation_input_tokens,
        cache_creation_1h_input_tokens=usage.cache_creation_1h_input_tokens,
        output_tokens=usage.output_tokens,
    )


def _in_force(table: PriceTable, prompt_tokens: int, speed: str | None) -> Prices:
    if speed == "fast" and table.fast is not None:
        return table.fast
    return table.for_prompt(prompt_tokens)


def _part_usd(part: IterationUsage, prices: Prices) -> Decimal:
    write_5m = part.cache_creation_input_tokens - part.cache_creation_1h_input_tokens
    return (
        prices.input * part.input_tokens
        + prices.cache_read * part.cache_read_input_tokens
        + prices.write_5m * write_5m
        + prices.write_1h * part.cache_creation_1h_input_tokens
        + prices.output * part.output_tokens
    ) / MTOK


def _factor(usage: Usage) -> Decimal:
    factor = US_INFERENCE if usage.inference_geo == "us" else Decimal(1)
    return factor * BATCH if usage.service_tier == "batch" else factor

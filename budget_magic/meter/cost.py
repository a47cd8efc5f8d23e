"""Money: what a reply cost by its usage, and what a request can cost at most."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final, Literal

from budget_magic.events import IterationUsage, Usage
from budget_magic.models import REGION_FACTORS, Prices, PriceTable, find_model, listed_prices

Charge = Literal["fresh", "cache_read", "cache_write", "output"]
MTOK: Final = Decimal(1_000_000)
WEB_SEARCH_USD: Final = Decimal("0.01")
"""Price of one web search (platform.claude.com, "Pricing", 2026-11: $10 per 1,000)."""
_DATE: Final = re.compile(r"-\d{8}")


def price_table(model: str, own: Mapping[str, PriceTable]) -> PriceTable | None:
    """Return a model's prices: the user's, ours, or those of a public list; None if unknown."""
    if model in own:
        return own[model]
    row = find_model(model)
    return listed_prices(model) if row is None else row.prices


def step_cost_usd(usage: Usage, model: str, own: Mapping[str, PriceTable]) -> Decimal | None:
    """Return what one reply cost, in US dollars; None if a price it needs is unknown.

    Each of `usage.parts` is priced by its own model, or by the `model` that answered. `own` holds
    the user's prices by model id.
    """
    total = Decimal(0)
    for part in usage.parts:
        table = part_prices(part, model, own)
        if table is None:
            return None
        prices = prices_in_force(table, part.prompt_tokens, usage.speed)
        total += sum((count * price for _, count, price in charges(part, prices)), Decimal(0))
    return total / MTOK * billing_factor(usage) + WEB_SEARCH_USD * usage.web_search_requests


def part_prices(
    part: IterationUsage, model: str, own: Mapping[str, PriceTable]
) -> PriceTable | None:
    """Return the prices of the model that a part names, or of `model`; None if both are unknown."""
    named = None if part.model is None else price_table(part.model, own)
    return named or price_table(model, own)


def billed_model(asked: str, answered: str | None, own: Mapping[str, PriceTable]) -> str:
    """Return the model to price: the requested one, unless another known one answered.

    A reply may name the requested model by a dated id, or by its plain id instead of a cloud's.
    """
    if answered is None:
        return asked
    row = find_model(answered)
    is_other = answered in own or (row is not None and row is not find_model(asked))
    return answered if is_other else asked


def pricing_doubts(
    usage: Usage, *, asked: str, answered: str | None, own: Mapping[str, PriceTable]
) -> Iterator[str]:
    """Yield why the dollars of a reply are an estimate; nothing if they are exact.

    `asked` is the model of the request, `answered` the one that the reply names, if any.
    """
    if answered is None:
        yield f"a reply names no model, so it is priced as {asked}"
    elif not _is_known(answered, asked, own):
        yield _unknown_model(answered, asked)
    for name in dict.fromkeys(part.model for part in usage.iterations if part.model):
        if name != answered and not _is_known(name, asked, own):
            yield _unknown_model(name, asked)
    table = price_table(billed_model(asked, answered, own), own)
    if table is not None and table.source:
        yield f"the price of {asked} is the list price of {table.source}"
    if usage.speed == "fast" and table is not None and table.fast is None:
        yield "a reply was served in fast mode, whose price is not known; the list price is shown"
    if usage.speed not in {None, "standard", "fast"}:
        yield f"a reply was served at the unknown speed {usage.speed[:40]!r}; list prices are shown"
    if usage.service_tier == "priority":
        yield "a reply was served at the priority tier; list prices are shown, not your contract's"
    elif usage.service_tier not in {None, "standard"}:
        tier = usage.service_tier[:40]
        yield f"a reply was served at the unknown service tier {tier!r}; list prices are shown"


def _unknown_model(name: str, asked: str) -> str:
    return f"a reply names the unknown model {name[:80]!r}, so it is priced as {asked}"


def _is_known(answered: str, asked: str, own: Mapping[str, PriceTable]) -> bool:
    dated = _DATE.fullmatch(answered.removeprefix(asked)) if answered.startswith(asked) else None
    return answered == asked or answered in own or dated is not None or bool(find_model(answered))


def prices_in_force(table: PriceTable, prompt_tokens: int, speed: str | None) -> Prices:
    """Return the prices of one part of a reply, by its prompt size and serving speed."""
    if speed == "fast" and table.fast is not None:
        return table.fast
    return table.for_prompt(prompt_tokens)


def billing_factor(usage: Usage) -> Decimal:
    """Return the price factor of the region that served a reply."""
    return REGION_FACTORS.get(usage.inference_geo or "", Decimal(1))


def worst_case_usd(
    table: PriceTable, *, prompt_tokens: int, output_tokens: int, factor: Decimal
) -> Decimal:
    """Return the most that a request can cost, its whole prompt at the highest input price."""
    prices = table.for_prompt(prompt_tokens)
    usd = prices.dearest_input_5m() * prompt_tokens + prices.output * output_tokens
    return usd * factor / MTOK


def expected_usd(
    table: PriceTable, *, known_tokens: int, new_tokens: int, output_tokens: int, factor: Decimal
) -> Decimal:
    """Return a request's cost if its known prefix is read from the cache and the rest written."""
    prices = table.for_prompt(known_tokens + new_tokens)
    usd = prices.cache_read * known_tokens + prices.write_5m * new_tokens
    return (usd + prices.output * output_tokens) * factor / MTOK


def rewrite_usd(table: PriceTable, cached_tokens: int) -> Decimal:
    """Return the extra cost of writing a cached prefix again instead of reading it."""
    prices = table.for_prompt(cached_tokens)
    return max(Decimal(0), (prices.write_5m - prices.cache_read) * cached_tokens / MTOK)


def charges(part: IterationUsage, prices: Prices) -> tuple[tuple[Charge, int, Decimal], ...]:
    """Return the tokens of one part of a reply and their price per million, kind by kind."""
    hour = part.cache_creation_1h_input_tokens
    return (
        ("fresh", part.input_tokens, prices.input),
        ("cache_read", part.cache_read_input_tokens, prices.cache_read),
        ("cache_write", part.cache_creation_input_tokens - hour, prices.write_5m),
        ("cache_write", hour, prices.write_1h),
        ("output", part.output_tokens, prices.output),
    )

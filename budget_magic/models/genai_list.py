"""Prices of models that our table lacks, as the library genai-prices lists them."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from importlib.metadata import version
from typing import Any, Final

from budget_magic.models.prices import Prices, PriceTable

PROVIDERS: Final = ("anthropic", "aws", "google")
"""Whose prices come first if several providers list a model under the same id."""
NEEDED: Final = frozenset({"input_mtok", "output_mtok"})


@cache
def listed_prices(model_id: str) -> PriceTable | None:
    """Return the list prices of exactly this model id; None if there are none.

    The highest counts of prices by time of day and of several tiers, so that enough is held.
    """
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - 1 s, for few models

    found = [
        (provider.id, model)
        for provider in get_snapshot().providers
        for model in provider.models
        if model.id == model_id
    ]
    found.sort(key=lambda pair: PROVIDERS.index(pair[0]) if pair[0] in PROVIDERS else 9)
    for _, model in found:
        base, long_prompt, above = _dearest(model.prices)
        if base.keys() >= NEEDED:
            return PriceTable(
                base=_prices(base),
                long_prompt=None if above is None else _prices(base | long_prompt),
                long_prompt_above=above,
                source=f"genai-prices {version('genai-prices')}",
            )
    return None


def _dearest(prices: Any) -> tuple[dict[str, Decimal], dict[str, Decimal], int | None]:
    """Return the highest prices by name, those of long prompts, and where long prompts begin."""
    base: dict[str, Decimal] = {}
    long_prompt: dict[str, Decimal] = {}
    starts: list[int] = []
    for conditional in prices if isinstance(prices, list) else [prices]:
        for name, value in vars(getattr(conditional, "prices", conditional)).items():
            if isinstance(value, Decimal):
                base[name] = max(value, base.get(name, value))
            elif value is not None:
                base[name] = max(value.base, base.get(name, value.base))
                tiers = [tier.price for tier in value.tiers]
                long_prompt[name] = max(*tiers, base[name], long_prompt.get(name, base[name]))
                starts += [tier.start for tier in value.tiers]
    return base, long_prompt, min(starts, default=None)


def _prices(usd: dict[str, Decimal]) -> Prices:
    fresh = usd["input_mtok"]
    written = usd.get("cache_write_mtok", fresh)
    return Prices(
        input=fresh,
        output=usd["output_mtok"],
        cache_read=usd.get("cache_read_mtok", fresh),
        write_5m=written,
        write_1h=max(written, 2 * fresh),
    )

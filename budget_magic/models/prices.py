"""List prices of one model: what a million tokens of each kind costs, with its long-prompt tier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from budget_magic.errors import ConfigurationError

FIELDS: Final = ("input", "output", "cache_read", "write_5m", "write_1h")
US_INFERENCE: Final = Decimal("1.1")
"""Price factor of `inference_geo: us` (platform.claude.com, "Pricing", 2026-11)."""
REGION_FACTORS: Final = {"us": US_INFERENCE, "global": Decimal(1)}
"""Price factor by inference region (same page)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """US dollars per million tokens, by kind."""

    input: Decimal
    """Input tokens neither read from the cache nor written to it."""
    output: Decimal
    cache_read: Decimal
    write_5m: Decimal
    """Input tokens written to the cache for five minutes."""
    write_1h: Decimal

    def dearest_input_5m(self) -> Decimal:
        """Return the highest input price per million tokens with five-minute breakpoints only."""
        return max(self.input, self.cache_read, self.write_5m)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """The prices of one model and where they come from."""

    base: Prices
    long_prompt: Prices | None = None
    """Prices of a whole request, output too, whose prompt is above `long_prompt_above` tokens."""
    long_prompt_above: int | None = None
    fast: Prices | None = None
    """Prices of a request served with `speed: fast`; None if the model has no such mode."""
    source: str = ""
    """The list that the prices come from; empty for our own table and the user's prices."""

    def for_prompt(self, prompt_tokens: int) -> Prices:
        """Return the prices of a request with this many prompt tokens, cached ones included."""
        above = self.long_prompt_above
        is_long = above is not None and prompt_tokens > above
        return self.long_prompt if is_long and self.long_prompt else self.base


MOST_USD_PER_MTOK: Final = 10**9


def user_prices(model_id: str, row: Mapping[str, object]) -> PriceTable:
    """Return the prices a user gave for a model, checked.

    Raises
    ------
    ConfigurationError
        A key of `FIELDS` is missing, unknown, or not a number of at least 0.
    """
    if not isinstance(row, Mapping) or set(row) != set(FIELDS):
        raise ConfigurationError(
            f"the prices of {model_id} need exactly the keys {', '.join(FIELDS)}"
            " (USD per million tokens)"
        )
    values = {}
    for key in FIELDS:
        try:
            value = Decimal(str(row[key]))
        except InvalidOperation:
            value = Decimal(-1)
        if not value.is_finite() or not 0 <= value < MOST_USD_PER_MTOK:
            raise ConfigurationError(
                f"the {key} price of {model_id} is {row[key]!r}; give US dollars per million tokens"
            )
        values[key] = value
    return PriceTable(base=Prices(**values))

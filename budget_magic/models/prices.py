"""List prices of one model: what a million tokens of each kind costs, with its long-prompt tier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from budget_magic.errors import ConfigurationError

FIELDS = ("input", "output", "cache_read", "write_5m", "write_1h")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """US dollars per million tokens, by kind."""

    input: Decimal
    """Input tokens that came neither from the cache nor went into it."""
    output: Decimal
    """Generated tokens: thinking, tool calls and text."""
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
    """Prices of a request served with `speed: fast`; None where the model has no such mode."""
    from_user: bool = False
    """True where the user gave these prices; outputs then say "your price"."""
    source: str = ""
    """The list that the prices are from, where that is not our own table."""

    def for_prompt(self, prompt_tokens: int) -> Prices:
        """Return the prices of a request with this many prompt tokens, cached ones included."""
        if (
            self.long_prompt is not None
            and self.long_prompt_above is not None
            and prompt_tokens > self.long_prompt_above
        ):
            return self.long_prompt
        return self.base


def user_prices(model_id: str, row: Mapping[str, object]) -> PriceTable:
    """Return the prices a user gave for a model, checked.

    Parameters
    ----------
    model_id
        Only named in the error.
    row
        USD per million tokens under the keys `input`, `output`, `cache_read`, `write_5m`,
        `write_1h`.

    Raises
    ------
    ConfigurationError
        A key is missing, unknown, or not a number of at least 0.
    """
    wanted = ", ".join(FIELDS)
    if not isinstance(row, Mapping) or set(row) != set(FIELDS):
        msg = f"the prices of {model_id} need exactly the keys {wanted} (USD per million tokens)"
        raise ConfigurationError(msg)
    values = {}
    for key in FIELDS:
        try:
            value = Decimal(str(row[key]))
        except InvalidOperation:
            value = Decimal(-1)
        if not value.is_finite() or value < 0:
            msg = (
                f"the {key} price of {model_id} is {row[key]!r}; give US dollars per million tokens"
            )
            raise ConfigurationError(msg)
        values[key] = value
    return PriceTable(base=Prices(**values), from_user=True)

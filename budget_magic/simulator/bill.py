"""The simulator's own bill: what each request cost, by its own arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from budget_magic.models import Model, Prices
from budget_magic.simulator.cache import Split

_MTOK: Final = Decimal(1_000_000)
_US_ONLY_FACTOR: Final = Decimal("1.1")


@dataclass(slots=True, kw_only=True)
class BilledRequest:
    """A billed request, including one whose client disconnected.

    `output_tokens` grows while the reply is generated.
    """

    number: int
    """Position among the POSTs to /v1/messages, from 0."""
    model: Model
    split: Split
    speed: str
    inference_geo: str
    output_tokens: int = 0
    thinking_tokens: int = 0
    completed: bool = False
    """Whether `message_stop`, or the whole body, was handed to the client."""

    @property
    def prompt_tokens(self) -> int:
        """Size of the whole prompt."""
        split = self.split
        return split.input_tokens + split.read + split.write_5m + split.write_1h

    @property
    def total_tokens(self) -> int:
        """Input, cache writes and output; cache reads are left out."""
        return self.prompt_tokens - self.split.read + self.output_tokens

    @property
    def cost_usd(self) -> Decimal:
        """Cost in US dollars."""
        prices, split = self._prices(), self.split
        cost = (
            split.input_tokens * prices.input
            + split.read * prices.cache_read
            + split.write_5m * prices.write_5m
            + split.write_1h * prices.write_1h
            + self.output_tokens * prices.output
        )
        return cost / _MTOK * (_US_ONLY_FACTOR if self.inference_geo == "us" else 1)

    def _prices(self) -> Prices:
        prices = self.model.prices
        if self.speed == "fast" and prices.fast is not None:
            return prices.fast
        above = prices.long_prompt_above
        if prices.long_prompt is not None and above is not None and self.prompt_tokens > above:
            return prices.long_prompt
        return prices.base


class Bill(list[BilledRequest]):
    """All billed requests, in the order in which they arrived."""

    @property
    def total_usd(self) -> Decimal:
        """Cost of all requests in US dollars."""
        return sum((entry.cost_usd for entry in self), Decimal(0))

    @property
    def total_tokens(self) -> int:
        """Input, cache writes and output of all requests."""
        return sum(entry.total_tokens for entry in self)

"""The simulator's own bill: what each request cost, by arithmetic of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, overload

from budget_magic.models import Model, Prices
from budget_magic.simulator.cache import Split
from budget_magic.simulator.tokens import JsonObject

_MTOK: Final = Decimal(1_000_000)
_US_ONLY: Final = Decimal("1.1")


@dataclass(slots=True, kw_only=True)
class BilledRequest:
    """One request that costs something, also one whose client went away.

    `output_tokens` grows while the reply is generated.
    """

    number: int
    """Place among the POSTs to /v1/messages, from 0."""
    model: Model
    split: Split
    speed: str
    inference_geo: str
    service_tier: str = "standard"
    output_tokens: int = 0
    thinking_tokens: int = 0
    streamed_tokens: int = 0
    """Output tokens whose deltas were handed to the client."""
    completed: bool = False
    """Whether `message_stop`, or the whole body, was handed over."""

    @property
    def prompt_tokens(self) -> int:
        """Size of the whole prompt."""
        split = self.split
        return split.input_tokens + split.read + split.write_5m + split.write_1h

    @property
    def usage(self) -> JsonObject:
        """The `usage` object of the reply."""
        split = self.split
        return {
            "input_tokens": split.input_tokens,
            "cache_creation_input_tokens": split.write_5m + split.write_1h,
            "cache_read_input_tokens": split.read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": split.write_5m,
                "ephemeral_1h_input_tokens": split.write_1h,
            },
            "output_tokens": self.output_tokens,
            "output_tokens_details": {"thinking_tokens": self.thinking_tokens},
            "service_tier": self.service_tier,
            "inference_geo": self.inference_geo,
            "speed": self.speed,
        }

    @property
    def total_tokens(self) -> int:
        """Input, cache writes and output; cache reads are left out."""
        return self.prompt_tokens - self.split.read + self.output_tokens

    @property
    def cost_usd(self) -> Decimal:
        """What it costs in US dollars."""
        prices, split = self._prices(), self.split
        sums = (
            split.input_tokens * prices.input
            + split.read * prices.cache_read
            + split.write_5m * prices.write_5m
            + split.write_1h * prices.write_1h
            + self.output_tokens * prices.output
        )
        return sums / _MTOK * (_US_ONLY if self.inference_geo == "us" else 1)

    def _prices(self) -> Prices:
        table = self.model.prices
        if self.speed == "fast" and table.fast is not None:
            return table.fast
        above = table.long_prompt_above
        if table.long_prompt is not None and above is not None and self.prompt_tokens > above:
            return table.long_prompt
        return table.base


class Bill(Sequence[BilledRequest]):
    """All billed requests, in the order in which they came."""

    def __init__(self) -> None:
        self._entries: list[BilledRequest] = []

    def add(self, entry: BilledRequest) -> BilledRequest:
        """Put a request on the bill."""
        self._entries.append(entry)
        return entry

    def remove(self, entry: BilledRequest) -> None:
        """Take a request off the bill, as the API may after an error of its own."""
        self._entries.remove(entry)

    @property
    def total_usd(self) -> Decimal:
        """What everything costs in US dollars."""
        return sum((entry.cost_usd for entry in self._entries), Decimal(0))

    @property
    def total_tokens(self) -> int:
        """Input, cache writes and output of everything."""
        return sum(entry.total_tokens for entry in self._entries)

    @overload
    def __getitem__(self, index: int) -> BilledRequest: ...
    @overload
    def __getitem__(self, index: slice) -> list[BilledRequest]: ...
    def __getitem__(self, index: int | slice) -> BilledRequest | list[BilledRequest]:
        return self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[BilledRequest]:
        return iter(list(self._entries))

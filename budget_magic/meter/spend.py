"""Spend: what was used."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What was used, under the API's names; sums of exact figures."""

    steps: int = 0
    """Completed replies; failed attempts are not steps."""
    tool_calls: int = 0
    """Calls that ran."""
    input_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    """The part of `output_tokens` that is thinking."""
    tool_result_tokens: int = 0
    """Tokens of tool results, measured from prompt sizes, without results never sent."""
    budget_tokens: int = 0
    """What counts against the task budget: output tokens and tool-result tokens."""
    cost_usd: Decimal | None = Decimal(0)
    """US dollars by the API's own usage figures; None if a price is unknown."""
    unconfirmed_usd: Decimal = Decimal(0)
    """Beside `cost_usd`: worst case of requests whose stream broke. Ceilings count both."""
    unconfirmed_tokens: int = 0
    """The same in tokens that count against the token ceiling."""
    elapsed_s: float = 0.0
    """Running time in seconds, waiting for a person or for room excluded."""

    @property
    def ceiling_tokens(self) -> int:
        """Tokens that count against the token ceiling: input, cache writes and output."""
        return self.input_tokens + self.cache_creation_input_tokens + self.output_tokens

    @property
    def billed_tokens(self) -> int:
        """All tokens on the bill, including cache reads."""
        return self.ceiling_tokens + self.cache_read_input_tokens

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values; dollars are exact decimal strings."""
        return {
            name: str(value) if isinstance(value, Decimal) else value
            for name, value in asdict(self).items()
        }

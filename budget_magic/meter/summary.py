"""When a summary in place of the history pays for itself.

A summary is a request of its own: it reads the prompt from the cache, writes the summary, and the
next request writes that to the cache. From then on each step reads a smaller prompt:

    cost             = prompt x cache_read + summary x (output + write_5m)
    saved by a step  = (prompt - kept - summary) x cache_read

`kept` is what stays in front of the summary: tools, system prompt and the open question. It pays if
100 later steps save more than it costs. A smaller prompt saves nothing at all if it is no larger
than `kept` and the summary together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from budget_magic.meter.cost import MTOK
from budget_magic.models import PriceTable

SUMMARY_TOKENS: Final = 700
"""Length of a short summary; a longer one costs more and saves less."""
PAYS_WITHIN_STEPS: Final = 100
"""Later steps that must earn the cost of a summary: two turns of the default length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryCosts:
    """What a summary at one prompt size costs and saves, in US dollars."""

    cost_usd: Decimal
    saved_usd: Decimal
    """Saved by each later step; negative if the prompt would grow."""

    @property
    def pays(self) -> bool:
        """Whether enough later steps save more than it costs."""
        return self.saved_usd * PAYS_WITHIN_STEPS > self.cost_usd


def summary_costs(prompt_tokens: int, kept_tokens: int, table: PriceTable) -> SummaryCosts:
    """Return what a summary of a prompt of this size costs and saves."""
    prices = table.for_prompt(prompt_tokens)
    written = SUMMARY_TOKENS * (prices.output + prices.write_5m)
    removed = prompt_tokens - kept_tokens - SUMMARY_TOKENS
    return SummaryCosts(
        cost_usd=(prompt_tokens * prices.cache_read + written) / MTOK,
        saved_usd=removed * prices.cache_read / MTOK,
    )


def least_prompt(kept_tokens: int, table: PriceTable | None) -> int:
    """Return the size of the smallest prompt whose summary pays.

    Only the size counts if no price is known, or if reading the cache is free.
    """
    smallest = kept_tokens + SUMMARY_TOKENS + 1
    if table is None or not table.base.cache_read:
        return smallest
    read, written = table.base.cache_read, table.base.output + table.base.write_5m
    costs = read * PAYS_WITHIN_STEPS * (kept_tokens + SUMMARY_TOKENS) + SUMMARY_TOKENS * written
    return max(smallest, math.floor(costs / (read * (PAYS_WITHIN_STEPS - 1))) + 1)

"""What billed replies show of a client: its region, its speed, how well it counts."""

from __future__ import annotations

from decimal import Decimal

from budget_magic.events import StepFinished
from budget_magic.meter.cost import REGION_FACTORS
from budget_magic.wire import Learned


def learn(learned: Learned, fact: StepFinished, *, asked_model: str) -> None:
    """Take from a reply what makes the next hold and the next estimate better.

    Parameters
    ----------
    learned
        Changed.
    fact
        The reply as it was billed.
    asked_model
        The model that the request named.
    """
    if not fact.usage_known:
        return
    usage, named = fact.usage, fact.requested_geo
    if named is not None:
        learned.ignores_geo = learned.ignores_geo or usage.inference_geo not in {None, named}
    elif usage.inference_geo in REGION_FACTORS and learned.default_geo is None:
        learned.default_geo = usage.inference_geo
    learned.is_fast = learned.is_fast or usage.speed == "fast"
    if fact.counted_prompt_tokens:
        error = Decimal(usage.prompt_tokens) / fact.counted_prompt_tokens - 1
        known = learned.count_errors.get(asked_model, Decimal(0))
        learned.count_errors[asked_model] = max(error, known, Decimal(0))

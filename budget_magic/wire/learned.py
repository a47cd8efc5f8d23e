"""What billed replies show about a client: its region, its speed, and how well it counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from budget_magic.events import StepFinished
from budget_magic.models import REGION_FACTORS


@dataclass(slots=True, kw_only=True)
class Learned:
    """What replies have shown about a client, for better holds and estimates; tasks share it."""

    default_geo: str | None = None
    """Region that serves requests which name none, `us` or `global`; None until a reply says it."""
    ignores_geo: bool = False
    """Whether a reply came from another region than its request named."""
    is_fast: bool = False
    """Whether a reply was served in fast mode, which a client may ask for by itself."""
    count_errors: dict[str, Decimal] = field(default_factory=dict)
    """By model: the largest share by which a billed prompt exceeded its counted tokens."""

    def learn(self, fact: StepFinished, *, asked_model: str) -> None:
        """Learn from a reply to a request that named `asked_model`."""
        if not fact.usage_known:
            return
        usage, named = fact.usage, fact.requested_geo
        if named is not None:
            self.ignores_geo = self.ignores_geo or usage.inference_geo not in {None, named}
        elif usage.inference_geo in REGION_FACTORS and self.default_geo is None:
            self.default_geo = usage.inference_geo
        self.is_fast = self.is_fast or usage.speed == "fast"
        if fact.counted_prompt_tokens:
            error = Decimal(usage.prompt_tokens) / fact.counted_prompt_tokens - 1
            known = self.count_errors.get(asked_model, Decimal(0))
            self.count_errors[asked_model] = max(error, known)

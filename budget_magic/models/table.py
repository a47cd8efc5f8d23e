"""The table of models: one row each, with date and source."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Final, Literal

from budget_magic.models.prices import FIELDS, Prices, PriceTable

PRICES_AS_OF: Final = "2026-11-22"
"""Date of the table. Prices: platform.claude.com, "Pricing", checked against genai-prices 0.2.3."""

EFFORT_LEVELS: Final = ("low", "medium", "high", "xhigh", "max")
"""All effort levels, least first (platform.claude.com, "Effort")."""

MINIMUM_BUDGET_TOKENS: Final = 20_000
"""Smallest `task_budget.total` (platform.claude.com, "Task budgets")."""

Support = Literal["yes", "probably", "no"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is known of one model; the defaults are those of the newest models."""

    id: str
    prices: PriceTable
    context_tokens: int = 1_000_000
    """Context window: prompt and reply together."""
    max_output_tokens: int = 128_000
    """Largest `max_tokens` of one response."""
    min_cache_tokens: int = 512
    """Shortest prefix that is cached; below it a breakpoint does nothing."""
    budget: Support = "yes"
    """Whether task budgets work; "probably" if no page lists the model yet."""
    effort_levels: tuple[str, ...] = EFFORT_LEVELS
    """Accepted levels, least first; empty without an effort parameter."""
    effort_per_message: bool = True
    """Whether effort can change during a conversation without losing the cache."""
    adaptive_thinking: bool = True
    """Whether `thinking: {"type": "adaptive"}` is accepted."""
    binds_thinking: bool = True
    """Whether thinking signatures are bound to the conversation before them."""
    takes_inference_geo: bool = True
    """Whether requests may name their inference region; other models have no regional price."""


def _prices(*usd_per_mtok: str) -> Prices:
    return Prices(**dict(zip(FIELDS, map(Decimal, usd_per_mtok), strict=True)))


def _table(*usd_per_mtok: str, fast: Prices | None = None) -> PriceTable:
    return PriceTable(base=_prices(*usd_per_mtok), fast=fast)


_OPUS_4 = _table("5", "25", "0.50", "6.25", "10")
_OPUS_4_FAST = replace(_OPUS_4, fast=_prices("10", "50", "1", "12.50", "20"))
_FABLE_52 = _table("8", "40", "0.20", "10", "16")
_NO_XHIGH = ("low", "medium", "high", "max")
_older = partial(Model, effort_per_message=False, binds_thinking=False)

MODELS: Final[dict[str, Model]] = {
    row.id: row
    for row in (
        Model(
            id="claude-opus-5-5",
            prices=_table("4", "20", "0.20", "5", "8", fast=_prices("8", "40", "0.40", "10", "16")),
        ),
        Model(id="claude-sonnet-5-5", prices=_table("2", "10", "0.10", "2.50", "4")),
        Model(
            id="claude-haiku-5-5",
            prices=PriceTable(
                base=_prices("0.10", "0.50", "0.01", "0.125", "0.20"),
                long_prompt=_prices("0.50", "2.50", "0.05", "0.625", "1.00"),
                long_prompt_above=100_000,
            ),
        ),
        Model(id="claude-fable-5-2", prices=_FABLE_52, budget="probably"),
        Model(id="claude-fable-5-1", prices=_table("10", "50", "0.25", "12.50", "20")),
        _older(id="claude-fable-5", prices=_table("10", "50", "1", "12.50", "20")),
        Model(id="claude-mythos-5-2", prices=_FABLE_52, budget="probably"),
        Model(id="claude-opus-5", prices=_OPUS_4_FAST, binds_thinking=False),
        _older(id="claude-opus-4-8", prices=_OPUS_4_FAST, min_cache_tokens=1_024),
        _older(id="claude-opus-4-7", prices=_OPUS_4, min_cache_tokens=1_024),
        _older(
            id="claude-sonnet-5",
            prices=_table("2", "10", "0.20", "2.50", "4"),
            budget="no",
            min_cache_tokens=1_024,
        ),
        _older(
            id="claude-opus-4-6",
            prices=_OPUS_4,
            budget="no",
            effort_levels=_NO_XHIGH,
            min_cache_tokens=4_096,
        ),
        _older(
            id="claude-sonnet-4-6",
            prices=_table("3", "15", "0.30", "3.75", "6"),
            budget="no",
            effort_levels=_NO_XHIGH,
            max_output_tokens=64_000,
            min_cache_tokens=2_048,
        ),
        _older(
            id="claude-haiku-4-5",
            prices=_table("1", "5", "0.10", "1.25", "2"),
            budget="no",
            effort_levels=(),
            adaptive_thinking=False,
            takes_inference_geo=False,
            context_tokens=200_000,
            max_output_tokens=64_000,
            min_cache_tokens=4_096,
        ),
    )
}
"""Rows by model id.

Budget support: platform.claude.com, "Task budgets" (2026-11). Effort levels and per-message effort:
"Effort" and "Effort per message" (2026-11). Bound signatures: "Preserved thinking" (2026-09).
Fast mode: "Fast mode" (2026-11). Inference regions: "Data residency" (2026-11), for Opus 4.6,
Sonnet 4.6 and later.
"""

_CLOUD_PREFIX = re.compile(r"^(?:[a-z]{2,6}\.)?anthropic\.")
_CLOUD_SUFFIX = re.compile(r"(?:-v\d+(?::\d+)?|@[\w-]+)$")
_DATED = {"claude-haiku-4-5-20251001": "claude-haiku-4-5"}


def find_model(model_id: str) -> Model | None:
    """Return the row of a model, also under its name at a cloud provider; None if unknown.

    >>> find_model("us.anthropic.claude-opus-5-5-v1:0").id
    'claude-opus-5-5'
    >>> find_model("claude-opus-5-6") is None
    True
    """
    plain = _CLOUD_SUFFIX.sub("", _CLOUD_PREFIX.sub("", model_id))
    return MODELS.get(_DATED.get(plain, plain))


def models_with_budget() -> tuple[str, ...]:
    """Return the ids of models on which task budgets work, newest first."""
    return tuple(model.id for model in MODELS.values() if model.budget == "yes")

"""The table of models: one row each, with the date on which it was read and where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from budget_magic.models.prices import Prices, PriceTable

PRICES_AS_OF: Final = "2026-11-22"
"""Date of the table. Prices: platform.claude.com, "Pricing", checked against genai-prices 0.2.3."""

EFFORT_LEVELS: Final = ("low", "medium", "high", "xhigh", "max")
"""All effort levels, least first (platform.claude.com, "Effort")."""

MINIMUM_BUDGET_TOKENS: Final = 20_000
"""Smallest `task_budget.total` (platform.claude.com, "Task budgets")."""

Support = Literal["yes", "probably", "no"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is known of one model."""

    id: str
    prices: PriceTable
    context_tokens: int
    """Context window: prompt and reply together."""
    max_output_tokens: int
    """Largest `max_tokens` of one response."""
    min_cache_tokens: int
    """Shortest prefix that is cached; below it a breakpoint does nothing."""
    budget: Support
    """Whether task budgets work; "probably" where no page lists the model yet."""
    effort_levels: tuple[str, ...]
    """Levels the model takes, least first; empty where it has no effort parameter."""
    effort_per_message: bool
    """Whether effort can change in mid-conversation without losing the cache."""
    adaptive_thinking: bool
    """Whether `thinking: {"type": "adaptive"}` is taken."""
    binds_thinking: bool
    """Whether thinking signatures are bound to the conversation before them."""
    takes_inference_geo: bool
    """Whether requests may name their inference region; the others have no regional price."""


def _prices(*usd_per_mtok: str) -> Prices:
    input_, output, cache_read, write_5m, write_1h = map(Decimal, usd_per_mtok)
    return Prices(
        input=input_, output=output, cache_read=cache_read, write_5m=write_5m, write_1h=write_1h
    )


def _row(  # noqa: PLR0913 - one keyword per column of the table
    model_id: str,
    prices: Prices,
    *,
    budget: Support = "yes",
    effort: int = 5,
    levels: tuple[str, ...] | None = None,
    per_message: bool = True,
    binds: bool = True,
    adaptive: bool = True,
    geo: bool = True,
    context: int = 1_000_000,
    output: int = 128_000,
    min_cache: int = 512,
    long_prompt: tuple[int, Prices] | None = None,
    fast: Prices | None = None,
) -> Model:
    return Model(
        id=model_id,
        prices=PriceTable(
            base=prices,
            long_prompt=long_prompt[1] if long_prompt else None,
            long_prompt_above=long_prompt[0] if long_prompt else None,
            fast=fast,
        ),
        context_tokens=context,
        max_output_tokens=output,
        min_cache_tokens=min_cache,
        budget=budget,
        effort_levels=EFFORT_LEVELS[:effort] if levels is None else levels,
        effort_per_message=per_message,
        adaptive_thinking=adaptive,
        binds_thinking=binds,
        takes_inference_geo=geo,
    )


_OPUS_4 = _prices("5", "25", "0.50", "6.25", "10")
_OPUS_4_FAST = _prices("10", "50", "1", "12.50", "20")
_OPUS_55 = _prices("4", "20", "0.20", "5", "8")
_FABLE_52 = _prices("8", "40", "0.20", "10", "16")
_NO_XHIGH = ("low", "medium", "high", "max")

MODELS: Final[dict[str, Model]] = {
    row.id: row
    for row in (
        _row("claude-opus-5-5", _OPUS_55, fast=_prices("8", "40", "0.40", "10", "16")),
        _row("claude-sonnet-5-5", _prices("2", "10", "0.10", "2.50", "4")),
        _row(
            "claude-haiku-5-5",
            _prices("0.10", "0.50", "0.01", "0.125", "0.20"),
            long_prompt=(100_000, _prices("0.50", "2.50", "0.05", "0.625", "1.00")),
        ),
        _row("claude-fable-5-2", _FABLE_52, budget="probably"),
        _row("claude-fable-5-1", _prices("10", "50", "0.25", "12.50", "20")),
        _row(
            "claude-fable-5",
            _prices("10", "50", "1", "12.50", "20"),
            per_message=False,
            binds=False,
        ),
        _row("claude-mythos-5-2", _FABLE_52, budget="probably"),
        _row("claude-opus-5", _OPUS_4, binds=False, fast=_OPUS_4_FAST),
        _row(
            "claude-opus-4-8",
            _OPUS_4,
            per_message=False,
            binds=False,
            min_cache=1_024,
            fast=_OPUS_4_FAST,
        ),
        _row("claude-opus-4-7", _OPUS_4, per_message=False, binds=False, min_cache=1_024),
        _row(
            "claude-sonnet-5",
            _prices("2", "10", "0.20", "2.50", "4"),
            budget="no",
            per_message=False,
            binds=False,
            min_cache=1_024,
        ),
        _row(
            "claude-opus-4-6",
            _OPUS_4,
            budget="no",
            levels=_NO_XHIGH,
            per_message=False,
            binds=False,
            min_cache=4_096,
        ),
        _row(
            "claude-sonnet-4-6",
            _prices("3", "15", "0.30", "3.75", "6"),
            budget="no",
            levels=_NO_XHIGH,
            per_message=False,
            binds=False,
            output=64_000,
            min_cache=2_048,
        ),
        _row(
            "claude-haiku-4-5",
            _prices("1", "5", "0.10", "1.25", "2"),
            budget="no",
            levels=(),
            per_message=False,
            binds=False,
            adaptive=False,
            geo=False,
            context=200_000,
            output=64_000,
            min_cache=4_096,
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
    """Return the row of a model, also under its name at a cloud provider; None where it is unknown.

    >>> find_model("us.anthropic.claude-opus-5-5-v1:0").id
    'claude-opus-5-5'
    >>> find_model("claude-opus-5-6") is None
    True
    """
    plain = _CLOUD_SUFFIX.sub("", _CLOUD_PREFIX.sub("", model_id))
    return MODELS.get(_DATED.get(plain, plain))


def models_with_budget() -> tuple[str, ...]:
    """Ids of the models on which task budgets work, newest first."""
    return tuple(model.id for model in MODELS.values() if model.budget == "yes")

"""Check settings before anything is sent."""

from __future__ import annotations

import difflib
import json
import math
from decimal import Decimal

from budget_magic.errors import ConfigurationError
from budget_magic.events import Suggestion
from budget_magic.meter.cost import price_table
from budget_magic.meter.estimate import Ratios
from budget_magic.meter.summary import PAYS_WITHIN_STEPS, least_prompt, summary_costs
from budget_magic.models import (
    MINIMUM_BUDGET_TOKENS,
    MODELS,
    find_model,
    models_with_budget,
)
from budget_magic.report.numbers import dollars
from budget_magic.settings import Settings
from budget_magic.tools.toolbox import Toolbox


def check(settings: Settings) -> None:
    """Check that settings can work together and with the model.

    Raises
    ------
    ConfigurationError
        They cannot; the message says what works instead.
    """
    _check_model(settings)
    _check_budget(settings)
    _check_effort(settings)
    _check_max_tokens(settings)
    _check_inference_geo(settings)


def check_compaction(settings: Settings, toolbox: Toolbox) -> None:
    """Check that a summary at `compact_at` can save more than it costs.

    Raises
    ------
    ConfigurationError
        It cannot, by the formula of `meter.summary`; the message has the figures.
    """
    at = settings.compact_at
    if at is None:
        return
    sent, ratios = json.dumps(toolbox.definitions(), ensure_ascii=False), Ratios()
    kept = ratios.tokens("call", len(sent)) + ratios.tokens("text", len(settings.system_text))
    table = price_table(settings.model, settings.prices)
    least = least_prompt(kept, table)
    if at >= least:
        return
    figures = f"tools and system prompt alone take about {kept:,} tokens"
    if table is not None:
        costs = summary_costs(at, kept, table)
        saved = max(costs.saved_usd * PAYS_WITHIN_STEPS, Decimal(0))
        figures = (
            f"about {dollars(costs.cost_usd, 3)} to write and cache it, and"
            f" {PAYS_WITHIN_STEPS} later steps would save {dollars(saved, 3)}"
        )
    raise ConfigurationError(
        f"{at:,}: a summary there would cost more than it saves ({figures})",
        Suggestion(
            action="use",
            changes={"compact_at": math.ceil(least / 1_000) * 1_000},
            lead="use",
            effect="or more",
        ),
        Suggestion(action="use", changes={"compact_at": None}, lead="or"),
        setting="compact_at",
    )


def _check_model(settings: Settings) -> None:
    known = price_table(settings.model, settings.prices)
    if known is not None or settings.ceilings.cost_usd is None:
        return
    close = difflib.get_close_matches(settings.model, MODELS, n=2)
    hint = f" did you mean {' or '.join(close)}?" if close else ""
    raise ConfigurationError(
        f"no price is known for the model {settings.model!r}, so a cost ceiling cannot be enforced:"
        f"{hint}",
        Suggestion(action="use", changes={"max_cost": None}, effect="runs without one"),
        Suggestion(action="price", effect="gives one"),
    )


def _check_budget(settings: Settings) -> None:
    budget, model = settings.budget, find_model(settings.model)
    if budget is None:
        return
    check_least_budget(budget)
    if model is not None and model.budget == "no":
        raise ConfigurationError(
            f"{model.id} does not support task budgets:",
            Suggestion(
                action="use",
                changes={"budget": None},
                lead="use",
                effect="(the ceilings still hold), or a model that does:"
                f" {', '.join(models_with_budget())}",
            ),
        )


def check_least_budget(budget: int) -> None:
    """Raise ConfigurationError if the API would refuse a budget as too small."""
    if budget < MINIMUM_BUDGET_TOKENS:
        raise ConfigurationError(
            f"a budget of {budget:,} tokens is below the API's minimum of"
            f" {MINIMUM_BUDGET_TOKENS:,}",
            Suggestion(
                action="use",
                changes={"budget": MINIMUM_BUDGET_TOKENS},
                lead="use",
                effect="or more",
            ),
            Suggestion(action="use", changes={"budget": None}, lead="or"),
        )


def _check_effort(settings: Settings) -> None:
    model = find_model(settings.model)
    if model is not None and model.effort_levels and settings.effort not in model.effort_levels:
        raise ConfigurationError(
            f"{model.id} does not support effort {settings.effort}; use"
            f" {', '.join(model.effort_levels)}"
        )


def _check_max_tokens(settings: Settings) -> None:
    tokens, model = settings.max_tokens, find_model(settings.model)
    if tokens is None:
        return
    if tokens < 1:
        raise ConfigurationError("0: give at least 1, such as 32000", setting="max_tokens")
    if model is not None and tokens > model.max_output_tokens:
        raise ConfigurationError(
            f"{tokens:,} is more than {model.id} can write in one reply;"
            f" use {model.max_output_tokens:,} or less",
            setting="max_tokens",
        )


def _check_inference_geo(settings: Settings) -> None:
    region, model = settings.inference_geo, find_model(settings.model)
    if region is not None and model is not None and not model.takes_inference_geo:
        raise ConfigurationError(
            f"{model.id} does not take an inference region; leave it out, or use a newer model"
        )

"""Check settings before anything is sent."""

from __future__ import annotations

import difflib

from budget_magic.errors import ConfigurationError
from budget_magic.events import Suggestion
from budget_magic.meter.cost import price_table
from budget_magic.models import (
    MINIMUM_BUDGET_TOKENS,
    MODELS,
    find_model,
    models_with_budget,
)
from budget_magic.settings import Settings


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

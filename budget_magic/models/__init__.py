"""What is known about each model: prices, budgets, effort and thinking, with date and source."""

from budget_magic.models.genai_list import listed_prices
from budget_magic.models.prices import (
    REGION_FACTORS,
    US_INFERENCE,
    Prices,
    PriceTable,
    user_prices,
)
from budget_magic.models.table import (
    EFFORT_LEVELS,
    MINIMUM_BUDGET_TOKENS,
    MODELS,
    PRICES_AS_OF,
    Model,
    find_model,
    models_with_budget,
)

__all__ = [
    "EFFORT_LEVELS",
    "MINIMUM_BUDGET_TOKENS",
    "MODELS",
    "PRICES_AS_OF",
    "REGION_FACTORS",
    "US_INFERENCE",
    "Model",
    "PriceTable",
    "Prices",
    "find_model",
    "listed_prices",
    "models_with_budget",
    "user_prices",
]

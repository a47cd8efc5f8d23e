"""Settings of a task: defaults, what was asked for, and the checks before anything is sent."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from budget_magic.errors import ConfigurationError
from budget_magic.events import Carry, Ceilings
from budget_magic.loop.stuck import StuckRule
from budget_magic.meter.cost import REGION_FACTORS, price_table
from budget_magic.models import (
    EFFORT_LEVELS,
    MINIMUM_BUDGET_TOKENS,
    MODELS,
    PriceTable,
    find_model,
    models_with_budget,
)

SYSTEM: Final = (
    "You work on a task inside a Jupyter notebook. Use the tools you are given, look before you"
    " claim, and name files and lines. Answer in Markdown, the result first."
)
LARGE_EFFORTS: Final = frozenset({"xhigh", "max"})
CARRIES: Final = ("today", "documented")
LEAST_HISTORY: Final = 2_000
"""A history smaller than this is hardly larger than its summary."""
MAX_TOKENS: Final = 32_000
MAX_TOKENS_AT_LARGE_EFFORT: Final = 64_000

ToolEntry = str | Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that one task is run with, as asked for; None means "the default rule"."""

    budget: int | None = 64_000
    """Total of the task budget in tokens; None sends none."""
    effort: str = "high"
    model: str = "claude-opus-5-5"
    max_tokens: int | None = None
    """Hard cap of one response; None is 32,000, at xhigh and max 64,000."""
    ceilings: Ceilings = field(default_factory=Ceilings)
    tools: tuple[ToolEntry, ...] = ("files",)
    approve: object = "ask"
    """`ask`, `all`, `none`, or a function `(call) -> True, False or a reason`."""
    root: str = "."
    """The only folder that file tools may touch."""
    system: str | None = field(default=None, repr=False)
    """System prompt; None is a short built-in one."""
    client: object = field(default="auto", repr=False)
    client_name: str = "client"
    """What the notebook calls a client that is an object."""
    wrap_up: bool = True
    """Whether room is kept for a last answer."""
    compact_at: int | None = None
    """Tokens of the prompt at which a summary replaces the history; None keeps it whole."""
    inference_geo: str | None = None
    """Region that requests ask for, `us` or `global`; None leaves it to the workspace's default."""
    carry: Carry = "today"
    """What a later prompt sends of the budget: `today` or `documented`."""
    stuck_rule: StuckRule | None = field(default_factory=StuckRule)
    """When the same call again and again ends the turn; None never does."""
    tags: Mapping[str, str] = field(default_factory=dict, repr=False)
    prices: Mapping[str, PriceTable] = field(default_factory=dict)
    """Prices that the user gave, by model id."""

    @property
    def reply_tokens(self) -> int:
        """The `max_tokens` in force."""
        if self.max_tokens is not None:
            return self.max_tokens
        return MAX_TOKENS_AT_LARGE_EFFORT if self.effort in LARGE_EFFORTS else MAX_TOKENS

    @property
    def system_text(self) -> str:
        """The system prompt in force."""
        return SYSTEM if self.system is None else self.system

    @property
    def tool_names(self) -> tuple[str, ...]:
        """The entries of `tools` as words."""
        return tuple(
            entry if isinstance(entry, str) else str(getattr(entry, "__name__", "function"))
            for entry in self.tools
        )

    def root_path(self) -> Path:
        """Return the folder of the file tools, absolute."""
        return Path(os.path.expanduser(self.root)).resolve()  # noqa: PTH111 - keeps `~name` errors


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What both doors start from; `%config ClaudeTaskMagics` changes it."""

    settings: Settings = field(default_factory=Settings)
    session_cost_usd: Decimal | None = None
    """Ceiling over all tasks of the kernel; None takes `ANTHROPIC_COST_BUDGET`."""
    session_tokens: int | None = None
    """Likewise in tokens; None takes `ANTHROPIC_TOKEN_BUDGET`."""
    save_transcript: bool = True
    """Whether saved outputs hold the steps, or only figures and the answer."""
    secrets: tuple[str, ...] = ()
    """Names of variables whose values are secret: of the environment, or texts of the notebook."""


def check(settings: Settings) -> None:
    """Refuse settings that cannot work, before anything is sent.

    Raises
    ------
    ConfigurationError
        In one sentence, with what works instead.
    """
    if not isinstance(settings.ceilings, Ceilings):
        raise ConfigurationError(
            f"ceilings is {settings.ceilings!r}; give a Ceilings, such as Ceilings(cost_usd=5)"
        )
    _check_model(settings)
    _check_budget(settings)
    _check_effort(settings)
    _check_max_tokens(settings)
    _check_compaction(settings)
    _check_inference_geo(settings)


def _check_model(settings: Settings) -> None:
    known = price_table(settings.model, settings.prices)
    if known is not None or settings.ceilings.cost_usd is None:
        return
    close = difflib.get_close_matches(settings.model, MODELS, n=2)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    raise ConfigurationError(
        f"no price is known for the model {settings.model!r}, so a cost ceiling could not be held:"
        f" {hint}`--max-cost none` runs without one, `%config ClaudeTaskMagics.prices` gives one"
    )


def _check_budget(settings: Settings) -> None:
    budget, model = settings.budget, find_model(settings.model)
    if budget is None:
        return
    if isinstance(budget, bool) or not isinstance(budget, int):
        raise ConfigurationError(f"the budget {budget!r} is not a number of tokens; try 64000")
    if budget < MINIMUM_BUDGET_TOKENS:
        raise ConfigurationError(
            f"a budget of {budget:,} tokens is below the API's minimum of"
            f" {MINIMUM_BUDGET_TOKENS:,}; use `--budget 20k` or more, or `--budget none`"
        )
    if model is not None and model.budget == "no":
        raise ConfigurationError(
            f"{model.id} takes no task budget: use `--budget none` (the ceilings still hold), or"
            f" a model that does: {', '.join(models_with_budget())}"
        )


def _check_effort(settings: Settings) -> None:
    model = find_model(settings.model)
    if settings.effort not in EFFORT_LEVELS:
        raise ConfigurationError(
            f"the effort {settings.effort!r} is not one of {', '.join(EFFORT_LEVELS)}"
        )
    if model is not None and model.effort_levels and settings.effort not in model.effort_levels:
        raise ConfigurationError(
            f"{model.id} has no effort {settings.effort}; it takes {', '.join(model.effort_levels)}"
        )


def _check_max_tokens(settings: Settings) -> None:
    tokens, model = settings.max_tokens, find_model(settings.model)
    if tokens is None:
        return
    if isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 1:
        raise ConfigurationError(f"--max-tokens {tokens!r} is not a number of tokens; try 32k")
    if model is not None and tokens > model.max_output_tokens:
        raise ConfigurationError(
            f"--max-tokens {tokens:,} is more than {model.id} can write at once;"
            f" use {model.max_output_tokens:,} or less"
        )


def _check_compaction(settings: Settings) -> None:
    at = settings.compact_at
    if at is not None and (isinstance(at, bool) or not isinstance(at, int) or at < LEAST_HISTORY):
        raise ConfigurationError(
            f"compact_at is {at!r}; give at least {LEAST_HISTORY:,} tokens, such as 100000, or None"
        )
    if settings.carry not in CARRIES:
        raise ConfigurationError(f"carry is {settings.carry!r}; it is one of {', '.join(CARRIES)}")


def _check_inference_geo(settings: Settings) -> None:
    region, model = settings.inference_geo, find_model(settings.model)
    if region is not None and region not in REGION_FACTORS:
        raise ConfigurationError(
            f"the inference region {region!r} is not one of {', '.join(REGION_FACTORS)}"
        )
    if region is not None and model is not None and not model.takes_inference_geo:
        raise ConfigurationError(
            f"{model.id} does not take an inference region; leave it out, or use a newer model"
        )


def as_tools(tools: str | Sequence[ToolEntry]) -> tuple[ToolEntry, ...]:
    """Return the entries of `tools=`; one word or one function stands for a list of it."""
    if isinstance(tools, str) or callable(tools):
        return (tools,)
    return tuple(tools)

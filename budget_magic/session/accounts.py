"""The ceilings that tasks share: those of their session, and those of a group."""

from __future__ import annotations

import os
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from budget_magic.errors import ConfigurationError
from budget_magic.events import Ceilings
from budget_magic.meter.account import Account
from budget_magic.settings import Defaults

COST_VARIABLE: Final = "ANTHROPIC_COST_BUDGET"
TOKEN_VARIABLE: Final = "ANTHROPIC_TOKEN_BUDGET"  # noqa: S105 - a count of tokens, no secret
COST_SETTING: Final = "session_cost"
TOKEN_SETTING: Final = "session_tokens"  # noqa: S105 - likewise
_MOST: Final = 10**15
"""Beyond any bill, in dollars or tokens."""


def set_ceilings(
    account: Account, defaults: Defaults, environ: Mapping[str, str] = os.environ
) -> None:
    """Apply the ceilings that are configured now to a session's account."""
    cost, tokens = defaults.session_cost_usd, defaults.session_tokens
    if cost is None:
        cost = _number(environ, COST_VARIABLE, "US dollars, such as 20")
    if tokens is None:
        found = _number(environ, TOKEN_VARIABLE, "tokens, such as 2000000")
        tokens = None if found is None else int(found)
    account.cost_usd, account.total_tokens = cost, tokens
    account.cost_setting = COST_VARIABLE if defaults.session_cost_usd is None else COST_SETTING
    account.tokens_setting = TOKEN_VARIABLE if defaults.session_tokens is None else TOKEN_SETTING


def group_account(
    name: str, *, cost_usd: Decimal | float | str | None = None, total_tokens: int | None = None
) -> Account:
    """Return a cap for a group of tasks; each joins it with `Task.join`.

    Parameters
    ----------
    name
        Its name in messages, such as "the sweep".
    cost_usd, total_tokens
        Most that its tasks may use together; None for no limit.

    Raises
    ------
    ConfigurationError
        A cap is negative or not a number.
    """
    caps = Ceilings(cost_usd=cost_usd, total_tokens=total_tokens, steps=None, elapsed_s=None)
    return Account(
        name=name,
        cost_usd=caps.cost_usd,
        total_tokens=caps.total_tokens,
        cost_setting=f"the cap of {name}",
        tokens_setting=f"the cap of {name}",
    )


def _number(environ: Mapping[str, str], name: str, unit: str) -> Decimal | None:
    text = environ.get(name, "").strip()
    if not text:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or not 0 <= value < _MOST:
        raise ConfigurationError(f"{name} is {text!r}; set it to a number of {unit}, or unset it")
    return value

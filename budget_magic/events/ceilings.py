"""The four ceilings that the harness never lets pass."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from budget_magic.errors import ConfigurationError

CEILING_FIELDS: Final = {
    "max_cost": "cost_usd",
    "max_total_tokens": "total_tokens",
    "max_steps": "steps",
    "max_time": "elapsed_s",
}
"""The field of `Ceilings` that each of four settings gives."""


@dataclass(frozen=True, slots=True, init=False)
class Ceilings:
    """What the harness never lets pass; None opens a ceiling.

    Parameters
    ----------
    cost_usd
        US dollars of the task over all its turns.
    total_tokens
        Input, cache-write and output tokens of the task over all its turns.
    steps
        Completed replies of one turn.
    elapsed_s
        Running time of one turn in seconds; waiting for a person or for room is excluded.

    Raises
    ------
    ConfigurationError
        A value is not a number of at least 0, or one of tokens or steps is not whole.

    Examples
    --------
    >>> Ceilings(cost_usd=0.5).cost_usd
    Decimal('0.5')
    """

    cost_usd: Decimal | None
    total_tokens: int | None
    steps: int | None
    elapsed_s: float | None

    def __init__(
        self,
        *,
        cost_usd: Decimal | float | str | None = Decimal(5),
        total_tokens: int | None = 1_000_000,
        steps: int | None = 50,
        elapsed_s: float | None = 1800.0,
    ) -> None:
        cost = _number("cost_usd", cost_usd)
        tokens = _count("total_tokens", total_tokens)
        count = _count("steps", steps)
        seconds = _number("elapsed_s", elapsed_s)
        object.__setattr__(self, "cost_usd", cost)
        object.__setattr__(self, "total_tokens", tokens)
        object.__setattr__(self, "steps", count)
        object.__setattr__(self, "elapsed_s", None if seconds is None else float(seconds))


def _count(name: str, value: Any) -> int | None:
    number = _number(name, value)
    if number is None:
        return None
    if number != int(number):
        raise ConfigurationError(f"the ceiling {name} is {value!r}; give a whole number, or None")
    return int(number)


def _number(name: str, value: Any) -> Decimal | None:
    if value is None:
        return None
    try:
        number = Decimal("nan") if isinstance(value, bool) else Decimal(str(value))
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or number < 0:
        raise ConfigurationError(
            f"the ceiling {name} is {value!r}; give a number of at least 0, or None for no ceiling"
        )
    return number

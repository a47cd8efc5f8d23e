"""The four hard ceilings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from budget_magic.errors import ConfigurationError
from budget_magic.settings import parsers
from budget_magic.settings.row import row


@dataclass(frozen=True, slots=True, init=False)
class Ceilings:
    """Hard limits of a task; None opens a ceiling.

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
    """

    # fmt: off
    cost_usd: Decimal | None = field(metadata=row(
        "hard ceiling of the task in US dollars",
        parsers.usd, name="max_cost", takes="USD", live=True))
    total_tokens: int | None = field(metadata=row(
        "hard ceiling on input, cache-write and output tokens of the task",
        parsers.tokens, name="max_total_tokens", takes="N", live=True))
    steps: int | None = field(metadata=row(
        "hard ceiling on the steps of one turn",
        parsers.count, name="max_steps", takes="N", live=True))
    elapsed_s: float | None = field(metadata=row(
        "hard ceiling on the running time of one turn (90s, 10m, 1h)",
        parsers.seconds, name="max_time", takes="T", live=True))
    # fmt: on

    def __init__(
        self,
        *,
        cost_usd: Decimal | float | str | None = Decimal(5),
        total_tokens: int | None = 1_000_000,
        steps: int | None = 50,
        elapsed_s: float | None = 1800.0,
    ) -> None:
        for name, value, kind in (
            ("cost_usd", cost_usd, Decimal),
            ("total_tokens", total_tokens, int),
            ("steps", steps, int),
            ("elapsed_s", elapsed_s, float),
        ):
            object.__setattr__(self, name, None if value is None else _number(name, value, kind))


def _number(name: str, value: Any, kind: Callable[[Decimal], Any]) -> Any:
    """Return a ceiling as a number of its kind."""
    try:
        number = Decimal("nan" if isinstance(value, bool) else str(value))
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or number < 0:
        raise ConfigurationError(
            f"the ceiling {name} is {value!r}; give a number of at least 0, or None for no ceiling"
        )
    if kind is int and number % 1:
        raise ConfigurationError(f"the ceiling {name} is {value!r}; give a whole number, or None")
    return kind(number)

"""The four hard ceilings."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from decimal import Decimal

from budget_magic.errors import ConfigurationError
from budget_magic.settings import parsers
from budget_magic.settings.row import row


@dataclass(frozen=True, slots=True, init=False)
class Ceilings:
    """Hard limits of a task; None means no limit.

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
        A value is negative or not a number, or tokens or steps are not whole.
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
        values = (cost_usd, total_tokens, steps, elapsed_s)
        for part, value in zip(fields(self), values, strict=True):
            try:
                object.__setattr__(self, part.name, part.metadata["row"].parse(value))
            except ConfigurationError as error:
                raise ConfigurationError(f"{part.name} {value!r}: {error}") from None


def ceilings(value: object) -> Ceilings:
    """Check that a value is a `Ceilings`; there is no text form."""
    if not isinstance(value, Ceilings):
        raise ConfigurationError("give a Ceilings, such as Ceilings(cost_usd=5)")
    return value

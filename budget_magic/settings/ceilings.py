"""The four hard ceilings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Literal

from budget_magic.errors import ConfigurationError
from budget_magic.settings import parsers
from budget_magic.settings.row import row


class _Default(Enum):
    """The default of an argument, as distinct from a given None."""

    DEFAULT = "the default"

    def __repr__(self) -> str:
        return self.value


_DEFAULT: Final = _Default.DEFAULT
_Unset = Literal[_Default.DEFAULT]


class _WithGiven:
    """Remembers which fields were given; a slot, so that it is no field of the dataclass."""

    __slots__ = ("_given",)


@dataclass(frozen=True, slots=True, init=False)
class Ceilings(_WithGiven):
    """Hard limits of a task; None means no limit.

    A limit that is not given is $5, 1,000,000 tokens, 50 steps or 30 minutes; where a task takes
    the ceilings, it is the one in force there, such as a configured default.

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
        cost_usd: Decimal | float | str | _Unset | None = _DEFAULT,
        total_tokens: int | _Unset | None = _DEFAULT,
        steps: int | _Unset | None = _DEFAULT,
        elapsed_s: float | _Unset | None = _DEFAULT,
    ) -> None:
        given = []
        values = (cost_usd, total_tokens, steps, elapsed_s)
        for part, value in zip(fields(self), values, strict=True):
            if value is _DEFAULT:
                value = _DEFAULTS[part.name]  # noqa: PLW2901 - what stands for it
            else:
                given.append(part.name)
            try:
                object.__setattr__(self, part.name, part.metadata["row"].parse(value))
            except ConfigurationError as error:
                raise ConfigurationError(f"{part.name} {value!r}: {error}") from None
        object.__setattr__(self, "_given", tuple(given))

    def over(self, defaults: Ceilings) -> Ceilings:
        """Return the ceilings with those of `defaults` in place of what was not given."""
        return Ceilings(**{**_values(defaults), **self._given_values()})

    def __reduce__(self) -> tuple[Callable[..., Ceilings], tuple[dict[str, Any]]]:
        return _made, (self._given_values(),)

    def _given_values(self) -> dict[str, Any]:
        values = _values(self)
        # Without `__init__`, as the codec makes one, all are given.
        given = getattr(self, "_given", tuple(values))
        return {name: values[name] for name in given}


_DEFAULTS: Final[Mapping[str, Any]] = {
    "cost_usd": Decimal(5), "total_tokens": 1_000_000, "steps": 50, "elapsed_s": 1800.0,
}  # fmt: skip


def _values(of: Ceilings) -> dict[str, Any]:
    return {part.name: getattr(of, part.name) for part in fields(of)}


def _made(given: dict[str, Any]) -> Ceilings:
    return Ceilings(**given)


def ceilings(value: object) -> Ceilings:
    """Check that a value is a `Ceilings`; there is no text form."""
    if not isinstance(value, Ceilings):
        raise ConfigurationError("give a Ceilings, such as Ceilings(cost_usd=5)")
    return value

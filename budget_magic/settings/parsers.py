"""Parse the values of settings, from text as options take it or from Python.

Each parser returns the value, or raises ConfigurationError that says what is expected.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from functools import wraps
from numbers import Real
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar, cast

from budget_magic.characters import without_lone_surrogates
from budget_magic.errors import ConfigurationError

if TYPE_CHECKING:
    from budget_magic.models import PriceTable

T = TypeVar("T")


class NamedTool(Protocol):
    """A tool given as an object; `budget_magic.tools.Tool` is the full class."""

    @property
    def name(self) -> str:
        """What the model calls it."""
        ...


ToolEntry = str | Callable[..., Any] | NamedTool
LEAST_HISTORY: Final = 2_000
_MOST_DIGITS: Final = 18
_MOST_USD: Final = Decimal(10) ** 12
_NANO_USD: Final = Decimal("1e-9")
_SIZES: Final = {"": 1, "k": 1_000, "m": 1_000_000}
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}


class StuckRule(NamedTuple):
    """When a loop counts as stuck."""

    repeats: int = 3
    """Number of calls with the same name, input and result."""
    among: int = 9
    """Number of the latest calls that are compared."""


def _or_none(parse: Callable[[str], T]) -> Callable[[object], T | None]:
    """Extend a parser of text to None, `none` and other Python values."""

    @wraps(parse)
    def parse_or_none(value: object) -> T | None:
        return None if value is None or value == "none" else parse(str(value))

    return parse_or_none


@_or_none
def tokens(text: str) -> int:
    """Parse a number of tokens.

    >>> tokens("64k"), tokens("1.5M"), tokens(20_000), tokens("none")
    (64000, 1500000, 20000, None)
    """
    # A Python float ends with .0, but 64.000 may mean thousands.
    match = re.fullmatch(r"(\d+)(?:\.0)?()|(\d+(?:\.\d+)?)([kKmM])", text)
    if match is None or len(text) > _MOST_DIGITS:
        raise _expected(text, "give a number of tokens, such as 20000, 64k, 1.5M")
    size = Decimal(match[1] or match[3]) * _SIZES[(match[4] or "").lower()]
    if size != size.to_integral_value():
        raise ConfigurationError("give a whole number of tokens")
    return int(size)


@_or_none
def usd(text: str) -> Decimal:
    """Parse US dollars, down to the billionth.

    >>> usd("$2.50"), usd("none")
    (Decimal('2.50'), None)
    """
    with suppress(InvalidOperation):
        amount = Decimal(text.removeprefix("$"))
        if amount.is_finite() and 0 <= amount < _MOST_USD:
            nano = amount.quantize(_NANO_USD, rounding=ROUND_DOWN)
            return amount if amount == nano else nano.normalize()
    raise _expected(text, "give US dollars, such as 5 or 0.50, or none")


@_or_none
def count(text: str) -> int:
    """Parse a whole number."""
    if not re.fullmatch(r"\d+(\.0)?", text):
        raise _expected(text, "give a whole number, such as 50, or none")
    return int(Decimal(text))


def seconds(value: object) -> float | None:
    """Parse a duration; a number is in seconds.

    >>> seconds("90s"), seconds("10m"), seconds(3600), seconds(1e-05), seconds("none")
    (90.0, 600.0, 3600.0, 1e-05, None)
    """
    if isinstance(value, int | float | Decimal | Real) and not isinstance(value, bool):
        number = float(value)
        if not 0 <= number < math.inf:
            raise ConfigurationError("give a time of at least 0, or none")
        return number
    return _duration(value)


@_or_none
def _duration(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if match is None:
        raise _expected(text, "give a time with its unit: 90s, 10m, 1h, or none")
    return float(match[1]) * _SECONDS[match[2]]


def one_of(*choices: str | None) -> Callable[[object], str | None]:
    """Return a parser of a few words; None as a choice is also written `none`."""

    def parse(value: object) -> str | None:
        if value == "none" and "none" not in choices:
            value = None
        if (value is None or isinstance(value, str)) and value in choices:
            return value
        names = ", ".join(choice or "none" for choice in choices)
        raise ConfigurationError(f"choose one of {names}")

    return parse


def _checked(is_right: Callable[[object], bool], expected: str) -> Callable[[Any], Any]:
    """Return a parser that only checks a value."""

    def parse(value: Any) -> Any:
        if is_right(value):
            return value
        raise ConfigurationError(expected)

    return parse


_text = _checked(lambda value: isinstance(value, str) and value != "", "give a text")
flag = _checked(lambda value: isinstance(value, bool), "give True or False")


def text(value: Any) -> str:
    """Parse a text; half of a surrogate pair, which no request can hold, is replaced."""
    return without_lone_surrogates(_text(value))


def text_or_none(value: Any) -> str | None:
    """Parse a text, or None, also written `none`."""
    return None if value is None or value == "none" else text(value)


def folder(value: Any) -> str | os.PathLike[str]:
    """Parse a path."""
    is_text = isinstance(value, os.PathLike) or (isinstance(value, str) and value)
    if not is_text or "\0" in str(value):
        raise ConfigurationError("give the path of a folder, such as .")
    return cast("str | os.PathLike[str]", value)


def client(value: object) -> object:
    """Parse a word that names a client; any object may be one."""
    if isinstance(value, str | None) and value not in {"auto", "simulator"}:
        raise ConfigurationError("choose auto or simulator, or give a client object")
    return value


def history(value: object) -> int | None:
    """Parse the size of a history in tokens; a small one is hardly larger than its summary."""
    size = tokens(value)
    if size is not None and size < LEAST_HISTORY:
        raise ConfigurationError(f"give at least {LEAST_HISTORY:,} tokens, such as 100000, or none")
    return size


def policy(value: object) -> object:
    """Parse an approval policy: a word or a function."""
    if callable(value) and not isinstance(value, type):
        if not _takes_one_argument(value):
            raise ConfigurationError("give a function that takes one argument, the call")
        return value
    return one_of("ask", "all", "none")(value)


def _takes_one_argument(function: Callable[..., Any]) -> bool:
    import inspect  # noqa: PLC0415 - keeps loading cheap

    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # one that is not written in Python may have none
        return True
    with suppress(TypeError):
        signature.bind(None)
        return True
    return False


def tools(value: Any) -> tuple[ToolEntry, ...]:
    """Parse names of tools, functions, or a sequence of both.

    >>> tools("files, row_count")
    ('files', 'row_count')
    """
    if isinstance(value, str):
        return tuple(name for part in value.split(",") if (name := part.strip()))
    found = (value,) if callable(value) or hasattr(value, "name") else value
    if not isinstance(found, Sequence):
        raise ConfigurationError('give names of tools and functions, such as ["files", look]')
    return tuple(found)


def tags(value: object) -> dict[str, str]:
    """Parse labels: one `KEY=VALUE`, or a mapping."""
    if isinstance(value, Mapping):
        labels = dict(value)
        if all(isinstance(one, str) and one for one in (*labels, *labels.values())):
            return {text(key): text(label) for key, label in labels.items()}
    if not isinstance(value, str):
        raise ConfigurationError('give a dict of texts, such as {"pr": "123"}')
    key, _, label = value.partition("=")
    if not label or not key:
        raise ConfigurationError("give KEY=VALUE, such as pr=123")
    return {text(key): text(label)}


def names(value: Any) -> tuple[str, ...]:
    """Parse names of variables."""
    found = (value,) if isinstance(value, str) else value or ()
    if not isinstance(found, list | tuple) or not all(isinstance(name, str) for name in found):
        raise ConfigurationError('give names of variables, such as ["MY_NAME"]')
    return tuple(found)


def prices(value: object) -> dict[str, PriceTable]:
    """Parse prices by model id: USD per million tokens, or what was parsed before."""
    if value == {}:
        return {}
    from budget_magic.models import PriceTable, user_prices  # noqa: PLC0415 - keeps loading cheap

    if not isinstance(value, Mapping):
        raise ConfigurationError('give {"MODEL": {"input": 4, ...}}')
    return {
        str(model): row if isinstance(row, PriceTable) else user_prices(str(model), row)
        for model, row in value.items()
    }


def stuck_rule(value: Any) -> StuckRule | None:
    """Parse a pair `(repeats, among)`."""
    if value is None:
        return None
    try:
        repeats, among = (int(part) for part in value)
    except (TypeError, ValueError):
        raise ConfigurationError("give (repeats, among), such as (3, 9), or None") from None
    if not 1 < repeats <= among:
        raise ConfigurationError("repeats must be at least 2 and at most among")
    return StuckRule(repeats=repeats, among=among)


def _expected(text: str, what: str) -> ConfigurationError:
    if re.fullmatch(r"\$?\d{1,3}(,\d{3})+(\.\d+)?", text):
        what = f"leave out the commas: {text.replace(',', '')}"
    elif re.fullmatch(r"\$?\d+,\d+\w?", text):
        what = f"use a decimal point: {text.replace(',', '.')}"
    return ConfigurationError(what)

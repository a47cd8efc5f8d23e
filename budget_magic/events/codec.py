"""Records as JSON and back: a `kind` tag on each fact, dollars as decimal strings, ISO times."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from budget_magic.errors import BudgetMagicError
from budget_magic.events.facts import Fact
from budget_magic.events.record import Record

SCHEMA_VERSION: Final = 1
"""Raised when a shipped field is renamed; older versions then get a reader of their own."""

KINDS: Final[dict[str, type[Fact]]] = {
    get_args(get_type_hints(kind)["kind"])[0]: kind for kind in get_args(Fact)
}
"""Every class of facts by its tag."""


class UnreadableRecord(BudgetMagicError):  # noqa: N818 - says what it is
    """JSON that is no record, or one of a newer version."""


def to_json(record: Record) -> dict[str, Any]:
    """The record as JSON values.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from budget_magic.events import Noted
    >>> noted = Noted(turn=1, text="hello")
    >>> at = datetime(2026, 11, 22, tzinfo=UTC)
    >>> to_json(Record(id="a", task="audit", sequence=1, at=at, fact=noted))["fact"]
    {'kind': 'notice_posted', 'turn': 1, 'text': 'hello'}
    """
    return {"version": SCHEMA_VERSION, **_encoded(record)}


def from_json(value: Mapping[str, Any]) -> Record:
    """The record that `to_json` made; fields it does not know are left aside.

    Raises
    ------
    UnreadableRecord
        It is no record, or one of a newer version.
    """
    version = value.get("version")
    if version != SCHEMA_VERSION:
        raise UnreadableRecord(
            f"this record has version {version!r} and this budget_magic reads {SCHEMA_VERSION};"
            " a newer budget_magic may read it"
        )
    try:
        record = _decoder(Record)(value)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise UnreadableRecord(f"this is no record: {type(error).__name__}: {error}") from error
    assert isinstance(record, Record)  # noqa: S101 - what the decoder of Record gives
    return record


def _encoded(value: Any) -> Any:
    if is_dataclass(value):
        return {part.name: _encoded(getattr(value, part.name)) for part in fields(value)}
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [_encoded(one) for one in value]
    if isinstance(value, Mapping):
        return {key: _encoded(one) for key, one in value.items()}
    return value


Decoder = Callable[[Any], Any]


@cache
def _decoder(kind: Any) -> Decoder:  # noqa: PLR0911 - one return per kind of type
    """What turns JSON values back into one type, found once per type."""
    if kind == Fact:
        return _fact
    if is_dataclass(kind):
        return _dataclass_decoder(kind)
    if kind is Decimal:
        return _decimal
    if kind is datetime:
        return datetime.fromisoformat
    origin, inside = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        return _optional(_decoder(next(one for one in inside if one is not type(None))))
    if origin is tuple:
        return _tuple_of(_decoder(inside[0]))
    if origin is Literal:
        return _one_of(inside)
    if kind in {int, bool, str}:
        return _plain(kind)
    if kind is float:
        return _float
    return _as_it_is


def _dataclass_decoder(kind: Any) -> Decoder:
    hints = get_type_hints(kind)
    decoders = {part.name: _decoder(hints[part.name]) for part in fields(kind)}

    def decode(value: Any) -> Any:
        given = {name: decoders[name](one) for name, one in value.items() if name in decoders}
        return kind(**given)

    return decode


def _fact(value: Any) -> Any:
    kind: Any = KINDS.get(value["kind"])
    if kind is None:
        raise ValueError(f"no fact has the kind {value['kind']!r}")
    return _decoder(kind)(value)


def _decimal(value: Any) -> Decimal:
    if not isinstance(value, str):
        raise TypeError(f"dollars are a decimal string, not {value!r}")
    return Decimal(value)


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _optional(decode: Decoder) -> Decoder:
    return lambda value: None if value is None else decode(value)


def _tuple_of(decode: Decoder) -> Decoder:
    def decode_all(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise TypeError(f"{value!r} is no list")
        return tuple(decode(one) for one in value)

    return decode_all


def _one_of(words: tuple[Any, ...]) -> Decoder:
    def decode(value: Any) -> Any:
        if value not in words:
            raise ValueError(f"{value!r} is none of {', '.join(map(str, words))}")
        return value

    return decode


def _plain(kind: type) -> Decoder:
    def decode(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"{value!r} is no {kind.__name__}")
        return value

    return decode


def _as_it_is(value: Any) -> Any:
    return value

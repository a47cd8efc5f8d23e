"""Records as JSON and back: a schema version, a `kind` on each fact, dollars as decimal strings."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from budget_magic.errors import BudgetMagicError
from budget_magic.events.facts import Fact
from budget_magic.events.record import Record

SCHEMA_VERSION: Final = 1
"""Raised when a shipped field is renamed; older versions then get a reader of their own."""


class UnreadableRecord(BudgetMagicError):  # noqa: N818 - says what it is
    """Not a valid record, or one of another schema version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Versioned(Record):
    """A record as it is written."""

    version: Literal[1]
    fact: Annotated[Fact, Field(discriminator="kind")]


_AMOUNTS: Final = (
    "cost_usd", "tokens", "budget_tokens", "unconfirmed_usd", "unconfirmed_tokens",
    "at_least_usd", "at_least_tokens", "held_usd", "held_tokens", "released_usd", "released_tokens",
)  # fmt: skip
"""Fields of facts that no fact of ours has below 0: such a record would lift a ceiling."""


@cache
def _adapter() -> TypeAdapter[_Versioned]:
    return TypeAdapter(_Versioned)


def to_json(record: Record) -> str:
    """Return the record as one line of JSON.

    >>> from datetime import UTC, datetime
    >>> from budget_magic.events import NoticePosted
    >>> noticed = NoticePosted(turn=1, text="hello")
    >>> at = datetime(2026, 11, 22, tzinfo=UTC)
    >>> to_json(Record(id="a", task="audit", sequence=1, at=at, fact=noticed)).partition("fact")[2]
    '":{"kind":"notice_posted","turn":1,"text":"hello","suggestions":[]},"parent":null,"version":1}'
    """
    written = _Versioned(version=SCHEMA_VERSION, **_values(record))
    return _adapter().dump_json(written).decode()


def from_json(text: str) -> Record:
    """Return the record that `to_json` wrote; fields it does not know are ignored.

    Raises
    ------
    UnreadableRecord
        The text is not a valid record, or has another schema version.
    """
    try:
        read = _adapter().validate_json(text, strict=True)
    except ValidationError as error:
        raise UnreadableRecord(_sentence(error.errors(include_url=False)[0])) from error
    for name in _AMOUNTS:
        amount = getattr(read.fact, name, None)
        if amount is not None and amount < 0:
            raise UnreadableRecord(f"not a valid record: fact.{name}: {amount} is below 0")
    return Record(**_values(read))


def _values(record: Record) -> dict[str, Any]:
    return {one.name: getattr(record, one.name) for one in fields(Record)}


def _sentence(fault: Any) -> str:
    if fault["loc"] == ("version",):
        return (
            f"the record has schema version {fault['input']!r}, and this budget_magic reads"
            f" {SCHEMA_VERSION}; a newer budget_magic may read it"
        )
    where = ".".join(map(str, fault["loc"])) or "text"
    return f"not a valid record: {where}: {fault['msg']}"

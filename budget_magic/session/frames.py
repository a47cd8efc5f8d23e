"""Records as a list and as a pandas table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, SupportsIndex, overload

from budget_magic.errors import ConfigurationError
from budget_magic.events import AttemptFailed, Record, StepFinished

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["int", "float", "text", "flag", "time"]
"""What a column holds; where a value is missing, a `float` is NaN and the others are None or NA."""


class Column(NamedTuple):
    """One column of a table."""

    kind: Kind
    help: str


_DTYPES: Final[Mapping[Kind, str]] = {
    "int": "int64", "float": "float64", "flag": "boolean", "time": "datetime64[us, UTC]",
}  # fmt: skip
RECORD_COLUMNS: Final[Mapping[str, Column]] = {
    "sequence": Column("int", "position within the task, from 1: `events[sequence - 1]`"),
    "at": Column("time", "when it was recorded, UTC"),
    "kind": Column("text", "kind of the fact, such as step_finished"),
    "turn": Column("int", "the turn"),
    "step": Column("float", "the step within the turn"),
    "name": Column("text", "the tool of a call"),
    "model": Column("text", "the model that replied"),
    "effort": Column("text", "effort of the request"),
    "stop_reason": Column("text", "why a reply ended"),
    "state": Column("text", "how a turn ended"),
    "reason": Column("text", "why a turn ended, or why a call was denied"),
    "decision": Column("text", "what was decided on a call: once, task or denied"),
    "is_error": Column("flag", "whether a tool's result is an error"),
    "input_tokens": Column("float", "of the reply; so are the next ones"),
    "cache_read_input_tokens": Column("float", ""),
    "cache_creation_input_tokens": Column("float", ""),
    "output_tokens": Column("float", ""),
    "thinking_tokens": Column("float", "the part of output_tokens that is thinking"),
    "tool_result_tokens": Column("float", "new tool results in the step's prompt"),
    "budget_tokens": Column("float", "what counts against the budget"),
    "remaining": Column("float", "left of the budget after the step"),
    "cost_usd": Column("float", "US dollars of the reply"),
    "unconfirmed_usd": Column("float", "what the request may have cost beside it, at most"),
    "elapsed_s": Column("float", "seconds that the reply, the call or the turn took"),
    "why": Column("text", "why a request failed or is tried again, or why a call asks"),
    "text": Column("text", "text of a notice, or the final text of a turn"),
    "id": Column("text", "id of the record"),
    "parent": Column("text", "id of the record of its call, step or turn"),
}  # fmt: skip
"""The columns of `task.events.to_frame()`, in their order."""


class Records(list[Record]):
    """A list of records, oldest first; a slice of it is one too."""

    __slots__ = ()

    def to_frame(self) -> pd.DataFrame:
        """Return a pandas table with a row a record.

        Returns
        -------
        DataFrame
            The columns of `RECORD_COLUMNS` with the values of the record and its fact: whole
            numbers that every row has as int64, other numbers and dollars as float64 (NaN where the
            fact has none), `at` as a UTC datetime. The sum of `cost_usd` is the task's
            `spend.cost_usd`, that of `budget_tokens` its `spend.budget_tokens`.

        Raises
        ------
        ConfigurationError
            pandas is not installed.
        """
        return make_frame(RECORD_COLUMNS, map(_row, self))

    @overload
    def __getitem__(self, index: SupportsIndex) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Records: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Record | Records:
        found = super().__getitem__(index)
        return Records(found) if isinstance(found, list) else found


def make_frame(columns: Mapping[str, Column], rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return a pandas table; a value that a row lacks is missing.

    Raises
    ------
    ConfigurationError
        pandas is not installed.
    """
    try:
        import pandas as pd  # noqa: PLC0415 - optional, and heavy
    except ImportError as error:
        told = "`to_frame` needs pandas, which is not installed: `pip install pandas`"
        raise ConfigurationError(told) from error

    every = list(rows)
    return pd.DataFrame(
        {
            name: pd.Series(_values(every, name, column.kind), dtype=_DTYPES.get(column.kind))
            for name, column in columns.items()
        }
    )


def _values(rows: Sequence[Mapping[str, Any]], name: str, kind: Kind) -> list[Any]:
    values = [row.get(name) for row in rows]
    if kind != "float":
        return values
    return [float("nan") if value is None else float(value) for value in values]


def _row(record: Record) -> dict[str, Any]:
    fact = record.fact
    row = {name: getattr(fact, name, None) for name in RECORD_COLUMNS}
    if isinstance(fact, StepFinished):
        billed = fact.usage.billed
        row |= {name: getattr(billed, name) for name in row if hasattr(billed, name)}
        row["thinking_tokens"] = fact.usage.thinking_tokens
    else:  # where others use these names, adding them up would count something twice
        row |= dict.fromkeys(("cost_usd", "budget_tokens", "remaining"))
    if not isinstance(fact, StepFinished | AttemptFailed):
        row["unconfirmed_usd"] = None
    stamp = {name: getattr(record, name) for name in ("sequence", "at", "id", "parent")}
    return row | stamp

"""The decorator that says what a notebook function does, without importing anything heavy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, overload

from budget_magic.errors import ConfigurationError

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_ATTRIBUTE: Final = "__budget_magic_reads__"


@overload
def tool(function: FunctionT, /) -> FunctionT: ...


@overload
def tool(*, reads: bool = False) -> Callable[[FunctionT], FunctionT]: ...


def tool(
    function: FunctionT | None = None, /, *, reads: bool = False
) -> FunctionT | Callable[[FunctionT], FunctionT]:
    """Declare a function as a tool; it is returned as it is and stays callable.

    Parameters
    ----------
    function
        Given where the decorator is used without parentheses.
    reads
        True declares that the function only reads: it then runs without asking, in a thread of
        its own, beside other calls. Any other function asks first and runs on the notebook's
        thread, one call at a time.

    Examples
    --------
    >>> @tool(reads=True)
    ... def row_count(table: str) -> int:
    ...     return len(table)
    >>> row_count("abc")
    3
    >>> is_declared_read_only(row_count)
    True
    """

    def declare(declared: FunctionT) -> FunctionT:
        try:
            setattr(declared, _ATTRIBUTE, reads)
        except (AttributeError, TypeError):
            message = f"{declared!r} cannot be declared; wrap it in a function of your own"
            raise ConfigurationError(message) from None
        return declared

    return declare if function is None else declare(function)


def is_declared_read_only(function: object) -> bool:
    """Return whether a function was declared with `tool(reads=True)`."""
    return getattr(function, _ATTRIBUTE, False) is True

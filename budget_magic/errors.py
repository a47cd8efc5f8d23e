"""The one exception tree of budget_magic.

BudgetMagicError
├── ConfigurationError      a setting, a model or a credential is wrong; nothing was sent
├── WireError               a request did not end with `message_stop`
│   ├── ApiError            the server answered with an error, by status or mid-stream
│   └── ConnectionBroken    no connection, a dropped stream, or one that ended too early
├── ToolRefusal             a tool declines a call; the message goes to the model
└── TaskFailed              a turn ended in state `failed`

TaskInterrupted             a KeyboardInterrupt, so that "Run all" stops; outside the tree

Reaching a ceiling is a normal ending and raises nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol, Self

HTTP_OK: Final = 200
CLOSED: Final = "the session is closed; create the task in an open one"


def join_clauses(told: str, clauses: Iterable[str]) -> str:
    """Append clauses that say what can be done to a sentence.

    >>> join_clauses("no key: set one", ["or use another client", "`x` ends it"])
    'no key: set one, or use another client; `x` ends it'
    """
    for clause in clauses:
        between = ", " if clause.startswith(("or ", "then ")) else "; "
        told += (" " if told.endswith((":", "?")) else between) + clause
    return told


class BudgetMagicError(Exception):
    """Base class of the errors that budget_magic raises."""


class ConfigurationError(BudgetMagicError):
    """A request cannot be met; nothing was sent and nothing changed.

    Parameters
    ----------
    *suggestions
        What works instead, each a `budget_magic.events.Suggestion`.
    setting
        The setting that the message is about; its name is put first.
    """

    def __init__(self, message: str, *suggestions: object, setting: str = "") -> None:
        super().__init__(message, *suggestions)
        self.setting = setting

    def worded(self, word: Callable[[Any], str], name: Callable[[str], str]) -> str:
        """Return the message as a host words it with its `word` and `setting`."""
        message, *suggestions = self.args
        told = f"{name(self.setting)} {message}" if self.setting else str(message)
        return join_clauses(told, map(word, suggestions))

    def __str__(self) -> str:
        return self.worded(str, str)


class WireError(BudgetMagicError):
    """A request that did not end with `message_stop`."""


class ApiError(WireError):
    """The server answered with an error.

    Parameters
    ----------
    status
        HTTP status; 200 for an `error` event mid-stream.
    error_type, error_code
        `error.type` and `error.details.error_code` of the body; None if missing.
    retry_after_s
        Seconds the server asks to wait; None if it did not say.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        error_type: str | None = None,
        error_code: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error_type = error_type
        self.error_code = error_code
        self.retry_after_s = retry_after_s

    @property
    def in_mid_stream(self) -> bool:
        """Whether a reply had begun, so that it may be billed."""
        return self.status == HTTP_OK


class ConnectionBroken(WireError):  # noqa: N818 - says what happened
    """No connection, a dropped stream, or a stream without `message_stop`."""

    def __init__(self, message: str, *, reached: bool) -> None:
        super().__init__(message)
        self.reached = reached
        """Whether the request may have reached the server; False releases what was held for it."""


class ToolRefusal(BudgetMagicError):  # noqa: N818 - the field's word
    """A tool declines a call; the message is sent to the model as an error result."""


class Ending(Protocol):
    """The part of an `Outcome`, which a higher layer defines, that these errors use."""

    @property
    def detail(self) -> str:
        """One sentence that says how to continue."""
        ...

    @property
    def reason(self) -> str:
        """Why it ended, such as `keyboard`."""
        ...


class _EndsCell(BaseException):
    """An error that carries an outcome, pickles, and shows as one line in IPython."""

    def __init__(self, outcome: Ending) -> None:
        super().__init__(outcome.detail)
        self.outcome = outcome

    def __reduce__(self) -> tuple[type[Self], tuple[Ending]]:
        return type(self), (self.outcome,)

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class TaskFailed(_EndsCell, BudgetMagicError):  # noqa: N818 - public name
    """A turn ended in state `failed`; `outcome` says why and how to continue."""


class TaskInterrupted(_EndsCell, KeyboardInterrupt):
    """A turn was stopped by a person; `outcome` says what was done and what it may cost."""

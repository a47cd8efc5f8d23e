"""Redact secrets in what leaves the loop: facts, streaming text, and errors."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from typing import Any, Final, Literal, TypeVar, cast, get_origin, get_type_hints

from budget_magic.errors import ConfigurationError
from budget_magic.events import BlockStarted, Delta, Live
from budget_magic.report.numbers import plural
from budget_magic.session.session import Session
from budget_magic.tools.credentials import is_placeholder
from budget_magic.tools.redactor import MINIMUM_LENGTH, Redactor, StreamRedactor

F = TypeVar("F")

_TAG: Final = re.compile("(<[^<>]*>)")


def session_redactor(
    session: Session,
    of_client: Iterable[tuple[str, str]] = (),
    known: Redactor | None = None,
) -> Redactor:
    """Return the redactor for the credentials of this process; `refresh` reads them again.

    Parameters
    ----------
    session
        Its defaults name more variables whose values are secret.
    of_client
        Names and values of the credentials that the task's client holds.
    known
        The task's redactor so far: what it knew stays secret.
    """
    real = ((name, value) for name, value in of_client if not is_placeholder(value))
    return Redactor(os.environ, _Given(session, tuple(real)), known)


@dataclass(frozen=True, slots=True, repr=False)
class _Given:
    """More names and values: the client's credentials, and the variables in `secrets`."""

    session: Session
    of_client: tuple[tuple[str, str], ...]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for name, value in _named_secrets(self.session):
            if isinstance(value, str):
                yield name, value
        yield from self.of_client


def refuse_unreadable_secrets(session: Session) -> None:
    """Raise ConfigurationError if the value of a variable in `secrets` cannot be redacted."""
    for name, value in _named_secrets(session):
        if not isinstance(value, str):
            raise ConfigurationError(
                f"`secrets` names {name}, which is of type {type(value).__name__}; name a variable"
                " that holds a text"
            )
        if len(value) < MINIMUM_LENGTH:
            raise ConfigurationError(
                f"`secrets` names {name}, which holds {plural(len(value), 'character')}: a value"
                f" shorter than {MINIMUM_LENGTH} cannot be redacted; leave the name out"
            )


def _named_secrets(session: Session) -> Iterator[tuple[str, object]]:
    """Yield the names and values of the variables in `secrets`, except those that are not set."""
    for name in session.defaults.secrets:
        if os.environ.get(name):
            yield name, os.environ[name]
        with suppress(LookupError, AttributeError):
            yield name, session.host.lookup(name)


def redacted(value: F, redact: Callable[[Any], Any]) -> F:
    """Return a fact, or a value in one, with every text redacted; containers are copied."""
    return cast("F", _redacted(value, redact))


def _redacted(value: Any, redact: Callable[[Any], Any]) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        before = {name: getattr(value, name) for name in _redactable_fields(type(value))}
        after = {name: _redacted(one, redact) for name, one in before.items()}
        changes = {name: one for name, one in after.items() if one is not before[name]}
        return replace(value, **changes) if changes else value
    if type(value) is tuple:
        return tuple(_redacted(one, redact) for one in value)
    return redact(value) if isinstance(value, str | dict | list) else value


@cache
def _redactable_fields(kind: type) -> tuple[str, ...]:
    """Return the names of a dataclass's fields, except those of type `Literal`."""
    hints = get_type_hints(kind)
    return tuple(one.name for one in fields(kind) if get_origin(hints[one.name]) is not Literal)


def redact_shown(value: Any, redact: Callable[[str], str]) -> Any:
    """Return a copy of what a view shows with its texts redacted, in HTML too.

    The Markdown of a reply may hold a secret in a form that only rendering turns into the secret.
    In HTML, tags without an address stay as they are: a secret may be a word of a style sheet.
    """
    match value:
        case str() if "<" in value:
            pieces = _TAG.split(value)
            return "".join(one if _is_plain_tag(one) else redact(one) for one in pieces)
        case str():
            return redact(value)
        case dict():
            return {key: redact_shown(one, redact) for key, one in value.items()}
        case list() | tuple():
            return [redact_shown(one, redact) for one in value]
    return value


def _is_plain_tag(piece: str) -> bool:
    return piece.startswith("<") and "href" not in piece and "://" not in piece


class LiveRedactor:
    """Redacts streaming text, including secrets that are split over deltas.

    Text that could begin a secret is held back until more of the block arrives, or until `flush`.
    A late piece of a block that has ended is dropped: the text before it was shown already.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._last: Delta | None = None
        self._stream = StreamRedactor(redactor)
        self._block: tuple[int, int] | None = None

    def take(self, event: Live) -> Iterator[Live]:
        """Yield what may be shown now."""
        if isinstance(event, BlockStarted):
            yield from self.flush()
            self._block = (event.step, event.block)
            yield replace(event, name=self._redactor.redact(event.name))
        elif self._block == (event.step, event.block):
            self._last = event
            text = self._stream.feed(event.text)
            if text:
                yield replace(event, text=text)

    def drop(self) -> None:
        """Forget what was held back of a block that was cut off: it may be a part of a secret."""
        self._stream = StreamRedactor(self._redactor)
        self._last = self._block = None

    def flush(self) -> Iterator[Delta]:
        """Yield what was held back of a block that has ended."""
        last, text = self._last, self._stream.flush()
        self._last = self._block = None
        if last is not None and text:
            yield replace(last, text=text)


@contextmanager
def no_secrets_in_errors(redact: Callable[[str], str]) -> Iterator[None]:
    """Redact a ConfigurationError raised inside; drop its causes if they hold secrets."""
    try:
        yield
    except ConfigurationError as error:
        if any(redact(text) != text for text in _texts_of(error)):
            error.args = redacted(error.args, redact)
            error.__cause__ = error.__context__ = None
        raise


def _texts_of(error: BaseException | None) -> Iterator[str]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield "".join(traceback.format_exception_only(error))  # tolerates a __str__ that fails
        error = error.__cause__ or error.__context__

"""Secrets kept out of what leaves the loop: facts, what streams, and the errors that are raised."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from typing import Any, Literal, TypeVar, cast, get_origin, get_type_hints

from budget_magic.errors import ConfigurationError
from budget_magic.events import BlockStarted, Delta, Live
from budget_magic.report.numbers import plural
from budget_magic.session.session import Session
from budget_magic.tools.credentials import is_placeholder
from budget_magic.tools.secrets import MINIMUM_LENGTH, Redactor, StreamRedactor

F = TypeVar("F")


def session_redactor(session: Session, of_client: Iterable[tuple[str, str]] = ()) -> Redactor:
    """Return the redactor for the credentials of this process; `refresh` reads them again.

    Parameters
    ----------
    session
        Its defaults name more variables whose values are secret.
    of_client
        Names and values of the credentials that the task's client holds.
    """
    real = ((name, value) for name, value in of_client if not is_placeholder(value))
    return Redactor(os.environ, _Given(session, tuple(real)))


@dataclass(frozen=True, slots=True, repr=False)
class _Given:
    """Names and values beside the environment: those of variables that `secrets` names now."""

    session: Session
    of_client: tuple[tuple[str, str], ...]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for name, value in _named_secrets(self.session):
            if isinstance(value, str):
                yield name, value
        yield from self.of_client


def refuse_unreadable_secrets(session: Session) -> None:
    """Refuse to run where what a variable holds that `secrets` names cannot be replaced."""
    for name, value in _named_secrets(session):
        if not isinstance(value, str):
            raise ConfigurationError(
                f"`secrets` names {name}, which is of type {type(value).__name__}; name a variable"
                " that holds the text itself"
            )
        if len(value) < MINIMUM_LENGTH:
            raise ConfigurationError(
                f"`secrets` names {name}, which holds {plural(len(value), 'character')}: a text"
                f" shorter than {MINIMUM_LENGTH} cannot be kept out; leave the name out"
            )


def _named_secrets(session: Session) -> Iterator[tuple[str, object]]:
    """Yield what the variables hold that `secrets` names; one that is not set cannot leak."""
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
        before = {name: getattr(value, name) for name in _open_fields(type(value))}
        after = {name: _redacted(one, redact) for name, one in before.items()}
        changes = {name: one for name, one in after.items() if one is not before[name]}
        return replace(value, **changes) if changes else value
    if type(value) is tuple:
        return tuple(_redacted(one, redact) for one in value)
    return redact(value) if isinstance(value, str | dict | list) else value


@cache
def _open_fields(kind: type) -> tuple[str, ...]:
    """Return a dataclass's fields of free text; the kind of a fact is a fixed word."""
    hints = get_type_hints(kind)
    return tuple(one.name for one in fields(kind) if get_origin(hints[one.name]) is not Literal)


class LiveRedactor:
    """Redacts what streams, so that a secret split over deltas never shows.

    The end of a block that could be the beginning of a secret is held back until more of it comes,
    or until `flush`. A piece of a block that is over already is left out: what came before it has
    been shown.
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

    def flush(self) -> Iterator[Delta]:
        """Yield what is held back of the block, which is over."""
        last, text = self._last, self._stream.flush()
        self._last = self._block = None
        if last is not None and text:
            yield replace(last, text=text)


@contextmanager
def no_secrets_in_errors(redact: Callable[[str], str]) -> Iterator[None]:
    """Redact a ConfigurationError that passes; where its causes hold secrets, they go."""
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
        yield "".join(traceback.format_exception_only(error))  # stands a __str__ that fails
        error = error.__cause__ or error.__context__

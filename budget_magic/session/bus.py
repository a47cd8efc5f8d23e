"""The bus of one task: stamps each fact, keeps the meter, and hands it on."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from budget_magic.events import AttemptFailed, Fact, Live, Record, StepFinished, TurnFinished
from budget_magic.meter import Reading, advance
from budget_magic.session.redaction import LiveRedactor, redacted
from budget_magic.tools.secrets import Redactor

F = TypeVar("F", bound=Fact)

logger = logging.getLogger("budget_magic")

T = TypeVar("T")


class Sink(Protocol):
    """Something that watches a task; called on the loop's thread, so it must be quick."""

    def record(self, record: Record) -> None:
        """Take one fact."""
        ...

    def live(self, event: Live) -> None:
        """Take a piece of what streams."""
        ...


class Bus:
    """Everything that happened to one task, in order, without its secrets.

    This is the border where texts leave the loop: what is recorded, shown, saved or raised comes
    from here. What is sent to the API is redacted where it enters the history.

    Parameters
    ----------
    task
        Its name.
    redactor
        Replaces the secrets; see `redact_with`.
    """

    def __init__(self, task: str, redactor: Redactor) -> None:
        self._task = task
        self.redact_with(redactor)
        self.records: list[Record] = []
        self.reading = Reading()
        self.sinks: list[Sink] = []
        self.on_interrupt: Callable[[], None] = lambda: None
        """Called where a sink raises KeyboardInterrupt; nothing that is emitted raises."""

    def redact_with(self, redactor: Redactor) -> None:
        """Replace the secrets that this redactor knows, from now on."""
        self.redactor = redactor
        self._live = LiveRedactor(redactor)

    def emit(self, fact: F, /) -> F:
        """Redact a fact, stamp it, count it, and hand it to the sinks.

        Returns
        -------
            The fact as it was recorded.
        """
        fact = redacted(fact, self.redactor.redact)
        if isinstance(fact, StepFinished | AttemptFailed | TurnFinished):
            self._show(self._live.flush())
        record = Record(
            id=uuid.uuid4().hex,
            task=self._task,
            sequence=len(self.records) + 1,
            at=datetime.now(UTC),
            fact=fact,
        )
        self.records.append(record)
        self.reading = advance(self.reading, fact)
        for sink in self.sinks:
            self._hand(sink.record, record)
        return fact

    def live(self, event: Live) -> None:
        """Hand what may be shown of a piece that streams to the sinks."""
        self._show(self._live.take(event))

    def _show(self, events: Iterator[Live]) -> None:
        for event in events:
            for sink in self.sinks:
                self._hand(sink.live, event)

    def _hand(self, take: Callable[[T], None], what: T) -> None:
        try:
            take(what)
        except KeyboardInterrupt:
            self.on_interrupt()
        except BaseException as error:  # noqa: BLE001 - a view must not break a run
            # The message may hold what was shown; it must not reach the log.
            failed = type(error).__name__
            logger.warning("a view of %s failed with %s; the task goes on", self._task, failed)

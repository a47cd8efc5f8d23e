"""The bus of one task: stamps each fact, keeps the meter, and hands it on."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from budget_magic.errors import RecordingFailed
from budget_magic.events import AttemptFailed, Fact, Live, Record, StepFinished, TurnFinished
from budget_magic.meter import Reading, advance
from budget_magic.session.redaction import LiveRedactor, redacted
from budget_magic.tools.secrets import Redactor
from budget_magic.tools.text import explained

F = TypeVar("F", bound=Fact)

logger = logging.getLogger("budget_magic")

T = TypeVar("T")


class Sink(Protocol):
    """Something that is told what a task does; called on the loop's thread, so it must be quick."""

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
    required
        Sinks that record a fact before anything acts on it. Where one fails, `emit` raises: nothing
        more is spent.
    """

    def __init__(self, task: str, redactor: Redactor, required: Iterable[Sink] = ()) -> None:
        self._task, self._required = task, tuple(required)
        self.redact_with(redactor)
        self.records: list[Record] = []
        self.reading = Reading()
        self._views: tuple[Sink, ...] = ()
        self.on_interrupt: Callable[[], None] = lambda: None
        """Called where a sink raises KeyboardInterrupt; nothing that is emitted raises."""

    def redact_with(self, redactor: Redactor) -> None:
        """Replace the secrets that this redactor knows, from now on."""
        self.redactor = redactor
        self._live = LiveRedactor(redactor)

    def subscribe(self, view: Sink) -> Callable[[], None]:
        """Hand a view what is emitted from now on; the result ends that."""
        self._views = (*self._views, view)

        def unsubscribe() -> None:
            self._views = tuple(one for one in self._views if one is not view)

        return unsubscribe

    def emit(self, fact: F, /) -> F:
        """Redact a fact, stamp it, record it, count it, and hand it to the views.

        Returns
        -------
            The fact as it was recorded.

        Raises
        ------
        RecordingFailed
            A required sink failed; the fact is counted and shown all the same.
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
        failed = self._record(record)
        self.records.append(record)
        self.reading = advance(self.reading, fact)
        for view in self._views:
            self._hand(view.record, record)
        if failed is not None:
            raise RecordingFailed(f"the task cannot be recorded: {explained(failed)}") from failed
        return fact

    def live(self, event: Live) -> None:
        """Hand what may be shown of a piece that streams to the sinks."""
        self._show(self._live.take(event))

    def _show(self, events: Iterator[Live]) -> None:
        for event in events:
            for view in self._views:
                self._hand(view.live, event)

    def _record(self, record: Record) -> Exception | None:
        """Hand a record to the required sinks; return what failed."""
        try:
            for sink in self._required:
                sink.record(record)
        except Exception as error:  # noqa: BLE001 - raised again by `emit`
            return error
        return None

    def _hand(self, take: Callable[[T], None], what: T) -> None:
        try:
            take(what)
        except KeyboardInterrupt:
            self.on_interrupt()
        except BaseException as error:  # noqa: BLE001 - a view must not break a run
            # The message may hold what was shown; it must not reach the log.
            failed = type(error).__name__
            logger.warning("a view of %s failed with %s; the task goes on", self._task, failed)

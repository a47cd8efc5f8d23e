"""The bus of one task: stamps each fact, records it, folds it, and hands it to the views."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from budget_magic.errors import ConfigurationError
from budget_magic.events import (
    AttemptFailed,
    Fact,
    Live,
    MessageAppended,
    Record,
    StepFinished,
    StepStarted,
    ToolStarted,
    TurnFinished,
    TurnStarted,
)
from budget_magic.loop import History
from budget_magic.meter import Reading, advance
from budget_magic.session.redaction import LiveRedactor, redacted
from budget_magic.tools.redactor import Redactor
from budget_magic.tools.text import explained

F = TypeVar("F", bound=Fact)

logger = logging.getLogger("budget_magic")


class Recorder(Protocol):
    """A required sink: records facts exactly as they are, before anything acts on them.

    Called on the loop's thread. If it raises, the turn ends and nothing more is spent until it has
    taken that record, which it is given again first, and those after it.
    """

    def record(self, record: Record) -> None:
        """Record one fact."""
        ...


class Sink(Protocol):
    """A view of a task, which receives everything that happens, without secrets.

    Called on the loop's thread, so it must be quick. Its errors are logged and otherwise ignored.
    """

    def record(self, record: Record) -> None:
        """Handle one fact."""
        ...

    def live(self, event: Live) -> None:
        """Handle one streaming event."""
        ...


class Bus:
    """The events of one task, in order.

    Secrets are redacted here before anything is shown, saved or raised. Text that is sent to the
    API is redacted when it enters the history.

    The `required` sinks record each fact before anything acts on it. If one fails, `failure` says
    why, and the loop neither sends a request nor runs a tool.
    """

    def __init__(self, task: str, redactor: Redactor, required: Iterable[Recorder] = ()) -> None:
        self._task = task
        self._unrecorded: list[tuple[Recorder, list[Record]]] = [(sink, []) for sink in required]
        self.redact_with(redactor)
        self.records: list[Record] = []
        """The records so far, redacted for views."""
        self.history = History()
        self.reading = Reading()
        self.outer: str | None = None
        """Id of the record of another task's call whose tool runs this task's turn."""
        self.on_interrupt: Callable[[], None] = lambda: None
        """Called if a sink or view raises KeyboardInterrupt."""
        self.failure = ""
        """Why a required sink could not record this turn; empty while all could."""
        self._views: tuple[Sink, ...] = ()
        self._failed_views: set[int] = set()
        """Views whose first error was logged."""
        self._parents = _Parents()

    def redact_with(self, redactor: Redactor) -> None:
        """Use this redactor from now on."""
        self.redactor = redactor
        self._live = LiveRedactor(redactor)

    def subscribe(self, view: Sink) -> Callable[[], None]:
        """Send what is emitted from now on to a view; return a function that unsubscribes it."""
        if not callable(getattr(view, "record", None)):
            raise ConfigurationError(
                f"{type(view).__name__} is not a view: give it a method `record(record)`, and"
                " optionally `live(event)` for what streams"
            )
        self._views = (*self._views, view)

        def unsubscribe() -> None:
            self._views = tuple(one for one in self._views if one is not view)

        return unsubscribe

    def emit(self, fact: F, /) -> F:
        """Redact a fact, stamp it, record it, fold it, and hand it to the views.

        Return it as it was recorded. Errors of sinks and views are not raised.
        """
        shown = redacted(fact, self.redactor.redact)
        # Only the history needs what Claude wrote exactly as it was written and signed.
        exact = fact if isinstance(fact, MessageAppended) else shown
        if isinstance(fact, AttemptFailed):
            self._live.drop()
        elif isinstance(fact, StepFinished | TurnFinished):
            self._show(self._live.flush())
        record = Record(
            id=uuid.uuid4().hex,
            task=self._task,
            sequence=len(self.records) + 1,
            at=datetime.now(UTC),
            fact=exact,
            parent=self._parents.of(exact, self.outer),
        )
        self._record(record)
        self._fold(record, shown)
        for view in self._views:
            self._hand(view, "record", self.records[-1])
        return exact

    def restore(self, records: Iterable[Record]) -> None:
        """Replay the records of an earlier process without notifying sinks or views."""
        for record in records:
            self._fold(record, redacted(record.fact, self.redactor.redact))

    def live(self, event: Live) -> None:
        """Send a streaming event to the views, as far as it may be shown."""
        self._show(self._live.take(event))

    def record_of_call(self, call_id: str) -> str | None:
        """Return the id of the `ToolStarted` record of a call in this turn."""
        return self._parents.calls.get(call_id)

    def _record(self, record: Record) -> None:
        if isinstance(record.fact, TurnStarted):
            self.failure = ""
        for sink, waiting in self._unrecorded:
            waiting.append(record)
            try:
                while waiting:
                    sink.record(waiting[0])
                    del waiting[0]
            except KeyboardInterrupt:
                self.on_interrupt()
                self.failure = "it was interrupted"
            except BaseException as error:  # noqa: BLE001 - must not unwind between two facts
                self.failure = self.redactor.redact(explained(error))

    def _fold(self, record: Record, shown: Fact) -> None:
        self._parents.note(record)
        self.history.take(record.fact)
        self.reading = advance(self.reading, record.fact)
        self.records.append(record if shown == record.fact else replace(record, fact=shown))

    def _show(self, events: Iterator[Live]) -> None:
        for event in events:
            for view in self._views:
                self._hand(view, "live", event)

    def _hand(self, view: Sink, method: str, what: Record | Live) -> None:
        try:
            take = getattr(view, method, None)
            if take is not None:  # `live` is optional
                take(what)
        except KeyboardInterrupt:
            self.on_interrupt()
        except BaseException as error:  # noqa: BLE001 - a view must not break a run
            if id(view) in self._failed_views:
                return
            self._failed_views.add(id(view))
            # The message may hold what was shown; it must not reach the log.
            failed = type(error).__name__
            logger.warning(
                "the view %s of %s failed with %s; the task goes on, and its later errors are not"
                " logged", type(view).__name__, self._task, failed,
            )  # fmt: skip


class _Parents:
    """Finds the parent of each record: its call, step or turn."""

    def __init__(self) -> None:
        self.calls: dict[str, str] = {}
        """Records of the turn's calls, by the id of the call."""
        self._turn: str | None = None
        self._step: tuple[int, str | None] = (0, None)

    def of(self, fact: Fact, outer: str | None) -> str | None:
        """Return the parent of a fact; `outer` is the parent of a turn."""
        if isinstance(fact, TurnStarted):
            return outer
        call = self.calls.get(getattr(fact, "call_id", ""))
        if call is not None:
            return call
        number, record = self._step
        is_in_step = not isinstance(fact, StepStarted) and getattr(fact, "step", 0) == number
        return record if is_in_step and record is not None else self._turn

    def note(self, record: Record) -> None:
        """Remember a record that may be a parent."""
        fact = record.fact
        if isinstance(fact, TurnStarted):
            self._turn, self._step, self.calls = record.id, (0, None), {}
        elif isinstance(fact, StepStarted):
            self._step = (fact.step, record.id)
        elif isinstance(fact, ToolStarted):
            self.calls[fact.call_id] = record.id

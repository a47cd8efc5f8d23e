"""The bus of one task: stamps each fact, keeps the meter, and hands it on."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from budget_magic.events import Fact, Live, Record
from budget_magic.meter import Reading, advance

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
    """Everything that happened to one task, in order."""

    def __init__(self, task: str) -> None:
        self._task = task
        self.records: list[Record] = []
        self.reading = Reading()
        self.sinks: list[Sink] = []
        self.on_interrupt: Callable[[], None] = lambda: None
        """Called where a sink raises KeyboardInterrupt; nothing that is emitted raises."""

    def emit(self, fact: Fact) -> None:
        """Stamp a fact, count it, and hand it to the sinks."""
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

    def live(self, event: Live) -> None:
        """Hand a piece of what streams to the sinks."""
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

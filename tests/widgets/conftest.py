"""What every test of the widgets may use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import comm
import pytest

from tests.report.records import Story
from tests.widgets.panels import RecordedComm, Show


class Stage:
    """Where panels are opened without a kernel; each is closed at the end."""

    def __init__(self) -> None:
        self.shows: list[Show] = []
        self.comms: list[RecordedComm] = []

    def open(self, story: Story) -> tuple[Show, RecordedComm]:
        """A panel and the comm of its widget."""
        before = len(self.comms)
        show = Show(story)
        self.shows.append(show)
        opened = [one for one in self.comms[before:] if "_esm" in one.opened]
        return show, opened[0]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Panels whose comms remember; `comm.create_comm` is made to be replaced."""
    stage = Stage()

    def create(*args: Any, **kwargs: Any) -> RecordedComm:
        stage.comms.append(RecordedComm(*args, **kwargs))
        return stage.comms[-1]

    monkeypatch.setattr(comm, "create_comm", create)
    yield stage
    for show in stage.shows:
        show.panel.close()

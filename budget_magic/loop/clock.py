"""A stopwatch of one turn: running time without waiting for a person or for room."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopwatch:
    """Running time in seconds, continuing from `elapsed_s`; `now` is a monotonic clock."""

    def __init__(self, now: Callable[[], float], elapsed_s: float = 0.0) -> None:
        self._now = now
        self._before = elapsed_s
        self._since: float | None = now()
        self._pauses = 0

    @property
    def elapsed_s(self) -> float:
        """Running time so far."""
        return self._before + (0.0 if self._since is None else self._now() - self._since)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Exclude the time spent inside; pauses may overlap."""
        if self._pauses == 0:
            self._before, self._since = self.elapsed_s, None
        self._pauses += 1
        try:
            yield
        finally:
            self._pauses -= 1
            if self._pauses == 0:
                self._since = self._now()

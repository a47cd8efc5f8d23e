"""A stopwatch of one turn: running time, with waiting for a person or for room left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopwatch:
    """Running time in seconds, going on from `elapsed_s`.

    Parameters
    ----------
    now
        A monotonic clock in seconds.
    elapsed_s
        Time that earlier parts of the turn took.
    """

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
        """Leave out the time spent inside; pauses may overlap."""
        if self._pauses == 0:
            self._before, self._since = self.elapsed_s, None
        self._pauses += 1
        try:
            yield
        finally:
            self._pauses -= 1
            if self._pauses == 0:
                self._since = self._now()

"""A one-shot event that threads can wait for and coroutines can await."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator


class Signal:
    """A one-shot event: `wait()` for it in a thread, `await` it in a coroutine."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    @property
    def is_set(self) -> bool:
        """Whether the event has happened."""
        return self._event.is_set()

    def set(self) -> None:
        """Wake everyone who waits; a second call does nothing."""
        with self._lock:
            self._event.set()
            waiters, self._waiters = self._waiters, []
        for loop, event in waiters:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def wait(self, timeout: float | None = 10.0) -> bool:
        """Block for at most `timeout` seconds (None: no limit); return whether it is set."""
        return self._event.wait(timeout)

    def __await__(self) -> Generator[object, None, None]:
        event = asyncio.Event()
        with self._lock:
            if self._event.is_set():
                return
            self._waiters.append((asyncio.get_running_loop(), event))
        yield from event.wait().__await__()

"""A one-time signal that threads can wait for and coroutines can await."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator


class Signal:
    """Something that happens once: `wait()` it from a thread, `await` it from a coroutine."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    @property
    def is_set(self) -> bool:
        """Whether it has happened."""
        return self._event.is_set()

    def set(self) -> None:
        """Let it happen; a second time changes nothing."""
        with self._lock:
            self._event.set()
            waiting, self._waiting = self._waiting, []
        for loop, event in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def wait(self, timeout: float | None = 10.0) -> bool:
        """Whether it happened within so many seconds; None waits for ever. Blocks the thread."""
        return self._event.wait(timeout)

    async def seen(self) -> None:
        """Return once it has happened."""
        event = asyncio.Event()
        with self._lock:
            if self._event.is_set():
                return
            self._waiting.append((asyncio.get_running_loop(), event))
        await event.wait()

    def __await__(self) -> Generator[object, None, None]:
        yield from self.seen().__await__()

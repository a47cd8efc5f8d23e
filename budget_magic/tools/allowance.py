"""How long work in a worker thread may go on: until its time is up, or nobody waits for it."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from anyio.to_thread import run_sync


class Allowance:
    """The time of one call; the work looks at it, since a thread cannot be ended from outside.

    Parameters
    ----------
    limit_s
        Seconds that the call may take.
    """

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._until_s = time.monotonic() + limit_s
        self._lock = threading.Lock()
        self._is_withdrawn = False
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_over(self) -> bool:
        """Whether the work must end now."""
        return self._is_withdrawn or self.left_s <= 0

    @property
    def left_s(self) -> float:
        """Seconds left, not below 0."""
        return max(self._until_s - time.monotonic(), 0.0)

    def withdraw(self) -> None:
        """End the work: nobody waits for it any more. Its process is killed at once."""
        with self._lock:
            self._is_withdrawn = True
            if self._process is not None:
                self._process.kill()

    @contextmanager
    def killing(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        """Let the process live no longer than the allowance or the block, and reap it."""
        with self._lock:
            self._process = process
            if self._is_withdrawn:
                process.kill()
        try:
            with process:
                try:
                    yield
                finally:
                    process.kill()
        finally:
            with self._lock:
                self._process = None


async def in_thread(function: Callable[[Allowance], str], limit_s: float) -> str:
    """Return what a function gives, run in a worker thread.

    A cancellation does not wait for the thread: it withdraws the allowance, and the work ends soon.
    """
    allowance = Allowance(limit_s)
    try:
        return await run_sync(partial(function, allowance), abandon_on_cancel=True)
    finally:
        allowance.withdraw()

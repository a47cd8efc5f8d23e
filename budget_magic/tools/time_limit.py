"""How long work in a worker thread may go on: until its time is up, or its call is cancelled."""

from __future__ import annotations

import time

from budget_magic.tools.context import CURRENT_CALL, CancelToken


class TimeLimit:
    """The seconds of one call; the work checks it, since a thread cannot be ended from outside.

    `cancel` ends it sooner; None takes the token of the call in which this code runs.
    """

    def __init__(self, limit_s: float, cancel: CancelToken | None = None) -> None:
        call = CURRENT_CALL.get()
        self.limit_s = limit_s
        self.cancel = cancel or (call.cancel if call else CancelToken())
        self._until_s = time.monotonic() + limit_s

    @property
    def is_over(self) -> bool:
        """Whether the work must end now."""
        return self.cancel.is_cancelled or self.left_s <= 0

    @property
    def left_s(self) -> float:
        """Seconds left, not below 0."""
        return max(self._until_s - time.monotonic(), 0.0)

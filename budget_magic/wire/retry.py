"""Which failures are tried again, and after how long."""

from __future__ import annotations

from typing import Final

from budget_magic.errors import ApiError, ConnectionBroken, WireError

MAX_ATTEMPTS: Final = 4
"""Requests that one step may send."""
FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 8.0
"""Longest pause of our own choice."""
LONGEST_ASKED_WAIT_S: Final = 3600.0
"""Longest pause that a server may ask for; a longer one is cut to this."""
STATUSES: Final = frozenset({408, 409, 429})
SERVER_ERRORS: Final = 500
TYPES_IN_MID_STREAM: Final = frozenset(
    {"overloaded_error", "api_error", "timeout_error", "rate_limit_error"}
)
SPEND_LIMIT: Final = "enforced_spend_limit_reached"
"""`error_code` of a 429 that waiting does not resolve (platform.claude.com, "Errors", 2026-11)."""


def retry_wait_s(error: WireError, *, attempt: int, jitter: float) -> float | None:
    """Return the seconds to wait before the next attempt; None if it is not worth trying.

    `attempt` is the number of the failed attempt, from 1; `jitter` is in [0, 1) and spreads out
    clients which failed together.
    """
    if attempt >= MAX_ATTEMPTS or not _is_passing(error):
        return None
    if isinstance(error, ApiError) and error.retry_after_s is not None:
        return min(error.retry_after_s, LONGEST_ASKED_WAIT_S)
    wait = min(FIRST_WAIT_S * 2.0 ** (attempt - 1), LONGEST_WAIT_S)
    return wait * (1 - jitter / 4)


def _is_passing(error: WireError) -> bool:
    match error:
        case ConnectionBroken():
            return True
        case ApiError() if error.error_code == SPEND_LIMIT:
            return False
        case ApiError() if error.in_mid_stream:
            return error.error_type in TYPES_IN_MID_STREAM
        case ApiError():
            return error.status in STATUSES or error.status >= SERVER_ERRORS
        case _:
            return False

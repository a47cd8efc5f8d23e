"""What can go wrong on purpose: error statuses, errors in mid-stream, drops, silence, slowness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from budget_magic.simulator.refusal import ERROR_TYPES, Refused
from budget_magic.simulator.signals import Signal

Kind = Literal["status", "refuse", "error_event", "drop", "truncate", "silence", "hold", "slow"]
Billed = Literal["streamed", "all", "nothing"]
On = int | Sequence[int] | None
"""Which of the POSTs to /v1/messages, counted from 0; None means every one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong with one request, or with all.

    Write one with the functions of this module: `rate_limit(on=0, retry_after=2)`.
    A fault happens when the reply has got as far as `after_bytes` or `after_events` say; without
    either after four events, that is after the first delta. `before_headers` makes it happen before
    the client has got anything at all.
    """

    kind: Kind
    on: On = None
    after_events: int | None = None
    after_bytes: int | None = None
    before_headers: bool = False
    status: int = 500
    error_type: str | None = None
    message: str = "This error is simulated."
    retry_after: float | str | None = None
    """The `retry-after` header; None leaves it out."""
    error_code: str | None = None
    """`error.details.error_code`."""
    until: Signal | None = None
    """A held reply goes on when this is set."""
    tokens_per_s: float | None = None
    """Pace of a slow reply."""
    billed: Billed = "streamed"
    """What a broken reply costs: what was generated until then, the whole reply, or nothing."""

    def is_on(self, number: int) -> bool:
        """Whether it hits the request of that number."""
        if self.on is None or isinstance(self.on, int):
            return self.on is None or self.on == number
        return number in self.on

    @property
    def breaks(self) -> bool:
        """Whether the reply does not come to its end."""
        return self.kind in ("error_event", "drop", "truncate", "silence")

    def refusal(self) -> Refused:
        """The error status it answers with."""
        headers = {}
        if self.retry_after is not None:
            headers["retry-after"] = str(self.retry_after)
        return Refused(
            self.message,
            status=self.status,
            headers=headers,
            error_type=self.error_type,
            error_code=self.error_code,
        )


def status_error(
    status: int,
    *,
    on: On = None,
    message: str = "This error is simulated.",
    retry_after: float | str | None = None,
    error_code: str | None = None,
) -> Fault:
    """A request answered by an error status, such as 500."""
    return Fault(
        kind="status",
        on=on,
        status=status,
        message=message,
        retry_after=retry_after,
        error_code=error_code,
    )


def rate_limit(*, on: On = None, retry_after: float | str | None = 1) -> Fault:
    """A 429 with `retry-after` seconds."""
    message = "This request would exceed your organization's rate limit (simulated)."
    return status_error(429, on=on, message=message, retry_after=retry_after)


def overloaded(*, on: On = None) -> Fault:
    """A 529."""
    return status_error(529, on=on, message="Overloaded")


def refused_connection(*, on: On = None) -> Fault:
    """No connection: the request never arrives and costs nothing. In process only."""
    return Fault(kind="refuse", on=on)


def error_event(
    *,
    on: On = None,
    error_type: str = ERROR_TYPES[529],
    message: str = "Overloaded",
    after_events: int | None = None,
    billed: Billed = "streamed",
) -> Fault:
    """An `event: error` in mid-stream, under status 200."""
    return Fault(
        kind="error_event",
        on=on,
        error_type=error_type,
        message=message,
        after_events=after_events,
        billed=billed,
    )


def drop(
    *,
    on: On = None,
    after_bytes: int | None = None,
    after_events: int | None = None,
    before_headers: bool = False,
    billed: Billed = "streamed",
) -> Fault:
    """A connection that breaks, at any byte of the stream or before the headers."""
    return Fault(
        kind="drop",
        on=on,
        after_bytes=after_bytes,
        after_events=after_events,
        before_headers=before_headers,
        billed=billed,
    )


def truncate(
    *,
    on: On = None,
    after_bytes: int | None = None,
    after_events: int | None = None,
    billed: Billed = "streamed",
) -> Fault:
    """A stream that ends in good order, but without `message_stop`."""
    return Fault(
        kind="truncate", on=on, after_bytes=after_bytes, after_events=after_events, billed=billed
    )


def silence(
    *,
    on: On = None,
    after_bytes: int | None = None,
    after_events: int | None = None,
    before_headers: bool = False,
    billed: Billed = "streamed",
) -> Fault:
    """A socket that stays open and sends nothing more until the client goes away."""
    return Fault(
        kind="silence",
        on=on,
        after_bytes=after_bytes,
        after_events=after_events,
        before_headers=before_headers,
        billed=billed,
    )


def hold(
    until: Signal,
    *,
    on: On = None,
    after_events: int | None = None,
    before_headers: bool = False,
) -> Fault:
    """A reply that waits for a signal and then goes on as if nothing had been."""
    return Fault(
        kind="hold", on=on, until=until, after_events=after_events, before_headers=before_headers
    )


def slow(tokens_per_s: float, *, on: On = None) -> Fault:
    """A reply that streams at this pace, in real time."""
    return Fault(kind="slow", on=on, tokens_per_s=tokens_per_s)

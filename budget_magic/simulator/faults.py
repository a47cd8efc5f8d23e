"""Injected faults: error statuses, errors mid-stream, drops, silence, slow replies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

from budget_magic.simulator.errors import ApiError
from budget_magic.simulator.signals import Signal

Kind = Literal["status", "refuse", "error_event", "drop", "truncate", "silence", "hold", "slow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong with one, several or all requests.

    The functions below construct faults, as in `rate_limit(on=0, retry_after=2)`. A fault in the
    body happens at `after_bytes` or `after_events`; without either after four events, which is
    after the first delta.
    """

    kind: Kind
    on: int | Sequence[int] | None = None
    """Which of the POSTs to /v1/messages, counted from 0; None means every one."""
    after_events: int | None = None
    after_bytes: int | None = None
    before_headers: bool = False
    """Happen before the client has received anything."""
    status: int = 500
    error_type: str | None = None
    message: str = "This error is simulated."
    retry_after: float | str | None = None
    """The `retry-after` header; None leaves it out."""
    error_code: str | None = None
    """`error.details.error_code`."""
    until: Signal | None = None
    """A held reply continues when this is set."""
    tokens_per_s: float | None = None
    """Pace of a slow reply."""
    billed: Literal["streamed", "all", "nothing"] = "streamed"
    """What a broken reply costs: what was generated until then, the whole reply, or nothing."""

    def applies_to(self, number: int) -> bool:
        """Return whether the request with this number is affected."""
        if self.on is None or isinstance(self.on, int):
            return self.on in (None, number)
        return number in self.on

    @property
    def breaks_reply(self) -> bool:
        """Whether the reply does not reach its end."""
        return self.kind in ("error_event", "drop", "truncate", "silence")

    @property
    def is_in_body(self) -> bool:
        """Whether it happens after the headers."""
        return not self.before_headers and (self.breaks_reply or self.kind == "hold")

    @property
    def error(self) -> ApiError:
        """The error that the client receives."""
        return ApiError(
            self.message,
            status=self.status,
            headers={} if self.retry_after is None else {"retry-after": str(self.retry_after)},
            error_type=self.error_type,
            error_code=self.error_code,
        )


refused_connection: Final = partial(Fault, kind="refuse")
"""No connection: the request never arrives and costs nothing."""
error_event: Final = partial(
    Fault, kind="error_event", error_type="overloaded_error", message="Overloaded"
)
"""An `event: error` mid-stream, under status 200."""
drop: Final = partial(Fault, kind="drop")
"""A connection that breaks, at any byte of the stream or before the headers."""
truncate: Final = partial(Fault, kind="truncate")
"""A stream that ends properly, but without `message_stop`."""
silence: Final = partial(Fault, kind="silence")
"""A connection that stays open and sends nothing more until the client disconnects."""
rate_limit: Final = partial(
    Fault,
    kind="status",
    status=429,
    message="This request would exceed your organization's rate limit (simulated).",
    retry_after=1,
)
overloaded: Final = partial(Fault, kind="status", status=529, message="Overloaded")


def status_error(status: int, **options: Any) -> Fault:
    """Return a fault that answers with an error status; `options` are fields of `Fault`."""
    return Fault(kind="status", status=status, **options)


def hold(until: Signal, **options: Any) -> Fault:
    """Return a fault that holds the reply until a signal is set; `options` as above."""
    return Fault(kind="hold", until=until, **options)


def slow(tokens_per_s: float, **options: Any) -> Fault:
    """Return a fault that streams at this pace, in real time; `options` as above."""
    return Fault(kind="slow", tokens_per_s=tokens_per_s, **options)

"""Requests to Claude: what is sent, what streams back, and what is retried."""

from budget_magic.wire.learned import Learned
from budget_magic.wire.request import Request
from budget_magic.wire.retry import MAX_ATTEMPTS, retry_wait_s
from budget_magic.wire.stream import (
    BlockStart,
    ContentDelta,
    MessageStart,
    Refusal,
    Reply,
    WireEvent,
)

__all__ = [
    "MAX_ATTEMPTS",
    "BlockStart",
    "ContentDelta",
    "Learned",
    "MessageStart",
    "Refusal",
    "Reply",
    "Request",
    "WireEvent",
    "retry_wait_s",
]

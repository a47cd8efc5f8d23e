"""HOW WE SPEAK TO CLAUDE: what is sent, what streams back, what is tried again."""

from budget_magic.wire.client import (
    BlockStart,
    Client,
    ContentDelta,
    Learned,
    MessageStart,
    Reply,
    WireEvent,
)
from budget_magic.wire.request import Request
from budget_magic.wire.retry import MAX_ATTEMPTS, retry_wait_s

__all__ = [
    "MAX_ATTEMPTS",
    "BlockStart",
    "Client",
    "ContentDelta",
    "Learned",
    "MessageStart",
    "Reply",
    "Request",
    "WireEvent",
    "retry_wait_s",
]

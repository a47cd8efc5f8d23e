"""HOW WE SPEAK TO CLAUDE: what is sent, what streams back, what is tried again."""

from budget_magic.wire.client import Begun, BlockBegun, Client, Learned, Piece, Reply, WireEvent
from budget_magic.wire.request import Request
from budget_magic.wire.retry import MAX_ATTEMPTS, retry_wait_s

__all__ = [
    "MAX_ATTEMPTS",
    "Begun",
    "BlockBegun",
    "Client",
    "Learned",
    "Piece",
    "Reply",
    "Request",
    "WireEvent",
    "retry_wait_s",
]

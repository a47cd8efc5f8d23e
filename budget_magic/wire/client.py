"""The seam between the loop and whatever answers: a client, and the events of one reply."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Protocol

from budget_magic.events import DeltaKind, Usage
from budget_magic.wire.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The reply began: its input figures are final, its output figures are not."""

    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockBegun:
    """A content block began to stream."""

    block: int
    kind: DeltaKind
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of a block."""

    block: int
    kind: DeltaKind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole reply, ended by `message_stop`."""

    content: tuple[dict[str, Any], ...]
    """Content blocks as the API's JSON, to be sent back unchanged."""
    stop_reason: str | None
    usage: Usage
    model: str
    request_id: str | None = None


WireEvent = Begun | BlockBegun | Piece | Reply


class Client(Protocol):
    """Whatever answers: the real API through the SDK, or the simulator behind the same SDK."""

    def stream(self, request: Request) -> AsyncGenerator[WireEvent, None]:
        """The events of one reply, the last a `Reply`.

        Raises
        ------
        ApiError
            The server said no, by status or in mid-stream.
        ConnectionBroken
            No connection, a dropped stream, or one without `message_stop`.
        """
        ...

    async def count_tokens(self, request: Request) -> int | None:
        """The API's own estimate of the prompt in tokens; None where it cannot be had."""
        ...

"""The seam between the loop and whatever answers: a client, and the events of one reply."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from budget_magic.events import DeltaKind, Usage
from budget_magic.wire.request import Request


@dataclass(slots=True, kw_only=True)
class Learned:
    """What replies have shown of a client; all tasks that use it share this."""

    default_geo: str | None = None
    """Region that serves requests which name none, `us` or `global`; None until a reply says it."""
    ignores_geo: bool = False
    """Whether a reply came from another region than its request named."""
    is_fast: bool = False
    """Whether a reply was served in fast mode, which a client may ask for by itself."""
    count_errors: dict[str, Decimal] = field(default_factory=dict)
    """By model: the largest share by which a billed prompt was above its counted tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageStart:
    """The reply began: its input figures are final, its output figures are not."""

    usage: Usage | None
    """None where they cannot be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockStart:
    """A content block began to stream."""

    block: int
    kind: DeltaKind
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentDelta:
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
    usage: Usage | None
    """None where the figures cannot be right, so that nobody knows what was billed."""
    model: str | None
    """Model that answered; None where the reply names none."""
    request_id: str | None = None


WireEvent = MessageStart | BlockStart | ContentDelta | Reply


class Client(Protocol):
    """Whatever answers: the real API through the SDK, or the simulator behind the same SDK."""

    @property
    def learned(self) -> Learned:
        """What its replies have shown so far; changed on the loop's thread."""
        ...

    @property
    def takes_inference_geo(self) -> bool:
        """Whether the server knows `inference_geo`: the first-party API does."""
        ...

    def stream(self, request: Request) -> AsyncGenerator[WireEvent, None]:
        """Return the events of one reply, the last a `Reply`.

        Raises
        ------
        ApiError
            The server said no, by status or in mid-stream.
        ConnectionBroken
            No connection, a dropped stream, or one without `message_stop`.
        """
        ...

    async def count_tokens(self, request: Request) -> int | None:
        """Return the API's own estimate of the prompt in tokens; None where it cannot be had."""
        ...

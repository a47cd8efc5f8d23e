"""The events of one reply as it streams."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from budget_magic.events import DeltaKind, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageStart:
    """The reply began: its input figures are final, its output figures are not."""

    usage: Usage | None
    """None if they cannot be right."""


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
class Refusal:
    """What the API says of a refused reply, as it came; empty where it says nothing."""

    category: str = ""
    """Such as `cyber`."""
    explanation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole reply, ended by `message_stop`."""

    content: tuple[dict[str, Any], ...]
    """Content blocks as the API's JSON, to be sent back unchanged."""
    stop_reason: str | None
    usage: Usage | None
    """None if the figures cannot be right, so that nobody knows what was billed."""
    model: str | None
    """Model that answered; None if the reply names none."""
    request_id: str | None = None
    refusal: Refusal = field(default_factory=Refusal)

    @property
    def text(self) -> str:
        """All text of the reply, without whitespace around it."""
        return "".join(part["text"] for part in self.content if part["type"] == "text").strip()


WireEvent = MessageStart | BlockStart | ContentDelta | Reply

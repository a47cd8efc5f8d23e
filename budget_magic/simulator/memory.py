"""What one simulator remembers of the replies it gave: counts that the text alone does not tell."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Memory:
    """Counts by place in a conversation: what was billed as output counts the same later."""

    block_tokens: dict[bytes, int] = field(default_factory=dict)
    """Tokens of generated blocks, by digest of the conversation up to and with the block."""
    result_tokens: dict[str, int] = field(default_factory=dict)
    """Pinned tokens of tool results, by the id of their call."""
    paused: set[bytes] = field(default_factory=set)
    """Digests of conversations that end with a `pause_turn` reply, which may be sent back as is."""

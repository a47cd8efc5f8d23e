"""Tokens of text that still streams: an estimate that each finished reply makes better."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from budget_magic.events import DeltaKind, Usage

SEED: Final[dict[DeltaKind, float]] = {"thinking": 5.0, "text": 3.0, "call": 2.5}
"""Characters per token to start with (our own measurement on English and JSON, 2026-11).

For thinking it is more than prose has: what is said of it while it streams must not be too much.
"""
BLOCK_TOKENS: Final = 4
"""What a block of text or a call takes beside its text: its marks, the name of a tool."""
_WEIGHT: Final = 0.5
"""How much the newest reply weighs in the calibration."""
_RANGE: Final = (0.8, 8.0)
_SPOKEN: Final[tuple[DeltaKind, ...]] = ("text", "call")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratios:
    """Characters per token, by kind of block."""

    thinking: float = SEED["thinking"]
    text: float = SEED["text"]
    call: float = SEED["call"]

    def of(self, kind: DeltaKind) -> float:
        """Characters per token of one kind of block."""
        match kind:
            case "thinking":
                return self.thinking
            case "text":
                return self.text
            case "call":
                return self.call

    def tokens(self, kind: DeltaKind, characters: int) -> int:
        """Estimated tokens of this many streamed characters; from below for thinking."""
        return round(characters / self.of(kind))

    def block_tokens(self, kind: DeltaKind, characters: int) -> int:
        """Estimated tokens of a whole block; from below for thinking."""
        marks = BLOCK_TOKENS if kind in _SPOKEN else 0
        return self.tokens(kind, characters) + marks

    def calibrated(
        self, characters: dict[DeltaKind, int], usage: Usage, *, blocks: int = 0
    ) -> Ratios:
        """Return the ratios after a reply whose exact usage is known.

        Thinking stays as it is: only its summary streams, so its length says little.

        Parameters
        ----------
        characters
            What streamed, by kind of block.
        usage
            Exact figures of the reply.
        blocks
            How many blocks of text and calls it had.
        """
        spoken = usage.output_tokens - usage.thinking_tokens - BLOCK_TOKENS * blocks
        guess = sum(characters.get(kind, 0) / self.of(kind) for kind in _SPOKEN)
        if spoken <= 0 or guess <= 0:
            return self
        factor = 1 + _WEIGHT * (guess / spoken - 1)
        low, high = _RANGE
        return replace(
            self,
            text=min(max(self.text * factor, low), high) if characters.get("text") else self.text,
            call=min(max(self.call * factor, low), high) if characters.get("call") else self.call,
        )


def split_output(usage: Usage, ratios: Ratios, *, text: int, call: int) -> tuple[int, int, bool]:
    """Return tokens of text and of calls in one reply, and whether that split is an estimate.

    Parameters
    ----------
    usage
        Exact figures of the reply.
    ratios
        Characters per token.
    text, call
        Characters of text and of call JSON in the reply.
    """
    spoken = max(usage.output_tokens - usage.thinking_tokens, 0)
    if not call:
        return spoken, 0, False
    if not text:
        return 0, spoken, False
    text_guess, call_guess = text / ratios.text, call / ratios.call
    share = round(spoken * text_guess / (text_guess + call_guess))
    return share, spoken - share, True

"""Estimate the tokens of streaming text; each finished reply improves the estimate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from budget_magic.events import DeltaKind, Usage

SEED: Final[dict[DeltaKind, float]] = {"thinking": 5.0, "text": 3.0, "call": 2.5}
"""Initial characters per token (our own measurement on English and JSON, 2026-11).

Above that of prose for thinking, so that its estimate while it streams is not too high.
"""
BLOCK_TOKENS: Final = 4
"""Overhead of a block of text or a call: its delimiters, the name of a tool."""
_WEIGHT: Final = 0.5
"""Weight of the newest reply in the calibration."""
_RANGE: Final = (0.8, 8.0)
_SPOKEN: Final[tuple[DeltaKind, ...]] = ("text", "call")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratios:
    """Characters per token, by kind of block."""

    thinking: float = SEED["thinking"]
    text: float = SEED["text"]
    call: float = SEED["call"]

    def of(self, kind: DeltaKind) -> float:
        """Return the characters per token of one kind of block."""
        ratio: float = getattr(self, kind)
        return ratio

    def tokens(self, kind: DeltaKind, characters: int) -> int:
        """Return the estimated tokens of streamed characters; rather too few for thinking."""
        return round(characters / self.of(kind))

    def block_tokens(self, kind: DeltaKind, characters: int) -> int:
        """Return the estimated tokens of a whole block; rather too few for thinking."""
        overhead = BLOCK_TOKENS if kind in _SPOKEN else 0
        return self.tokens(kind, characters) + overhead

    def calibrated(
        self, characters: dict[DeltaKind, int], usage: Usage, *, blocks: int = 0
    ) -> Ratios:
        """Return the ratios after a reply whose exact usage is known.

        `characters` holds what streamed by kind of block; `blocks` counts text and calls. Thinking
        keeps its ratio: only its summary streams, so its length says little.
        """
        spoken = usage.output_tokens - usage.thinking_tokens - BLOCK_TOKENS * blocks
        guess = sum(characters.get(kind, 0) / self.of(kind) for kind in _SPOKEN)
        if spoken <= 0 or guess <= 0:
            return self
        factor = 1 + _WEIGHT * (guess / spoken - 1)
        low, high = _RANGE
        changed = {
            kind: min(max(self.of(kind) * factor, low), high)
            for kind in _SPOKEN
            if characters.get(kind)
        }
        return replace(self, **changed)


def split_output(usage: Usage, ratios: Ratios, *, text: int, call: int) -> tuple[int, int, bool]:
    """Return the tokens of text and of calls in one reply, and whether the split is an estimate.

    `text` and `call` are the characters of text and of call JSON in the reply.
    """
    spoken = max(usage.output_tokens - usage.thinking_tokens, 0)
    if not call:
        return spoken, 0, False
    if not text:
        return 0, spoken, False
    text_guess, call_guess = text / ratios.text, call / ratios.call
    share = round(spoken * text_guess / (text_guess + call_guess))
    return share, spoken - share, True

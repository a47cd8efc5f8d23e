"""What the API says it used for one reply, under the API's own names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Final

OUTSIDE_THE_SUM: Final = frozenset({"compaction", "advisor_message"})
"""Kinds of iterations whose tokens are not in the top-level figures (SDK 2.12, `BetaUsage`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCounts:
    """Tokens that are billed; the four kinds of prompt and output tokens are disjoint."""

    input_tokens: int = 0
    """Prompt tokens that were neither read from the cache nor written to it."""
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    """Prompt tokens written to the cache, for five minutes and for one hour together."""
    cache_creation_1h_input_tokens: int = 0
    """The part of the writes that is kept for one hour."""
    output_tokens: int = 0

    @property
    def prompt_tokens(self) -> int:
        """Size of the prompt: input, cache reads and cache writes together."""
        return self.input_tokens + self.cache_read_input_tokens + self.cache_creation_input_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationUsage(TokenCounts):
    """One entry of `usage.iterations`: a part of the reply that was billed on its own."""

    kind: str
    """`message`, `compaction`, `advisor_message` or `fallback_message`."""
    model: str | None = None
    """Model that served the part; None if it is the requested one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage(TokenCounts):
    """Tokens of one reply."""

    thinking_tokens: int = 0
    """The part of `output_tokens` that is thinking (raw, not its summary)."""
    web_search_requests: int = 0
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    """Region that served the request: as reported, else as the request named it."""
    iterations: tuple[IterationUsage, ...] = ()
    """Parts billed one by one; empty if the reply was served in one."""

    @property
    def parts(self) -> tuple[IterationUsage, ...]:
        """What is priced one by one: the iterations; without any, the whole reply."""
        counts = {one.name: getattr(self, one.name) for one in fields(TokenCounts)}
        return self.iterations or (IterationUsage(kind="message", **counts),)

    @property
    def billed(self) -> TokenCounts:
        """All parts together, each kind of tokens once.

        Iterations are parts of the top-level figures, or stand outside of them. If the parts are
        more than the whole, they count.
        """
        if not self.iterations:
            return self
        outside = [part for part in self.iterations if part.kind in OUTSIDE_THE_SUM]
        inside = [part for part in self.iterations if part.kind not in OUTSIDE_THE_SUM]

        def total(count: Callable[[TokenCounts], int]) -> int:
            return max(count(self), sum(map(count, inside))) + sum(map(count, outside))

        names = [one.name for one in fields(TokenCounts)]
        return TokenCounts(**{name: total(attrgetter(name)) for name in names})

    @property
    def ceiling_tokens(self) -> int:
        """Tokens that count against a token ceiling: input, cache writes and output, all parts."""
        billed = self.billed
        return billed.input_tokens + billed.cache_creation_input_tokens + billed.output_tokens

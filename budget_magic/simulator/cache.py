"""The prompt cache: how much of a prompt is read, written, and billed as plain input."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from budget_magic.simulator.prompt import Prompt, extend_digest
from budget_magic.simulator.request import Request
from budget_magic.simulator.tokens import canonical_json

_LOOK_BACK: Final = 20
"""Blocks that a breakpoint searches for an earlier entry, its own block included."""
_SECONDS: Final = {"5m": 300.0, "1h": 3600.0}


class Split(NamedTuple):
    """The tokens of a prompt by how the cache treated them."""

    input_tokens: int
    read: int
    write_5m: int
    write_1h: int


class PromptCache:
    """Cache entries, by a digest of everything that is part of the prefix."""

    def __init__(self, clock: Callable[[], float], *, miss_rate: float, seed: int) -> None:
        self._clock = clock
        self._miss_rate = miss_rate
        self._random = random.Random(f"{seed}/misses")  # noqa: S311 - reproducible, not secret
        self._entries: dict[bytes, tuple[float, str]] = {}

    def charge(self, prompt: Prompt) -> Split:
        """Split the tokens of a prompt, and store and renew its entries."""
        now = self._clock()
        request = prompt.request
        root = _root_digest(request)
        keys = [extend_digest(root, segment.digest.hex()) for segment in prompt.segments]
        sizes = list(accumulate(segment.tokens for segment in prompt.segments))
        breakpoints = {
            place: segment.ttl
            for place, segment in enumerate(prompt.segments)
            if segment.ttl is not None and sizes[place] >= request.model.min_cache_tokens
        }
        misses = self._miss_rate > 0 and self._random.random() < self._miss_rate
        found = None if misses else self._find(keys, list(breakpoints), now)
        covered = read = 0
        if found is not None:
            covered = read = sizes[found]
            ttl = self._entries[keys[found]][1]
            self._entries[keys[found]] = (now + _SECONDS[ttl], ttl)
        written = {"5m": 0, "1h": 0}
        for place, ttl in breakpoints.items():
            written[ttl] += max(0, sizes[place] - covered)
            covered = max(covered, sizes[place])
            if place != found:
                self._entries[keys[place]] = (now + _SECONDS[ttl], ttl)
        return Split(prompt.tokens - covered, read, written["5m"], written["1h"])

    def _find(self, keys: Sequence[bytes], breakpoints: Sequence[int], now: float) -> int | None:
        """Return the last block that ends a live entry within reach of a breakpoint."""
        for start in reversed(breakpoints):
            for place in range(start, max(-1, start - _LOOK_BACK), -1):
                expires, _ = self._entries.get(keys[place], (now, ""))
                if expires > now:
                    return place
        return None


def _root_digest(request: Request) -> bytes:
    """Return the digest of everything in the prefix that is not one of its blocks."""
    budget, choice = request.budget, request.body.tool_choice
    parts = [
        request.model.id,
        request.effort,
        None if budget is None else [budget.total, budget.remaining],
        [request.thinking.type, request.thinking.budget_tokens],
        choice.get("type"),
        choice.get("name"),
        request.body.speed,
    ]
    return extend_digest(b"cache", canonical_json(parts))

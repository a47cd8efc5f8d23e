"""The prompt cache: what of a prompt is read, what is written, what counts as plain input."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from budget_magic.simulator.prompt import Prompt, extend
from budget_magic.simulator.request import Request
from budget_magic.simulator.tokens import compact_json

LOOK_BACK: Final = 20
"""Blocks that each breakpoint looks back for an earlier entry, itself included."""
SECONDS: Final = {"5m": 300.0, "1h": 3600.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The tokens of one prompt by what the cache made of them."""

    input_tokens: int
    read: int
    write_5m: int
    write_1h: int


class PromptCache:
    """Entries by everything that takes part in the prefix.

    Parameters
    ----------
    clock
        Seconds, for expiry.
    miss_rate
        Share of requests, by seed, whose entries are not found although they should be.
    seed
        Decides which requests miss.
    """

    def __init__(self, clock: Callable[[], float], *, miss_rate: float, seed: int) -> None:
        self._clock = clock
        self._miss_rate = miss_rate
        self._random = random.Random(f"{seed}/misses")  # noqa: S311 - reproducible, not secret
        self._entries: dict[bytes, tuple[float, str]] = {}

    def charge(self, request: Request, prompt: Prompt) -> Split:
        """Split the prompt and keep what it writes; a read renews its entry."""
        now = self._clock()
        root = _root(request)
        sizes = _running_sizes(prompt)
        marks = [
            (place, segment.ttl)
            for place, segment in enumerate(prompt.segments)
            if segment.ttl is not None and sizes[place] >= request.model.min_cache_tokens
        ]
        missed = self._miss_rate > 0 and self._random.random() < self._miss_rate
        found = -1 if missed else self._find(prompt, root, [place for place, _ in marks], now)
        read = sizes[found] if found >= 0 else 0
        if found >= 0:
            key = extend(root, prompt.segments[found].digest.hex())
            ttl = self._entries[key][1]
            self._entries[key] = (now + SECONDS[ttl], ttl)
        written = {"5m": 0, "1h": 0}
        covered = read
        for place, ttl in marks:
            written[ttl] += max(0, sizes[place] - covered)
            covered = max(covered, sizes[place])
            if place != found:
                key = extend(root, prompt.segments[place].digest.hex())
                self._entries[key] = (now + SECONDS[ttl], ttl)
        return Split(
            input_tokens=prompt.tokens - covered,
            read=read,
            write_5m=written["5m"],
            write_1h=written["1h"],
        )

    def _find(self, prompt: Prompt, root: bytes, marks: list[int], now: float) -> int:
        """The furthest block that an entry ends with, within reach of a breakpoint; -1 for none."""
        for mark in reversed(marks):
            for place in range(mark, max(-1, mark - LOOK_BACK), -1):
                key = extend(root, prompt.segments[place].digest.hex())
                entry = self._entries.get(key)
                if entry is not None and entry[0] > now:
                    return place
        return -1


def _running_sizes(prompt: Prompt) -> list[int]:
    sizes, total = [], 0
    for segment in prompt.segments:
        total += segment.tokens
        sizes.append(total)
    return sizes


def _root(request: Request) -> bytes:
    """The digest of all that is in the prefix but not a block of it."""
    budget = request.budget
    parts = [
        request.model.id,
        request.effort,
        None if budget is None else [budget.total, budget.remaining],
        [request.thinking.type, request.thinking.budget_tokens],
        request.sent.tool_choice.get("type"),
        request.sent.tool_choice.get("name"),
        request.sent.speed,
    ]
    return extend(b"cache", compact_json(parts))

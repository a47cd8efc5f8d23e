"""Suggest a budget that leaves room when it is taken."""

from __future__ import annotations

from typing import Final

from budget_magic.models import MINIMUM_BUDGET_TOKENS

LITTLE_TOKENS: Final = 10_000
LITTLE_SHARE: Final = 0.2
"""A turn that starts with less than either is warned of."""
ROOM_TOKENS: Final = 20_000
"""Least room that a suggested budget leaves."""
DIGITS: Final = 3
"""Significant digits of a suggested budget."""


def is_little(left: int, budget: int) -> bool:
    """Return whether so little of a budget is left that a turn may be cut short."""
    return left < LITTLE_TOKENS or left < budget * LITTLE_SHARE


def budget_with_room(budget: int, used: int) -> int:
    """Return the budget to suggest in place of one of which so much is used.

    It is the present budget doubled until it leaves at least half of that budget, 20,000 tokens and
    a fifth of itself; rounded up to three digits.

    >>> [budget_with_room(64_000, used) for used in (55_000, 81_000, 150_000)]
    [128000, 128000, 256000]
    """
    budget = max(budget, MINIMUM_BUDGET_TOKENS)
    room, more = max(budget // 2, ROOM_TOKENS), budget * 2
    while more < used + room or is_little(more - used, more):
        more *= 2
    place: int = 10 ** max(len(str(more)) - DIGITS, 0)
    return -(-more // place) * place

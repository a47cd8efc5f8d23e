"""Stuck loops: the same call with the same result, again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from budget_magic.settings import StuckRule


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedCall:
    """A call that ran; equal ones are repetitions."""

    name: str
    input: str
    """As JSON with sorted keys."""
    result: str


def is_stuck(calls: Sequence[CompletedCall], rule: StuckRule | None) -> bool:
    """Return whether the newest call has come too often lately; never without a rule.

    >>> same = CompletedCall(name="read", input="{}", result="x")
    >>> is_stuck([same, same], StuckRule()), is_stuck([same, same, same], StuckRule())
    (False, True)
    """
    if rule is None or not calls:
        return False
    return list(calls[-rule.among :]).count(calls[-1]) >= rule.repeats

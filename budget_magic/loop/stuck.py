"""Stuck loops: the same call with the same result, again and again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from budget_magic.settings import StuckRule


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedCall:
    """A call that ran, as it is compared."""

    name: str
    input: str
    """As JSON with its keys in order."""
    result: str


def made(name: str, arguments: dict[str, Any], result: str) -> CompletedCall:
    """Return a call that ran, ready to be compared.

    >>> made("read", {"b": 1, "a": 2}, "x").input
    '{"a": 2, "b": 1}'
    """
    return CompletedCall(
        name=name, input=json.dumps(arguments, sort_keys=True, ensure_ascii=False), result=result
    )


def is_stuck(calls: Sequence[CompletedCall], rule: StuckRule | None) -> bool:
    """Return whether the newest call has come too often lately; never without a rule.

    >>> same = made("read", {}, "x")
    >>> is_stuck([same, same], StuckRule()), is_stuck([same, same, same], StuckRule())
    (False, True)
    """
    if rule is None or not calls:
        return False
    return list(calls[-rule.among :]).count(calls[-1]) >= rule.repeats

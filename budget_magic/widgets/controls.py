"""The commands of the panel's buttons, and what the panel offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal, Protocol, TypeAlias, get_args

from budget_magic.report.numbers import dollars, exact
from budget_magic.report.view_models import CeilingKind

Decision: TypeAlias = Literal["once", "task", "denied"]
CEILINGS: Final[tuple[CeilingKind, ...]] = get_args(CeilingKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Raise:
    """An offer to raise a ceiling; values are exact, as text."""

    by: str
    """As the button shows it, such as `+$2`."""
    value: str
    """The ceiling from which it was computed; once another is in force, the offer is stale."""
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What can be changed while the turn runs, and what that costs."""

    levels: tuple[str, ...] = ()
    """Effort levels of the model; empty if it has none."""
    effort: str = ""
    """The level in force."""
    next_effort: str = ""
    """The level from the next cell on."""
    rewrite_tokens: int = 0
    """Cached tokens that a change now writes to the cache again."""
    rewrite_usd: Decimal | None = None
    """What that costs; None if no price is known."""
    by_message: bool = False
    """Whether the model takes effort per message, which keeps the cache."""
    next_budget: int | None = None
    """Total that the budget can be raised to; None offers none."""
    budget: int | None = None
    """The budget from which that was computed."""
    ceilings: Mapping[CeilingKind, Raise] = field(default_factory=dict)
    """Shown from 90 % on."""


class Controls(Protocol):
    """What the buttons do: each method may be called on any thread and never waits."""

    def stop(self) -> None:
        """Stop the turn."""

    def decide(self, call_id: str, kind: Decision, reason: str) -> None:
        """Answer a call that waits for a person."""

    def set_effort(self, level: str, when: Literal["now", "next"]) -> None:
        """Change the effort, from the next step or the next cell on."""

    def raise_budget(self, value: int, total: int) -> None:
        """Raise the task's budget to `total` tokens, if it is still `value`."""

    def raise_ceiling(self, ceiling: CeilingKind, value: str, to: str) -> None:
        """Raise a ceiling as offered, if it is still `value`."""

    def offers(self) -> Offers:
        """Return the changes that the panel offers now."""


def offers_json(offers: Offers) -> dict[str, Any]:
    """Return the offers as JSON values, their cost in words; an unknown `price` is empty."""
    price = _price(offers.rewrite_usd) if offers.rewrite_tokens else ""
    again = f"{exact(offers.rewrite_tokens)} tokens, "
    again += f"{price} once" if price else "at an unknown price"
    if offers.rewrite_tokens:
        now = f"Now takes effect at the next step and writes the cached prefix again: {again}."
        raised = f"Raising it writes the cached prefix again: {again}."
    else:
        now = "Now takes effect at the next step; nothing is cached yet, so it is free."
        raised = "Nothing is cached yet, so raising it is free."
    kept = "Next cell keeps the cache." if offers.by_message else "Next cell costs the same."
    return {
        "levels": list(offers.levels),
        "effort": offers.effort,
        "next": offers.next_effort or offers.effort,
        "now": now,
        "kept": kept if offers.rewrite_tokens else "",
        "price": price,
        "budget": offers.next_budget,
        "budget_from": offers.budget,
        "budget_text": "" if offers.next_budget is None else exact(offers.next_budget),
        "raised": raised,
        "ceilings": dict.fromkeys(CEILINGS)
        | {
            kind: {"by": one.by, "from": one.value, "to": one.to}
            for kind, one in offers.ceilings.items()
        },
    }


def _price(usd: Decimal | None) -> str:
    if usd is None:
        return ""
    shown = dollars(usd)
    return f"less than +{shown[1:]}" if shown.startswith("<") else f"about +{shown}"

"""The commands of the panel's buttons, and what the panel offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal, Protocol, TypeAlias, get_args

from budget_magic.models import MINIMUM_BUDGET_TOKENS
from budget_magic.report.numbers import compact, dollars
from budget_magic.report.view_models import CeilingKind

Decision: TypeAlias = Literal["once", "task", "denied"]
When: TypeAlias = Literal["now", "next"]
"""From the next step or from the next cell on."""
FREE: Final = "$0.00"
CEILINGS: Final[tuple[CeilingKind, ...]] = get_args(CeilingKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Raise:
    """An offer to raise a ceiling; values are exact, as text."""

    by: str
    """As the button shows it, such as `+$2`."""
    value: str
    """The ceiling from which it was computed; once another is in force, the offer is stale."""
    to: str
    text: str
    """`to` as the button shows it, such as `$7.00`."""


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
    budget: int | None = None
    """The budget in force, in tokens; None if there is none."""
    next_budget: int | None = None
    """The budget from the next cell on."""
    budgets: tuple[int, ...] = ()
    """Others to choose from; empty if the model takes no budget."""
    ceilings: Mapping[CeilingKind, Raise] = field(default_factory=dict)
    """Shown from 90 % on."""


class Controls(Protocol):
    """What the buttons do: each method may be called on any thread and never waits."""

    def stop(self) -> None:
        """Stop the turn."""

    def decide(self, call_id: str, kind: Decision, reason: str) -> None:
        """Answer a call that waits for a person."""

    def set_effort(self, level: str, when: When) -> None:
        """Change the effort, from the next step or the next cell on."""

    def set_budget(self, value: int | None, to: str, when: When) -> None:
        """Change the task's budget to what a person typed, if it is still `value`."""

    def raise_ceiling(self, ceiling: CeilingKind, value: str, to: str) -> None:
        """Raise a ceiling as offered, if it is still `value`."""

    def offers(self) -> Offers:
        """Return the changes that the panel offers now."""


def offers_json(offers: Offers, step: int) -> dict[str, Any]:
    """Return the offers as JSON values, each with its cost in words; `step` is under way."""
    price, cached = _price(offers.rewrite_usd), f"{compact(offers.rewrite_tokens)} tokens"
    rewrites = offers.rewrite_tokens > 0
    is_known = rewrites and price.startswith("+")
    at_least = f"{price} or more" if is_known else "not known yet"
    now = f"From step {step + 1}"
    free = _choice(now, FREE, "Nothing is in the cache yet.")
    effort_now = _choice(
        now,
        price,
        f"The {cached} in the cache are written again: effort is part of what is cached.",
    )
    budget_now = _choice(
        now, price, f"The {cached} in the cache are written again: the budget is part of it."
    )
    effort_next = _choice(
        "Next cell", FREE, f"Keeps the cache. This turn stays at {offers.effort}."
    )
    if rewrites and not offers.by_message:
        why = f"The cache is written again then too. This turn stays at {offers.effort}."
        effort_next = _choice("Next cell", at_least, why)
    budget_next = _choice(
        "Next cell",
        at_least,
        "The cache is written again then too, with what this turn still adds.",
    )
    return {
        "levels": list(offers.levels),
        "effort": offers.effort,
        "next": offers.next_effort or offers.effort,
        "effort_now": effort_now if rewrites else free,
        "effort_next": effort_next,
        "budget": offers.budget,
        "next_budget": offers.next_budget,
        "least_budget": MINIMUM_BUDGET_TOKENS,
        "budgets": list(offers.budgets),
        "budget_now": budget_now if rewrites else free,
        "budget_next": budget_next,
        "ceilings": dict.fromkeys(CEILINGS)
        | {
            kind: {"by": one.by, "from": one.value, "to": one.to, "text": one.text}
            for kind, one in offers.ceilings.items()
        },
    }


def _choice(title: str, price: str, why: str) -> dict[str, str]:
    return {"title": title, "price": price, "why": why}


def _price(usd: Decimal | None) -> str:
    if usd is None:
        return "unknown price"
    shown = dollars(usd)
    return f"under {shown[1:]}" if shown.startswith("<") else f"+{shown} once"

"""Warn before a turn starts with little budget left."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from budget_magic.events import NoticePosted, Suggestion
from budget_magic.loop import TaskContext
from budget_magic.meter.advice import budget_with_room, is_little
from budget_magic.report.numbers import compact, dollars, exact
from budget_magic.session.live_changes import rewrite_cost

CENT: Final = Decimal("0.01")


def low_budget_warning(context: TaskContext, turn: int, left: int | None) -> NoticePosted | None:
    """Return a warning if a turn starts with little budget left, otherwise None."""
    budget = context.settings.budget
    if budget is None or left is None or left == budget:
        return None
    if not is_little(left, budget):
        return None
    cached, price = rewrite_cost(context)
    again = ""
    if cached and price is not None:
        about = "about " if price >= CENT else ""
        again = f" and writes the cached {compact(cached)} again for {about}{dollars(price)}"
    roomy = budget_with_room(budget, budget - left)
    more = Suggestion(action="use", changes={"budget": roomy}, effect=f"gives room{again}")
    text = f"{exact(left)} of {exact(budget)} left"
    if left < 0:
        text = f"{exact(-left)} tokens over {exact(budget)}"
    text += "; Claude may cut this short"
    return NoticePosted(turn=turn, text=text, suggestions=(more,))

"""The two meters: what was counted, and the bill line by line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final, Literal

from budget_magic.events import Record, StepFinished
from budget_magic.meter import Reading, Spend
from budget_magic.meter.cost import (
    MTOK,
    WEB_SEARCH_USD,
    billed_model,
    billing_factor,
    part_prices,
    prices_in_force,
)
from budget_magic.models import PRICES_AS_OF, PriceTable
from budget_magic.report.numbers import ceiling_dollars, dollars, exact, marked
from budget_magic.report.text import one_line
from budget_magic.report.turn_facts import TurnFacts, finished_steps
from budget_magic.report.view_models import BillRow, MetersView

RowKind = Literal["cache_read", "cache_write", "fresh", "output", "search"]
EXPLANATION: Final = (
    "Claude's countdown counts every token once. The bill counts the whole history again with "
    "each step, most of it at the cache price."
)
_MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
_LABELS: Final[dict[RowKind, str]] = {
    "cache_read": "input, cache read",
    "cache_write": "input, cache write",
    "fresh": "input, fresh",
    "output": "output: thinking, calls, text",
    "search": "web searches",
}


@dataclass(slots=True)
class _Line:
    cost_usd: Decimal = Decimal(0)
    usd_per_mtok: set[Decimal] = field(default_factory=set)


def meters_view(
    records: Sequence[Record],
    facts: TurnFacts,
    reading: Reading,
    own: Mapping[str, PriceTable],
) -> MetersView:
    """Counted and billed side by side: of the whole task where its records are at hand.

    Parameters
    ----------
    records
        Records of the turn, or of the whole task.
    facts
        Those of the turn.
    reading
        The task's meter.
    own
        Prices that the user gave, by model id; without them the lines of a bill at such prices
        stay without dollars.
    """
    every = finished_steps(records)
    whole = len(every) == reading.total.steps
    spend = reading.total if whole else reading.this_turn
    steps = every if whole else finished_steps(records, reading.turn)
    user_prices = bool(facts.settings and facts.settings.user_prices)
    asked = facts.settings.model if facts.settings else ""
    lines = None if user_prices and not own else _lines(steps, asked, own)
    if lines is not None and sum(line.cost_usd for line in lines.values()) != spend.cost_usd:
        lines = None  # the prices have changed since: the sum that was booked stands alone
    searches = sum(step.usage.web_search_requests for step in steps)
    several = reading.total.steps != reading.this_turn.steps
    return MetersView(
        counted=marked(exact(spend.budget_tokens), estimated=reading.usage_estimated),
        billed=marked(exact(spend.billed_tokens), estimated=reading.usage_estimated),
        cost=marked(dollars(spend.cost_usd), estimated=reading.cost_estimated),
        counted_share=spend.budget_tokens / spend.billed_tokens if spend.billed_tokens else 0.0,
        rows=_rows(spend, lines, searches),
        total_cost=marked(dollars(spend.cost_usd, 4), estimated=reading.cost_estimated),
        source=_source(facts, spend),
        scope=("whole task" if whole else "this turn") if several else "",
    )


def _rows(
    spend: Spend, lines: Mapping[RowKind, _Line] | None, searches: int
) -> tuple[BillRow, ...]:
    counts: dict[RowKind, int] = {
        "cache_read": spend.cache_read_input_tokens,
        "cache_write": spend.cache_creation_input_tokens,
        "fresh": spend.input_tokens,
        "output": spend.output_tokens,
    }
    if searches:
        counts["search"] = searches
    return tuple(_row(kind, count, lines, spend) for kind, count in counts.items())


def _row(kind: RowKind, count: int, lines: Mapping[RowKind, _Line] | None, spend: Spend) -> BillRow:
    line = lines[kind] if lines is not None else None
    total = spend.cost_usd
    price = ""
    if line is not None and line.usd_per_mtok:
        several = len(line.usd_per_mtok) > 1
        price = "several" if several else ceiling_dollars(next(iter(line.usd_per_mtok)))
    return BillRow(
        kind=kind,
        label=_LABELS[kind],
        tokens=exact(count),
        count=count,
        usd_per_mtok=price,
        cost="" if line is None else dollars(line.cost_usd, 4),
        token_share=count / spend.billed_tokens
        if spend.billed_tokens and kind != "search"
        else 0.0,
        cost_share=float(line.cost_usd / total) if line is not None and total else 0.0,
    )


def _lines(
    steps: Sequence[StepFinished], asked: str, own: Mapping[str, PriceTable]
) -> dict[RowKind, _Line] | None:
    lines: dict[RowKind, _Line] = {kind: _Line() for kind in _LABELS}
    for step in steps:
        usage = step.usage
        factor = billing_factor(usage)
        model = billed_model(asked, step.model, own)
        for part in usage.parts:
            table = part_prices(part, model, own)
            if table is None:
                return None
            prices = prices_in_force(table, part.prompt_tokens, usage.speed)
            hour = part.cache_creation_1h_input_tokens
            charges: tuple[tuple[RowKind, int, Decimal], ...] = (
                ("cache_read", part.cache_read_input_tokens, prices.cache_read),
                ("cache_write", part.cache_creation_input_tokens - hour, prices.write_5m),
                ("cache_write", hour, prices.write_1h),
                ("fresh", part.input_tokens, prices.input),
                ("output", part.output_tokens, prices.output),
            )
            for kind, count, price in charges:
                if count:
                    lines[kind].cost_usd += price * factor * count / MTOK
                    lines[kind].usd_per_mtok.add(price * factor)
        lines["search"].cost_usd += WEB_SEARCH_USD * usage.web_search_requests
    return lines


def _source(facts: TurnFacts, spend: Spend) -> str:
    if facts.settings is None:
        return ""
    model = one_line(facts.settings.model, 80)
    if facts.settings.user_prices:
        return f"Your price for {model}."
    if spend.cost_usd is None:
        return f"No price is known for {model}."
    day = date.fromisoformat(PRICES_AS_OF)
    when = f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
    return f"Prices of {model} from the built-in table of {when}; your contract may differ."

"""The two meters: what was counted, and the bill line by line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

from budget_magic.events import StepFinished, TurnSettings
from budget_magic.meter import Reading, Spend, cost
from budget_magic.models import PRICES_AS_OF, PriceTable
from budget_magic.report.numbers import ceiling_dollars, dollars, exact, marked
from budget_magic.report.text import one_line
from budget_magic.report.view_models import BillRow, MetersView, RowKind

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


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """Cost and prices of one kind of tokens."""

    cost_usd: Decimal = Decimal(0)
    usd_per_mtok: frozenset[Decimal] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """The bill of a task."""

    lines: Mapping[RowKind, BillLine] | None = field(
        default_factory=lambda: dict.fromkeys(_LABELS, BillLine())
    )
    """None if a reply's price is not known here."""
    searches: int = 0


def add_to_bill(
    bill: Bill, step: StepFinished, settings: TurnSettings | None, own: Mapping[str, PriceTable]
) -> Bill:
    """Return the bill with one more reply; `own` holds the user's prices by model id.

    A reply at a user's price that is not in `own` leaves the bill without lines.
    """
    usage = step.usage
    searches = bill.searches + usage.web_search_requests
    if bill.lines is None or settings is None or (settings.user_prices and not own):
        return Bill(lines=None, searches=searches)
    lines, factor = dict(bill.lines), cost.billing_factor(usage)
    model = cost.billed_model(settings.model, step.model, own)
    for part in usage.parts:
        table = cost.part_prices(part, model, own)
        if table is None:
            return Bill(lines=None, searches=searches)
        prices = cost.prices_in_force(table, part.prompt_tokens, usage.speed)
        for kind, count, price in cost.charges(part, prices):
            if count:
                line, usd = lines[kind], price * factor
                cost_usd = line.cost_usd + usd * count / cost.MTOK
                lines[kind] = BillLine(cost_usd=cost_usd, usd_per_mtok=line.usd_per_mtok | {usd})
    lines["search"] = BillLine(cost_usd=cost.WEB_SEARCH_USD * searches)
    return Bill(lines=lines, searches=searches)


def meters_view(bill: Bill, settings: TurnSettings | None, reading: Reading) -> MetersView:
    """Return what was counted and billed for the whole task."""
    spend, lines = reading.total, bill.lines
    if lines is not None and sum(line.cost_usd for line in lines.values()) != spend.cost_usd:
        lines = None  # it was booked at other prices: only the sum is known
    several = spend.steps != reading.this_turn.steps
    return MetersView(
        counted=marked(exact(spend.budget_tokens), estimated=reading.usage_estimated),
        billed=marked(exact(spend.billed_tokens), estimated=reading.usage_estimated),
        cost=marked(dollars(spend.cost_usd), estimated=reading.cost_estimated),
        counted_share=spend.budget_tokens / spend.billed_tokens if spend.billed_tokens else 0.0,
        rows=_rows(spend, lines, bill.searches),
        total=marked(dollars(spend.cost_usd, 4), estimated=reading.cost_estimated),
        source=_source(settings, spend),
        scope="whole task" if several else "",
    )


def _rows(
    spend: Spend, lines: Mapping[RowKind, BillLine] | None, searches: int
) -> tuple[BillRow, ...]:
    counts: dict[RowKind, int] = {
        "cache_read": spend.cache_read_input_tokens,
        "cache_write": spend.cache_creation_input_tokens,
        "fresh": spend.input_tokens,
        "output": spend.output_tokens,
    }
    billed, total = spend.billed_tokens, spend.cost_usd
    if searches:
        counts["search"] = searches
    rows = []
    for kind, count in counts.items():
        line = lines[kind] if lines is not None else BillLine()
        prices = [ceiling_dollars(price) for price in line.usd_per_mtok]
        rows.append(
            BillRow(
                kind=kind,
                label=_LABELS[kind],
                tokens=exact(count),
                price="several" if len(prices) > 1 else "".join(prices),
                cost="" if lines is None else dollars(line.cost_usd, 4),
                token_share=count / billed if billed and kind != "search" else 0.0,
                cost_share=float(line.cost_usd / total) if total else 0.0,
            )
        )
    return tuple(rows)


def _source(settings: TurnSettings | None, spend: Spend) -> str:
    if settings is None:
        return ""
    model = one_line(settings.model, 80)
    if settings.user_prices:
        return f"Your price for {model}."
    if spend.cost_usd is None:
        return f"No price is known for {model}."
    day = date.fromisoformat(PRICES_AS_OF)
    when = f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
    return f"Prices of {model} from the built-in table of {when}; your contract may differ."

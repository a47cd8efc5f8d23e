"""Format numbers for readers, en-US."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

UNKNOWN: Final = "unknown"
COMPACT_FROM: Final = 10_000
SMALL_CEILING_USD: Final = Decimal("0.10")


def exact(count: int) -> str:
    """Return a count with all its digits: 25,450."""
    return f"{count:,}"


def compact(count: int) -> str:
    """Return a count, from 10,000 on in thousands or millions: 9,999, 54.9k, 1.07M."""
    if abs(count) < COMPACT_FROM:
        return exact(count)
    thousands = _rounded(Decimal(count) / 1000, 1)
    if abs(thousands) < 1000:  # noqa: PLR2004 - the step from thousands to millions
        return f"{thousands:f}".removesuffix(".0") + "k"
    return f"{_rounded(Decimal(count) / 1_000_000, 2):,f}M"


def rough(count: int) -> str:
    """Return a count in two or three digits: 640, 3.9k, 27k, 1.07M."""
    if abs(count) < 1000:  # noqa: PLR2004 - short enough
        return exact(count)
    places = 1 if abs(count) < COMPACT_FROM else 0
    thousands = _rounded(Decimal(count) / 1000, places)
    return compact(count) if abs(thousands) >= 1000 else f"{thousands:f}k"  # noqa: PLR2004 - as above


def dollars(amount: Decimal | None, places: int = 2) -> str:
    """Return US dollars, such as $0.55; a small amount is <$0.01, never $0.00."""
    if amount is None:
        return UNKNOWN
    shown = _rounded(amount, places)
    if amount > 0 and shown == 0:
        return f"<${Decimal(1).scaleb(-places):f}"
    return f"${shown:,f}"


def marked(text: str, *, estimated: bool) -> str:
    """Return a figure, with ≈ if it is an estimate."""
    return f"≈ {text}" if estimated and text != UNKNOWN else text


def ceiling_dollars(amount: Decimal) -> str:
    """Return a ceiling in US dollars with all its places, at least two: $5.00, $0.005."""
    exponent = amount.normalize().as_tuple().exponent
    places = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    return f"${_rounded(amount, max(2, places)):,f}"


def spent_dollars(amount: Decimal | None, ceiling: Decimal | None) -> str:
    """Return US dollars, with two more places under a ceiling of a few cents."""
    small = ceiling is not None and ceiling < SMALL_CEILING_USD
    return dollars(amount, 4 if small else 2)


def clock(seconds: float) -> str:
    """Return a duration: 0:00, 1:35, 1:02:03."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def step_time(seconds: float) -> str:
    """Return the duration of a step, in tenths of a second below a minute: 6.2 s, 1:01."""
    tenths = _rounded(Decimal(repr(float(seconds))), 1)
    return clock(float(tenths)) if tenths >= 60 else f"{tenths:f} s"  # noqa: PLR2004 - a minute


def percent(share: float) -> str:
    """Return a share in whole percent: <1 %, 60 %, 99 %; only 0 and 1 give 0 % and 100 %."""
    if 0 < share < 0.005:  # noqa: PLR2004 - what would round to 0
        return "<1 %"
    whole = int(share * 100 + 0.5)
    return f"{99 if share < 1 else whole} %" if whole >= 100 else f"{whole} %"  # noqa: PLR2004 - percent


def plural(count: int, noun: str, many: str = "") -> str:
    """Return a count with its noun: 1 step, 8 steps."""
    return f"{exact(count)} {noun if count == 1 else many or f'{noun}s'}"


def pace(tokens_a_step: float) -> str:
    """Return tokens a step, rounded to ten, compact from 10,000 on: 7, 4,820, 15.5k."""
    if tokens_a_step < 100:  # noqa: PLR2004 - too few to round
        return exact(round(tokens_a_step))
    tens = int(tokens_a_step / 10 + 0.5) * 10
    return compact(round(tokens_a_step) if tokens_a_step >= COMPACT_FROM else tens)


def _rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)

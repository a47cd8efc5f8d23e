"""Format numbers for readers, en-US."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

UNKNOWN: Final = "unknown"
COMPACT_FROM: Final = 10_000
SMALL_CEILING_USD: Final = Decimal("0.10")


def exact(count: int) -> str:
    """Return a count with all its digits.

    >>> exact(25450), exact(-2584)
    ('25,450', '-2,584')
    """
    return f"{count:,}"


def compact(count: int) -> str:
    """Return a count, from 10,000 on in thousands or millions.

    >>> compact(9_999), compact(54_877), compact(500_000), compact(1_073_000), compact(999_999)
    ('9,999', '54.9k', '500k', '1.07M', '1.00M')
    """
    if abs(count) < COMPACT_FROM:
        return exact(count)
    thousands = _rounded(Decimal(count) / 1000, 1)
    if abs(thousands) < 1000:  # noqa: PLR2004 - the step from thousands to millions
        return f"{thousands:f}".removesuffix(".0") + "k"
    return f"{_rounded(Decimal(count) / 1_000_000, 2):,f}M"


def rough(count: int) -> str:
    """Return a count in two or three digits.

    >>> rough(27_050), rough(3_878), rough(640), rough(1_073_000)
    ('27k', '3.9k', '640', '1.07M')
    """
    if abs(count) < 1000:  # noqa: PLR2004 - short enough
        return exact(count)
    places = 1 if abs(count) < COMPACT_FROM else 0
    thousands = _rounded(Decimal(count) / 1000, places)
    return compact(count) if abs(thousands) >= 1000 else f"{thousands:f}k"  # noqa: PLR2004


def dollars(amount: Decimal | None, places: int = 2) -> str:
    """Return US dollars; a positive amount is never shown as zero.

    >>> dollars(Decimal("0.5483")), dollars(Decimal("0.0004")), dollars(Decimal(0)), dollars(None)
    ('$0.55', '<$0.01', '$0.00', 'unknown')
    """
    if amount is None:
        return UNKNOWN
    shown = _rounded(amount, places)
    if amount > 0 and shown == 0:
        return f"<${Decimal(1).scaleb(-places):f}"
    return f"${shown:,f}"


def marked(text: str, *, estimated: bool) -> str:
    """Return a figure, marked if it is an estimate.

    >>> marked("$0.12", estimated=True), marked("unknown", estimated=True)
    ('≈ $0.12', 'unknown')
    """
    return f"≈ {text}" if estimated and text != UNKNOWN else text


def ceiling_dollars(amount: Decimal) -> str:
    """Return a ceiling in US dollars, with as many places as it has, at least two.

    >>> ceiling_dollars(Decimal(5)), ceiling_dollars(Decimal("0.005"))
    ('$5.00', '$0.005')
    """
    exponent = amount.normalize().as_tuple().exponent
    places = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    return f"${_rounded(amount, max(2, places)):,f}"


def spent_dollars(amount: Decimal | None, ceiling: Decimal | None) -> str:
    """Return US dollars, with two more places under a ceiling of a few cents."""
    small = ceiling is not None and ceiling < SMALL_CEILING_USD
    return dollars(amount, 4 if small else 2)


def clock(seconds: float) -> str:
    """Return a duration.

    >>> clock(95.4), clock(3723), clock(0.2)
    ('1:35', '1:02:03', '0:00')
    """
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def step_time(seconds: float) -> str:
    """Return the duration of a step, in tenths of a second below a minute.

    >>> step_time(6.24), step_time(59.97), step_time(61)
    ('6.2 s', '1:00', '1:01')
    """
    tenths = _rounded(Decimal(repr(float(seconds))), 1)
    return clock(float(tenths)) if tenths >= 60 else f"{tenths:f} s"  # noqa: PLR2004 - a minute


def percent(share: float) -> str:
    """Return a share in whole percent; 0 % and 100 % are exact.

    >>> percent(0.6023), percent(0.004), percent(0.997), percent(1.04), percent(0.0)
    ('60 %', '<1 %', '99 %', '104 %', '0 %')
    """
    if 0 < share < 0.005:  # noqa: PLR2004 - what would round to 0
        return "<1 %"
    whole = int(share * 100 + 0.5)
    return f"{99 if share < 1 else whole} %" if whole >= 100 else f"{whole} %"  # noqa: PLR2004


def plural(count: int, noun: str, many: str = "") -> str:
    """Return a count with its noun.

    >>> plural(1, "step"), plural(8, "step"), plural(2, "try", "tries")
    ('1 step', '8 steps', '2 tries')
    """
    return f"{exact(count)} {noun if count == 1 else many or f'{noun}s'}"


def pace(tokens_a_step: float) -> str:
    """Return tokens a step, rounded to ten, compact from 10,000 on.

    >>> pace(4818.75), pace(7.2), pace(15_549)
    ('4,820', '7', '15.5k')
    """
    if tokens_a_step < 100:  # noqa: PLR2004 - too few to round
        return exact(round(tokens_a_step))
    tens = int(tokens_a_step / 10 + 0.5) * 10
    return compact(round(tokens_a_step) if tokens_a_step >= COMPACT_FROM else tens)


def _rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)

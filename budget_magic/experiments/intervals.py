"""Intervals that assume no distribution: percentiles by order statistics, shares by Wilson."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist, fmean, stdev
from typing import Final

CONFIDENCE: Final = 0.90
"""Of all intervals; each end is then a one-sided bound at 95 %."""

_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A length that was measured, or a lower bound of one that was cut."""

    value: float
    censored: bool = False
    """Whether something cut it, so that it counts as "at least"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate, and the interval that covers the true value in 90 % of all experiments."""

    value: float
    low: float
    """0 if the data give no lower end."""
    high: float | None
    """None if the data give no upper end."""
    at_least: bool = False
    """Whether the value itself is only a lower bound, since what is above was cut."""


def percentile(observed: Sequence[Observed], share: float) -> Interval | None:
    """Return a percentile of what was observed, with its interval; None without data.

    Parameters
    ----------
    observed
        Independent lengths of at least 0, measured or cut, in any order.
    share
        Share of lengths that are no larger, such as 0.9.

    Notes
    -----
    The value is the smallest length up to which the product-limit estimate reaches the share
    (Kaplan and Meier, J. Am. Stat. Assoc. 53, 1958). The ends are order statistics whose ranks come
    from the binomial distribution, so they hold for every distribution (David and Nagaraja, Order
    Statistics, 2003, 7.1). For the lower end, a length that was cut counts as what was seen of it,
    for the upper end as infinite: both hold whatever cut it.

    Examples
    --------
    >>> percentile([Observed(value=n) for n in range(1, 101)], 0.5)
    Interval(value=50, low=42, high=59, at_least=False)
    """
    if not observed:
        return None
    count = len(observed)
    low_rank, high_rank = ranks(count, share)
    seen = sorted(one.value for one in observed)
    whole = sorted(one.value for one in observed if not one.censored)
    low = seen[low_rank - 1] if low_rank else 0
    high = whole[high_rank - 1] if high_rank and high_rank <= len(whole) else None
    value = _product_limit(observed, share)
    if value is None:
        return Interval(value=seen[-1], low=low, high=None, at_least=True)
    return Interval(value=value, low=low, high=high)


@cache
def ranks(count: int, share: float) -> tuple[int, int]:
    """Return the ranks, from 1, of the order statistics that enclose a percentile.

    A rank is 0 if so few lengths give no such end.

    >>> ranks(298, 0.99)[1], ranks(299, 0.99)[1]
    (0, 299)
    """
    tail = (1 - CONFIDENCE) / 2
    below = 0.0  # the probability that fewer than `rank` lengths are below the percentile
    low = high = 0
    for rank in range(1, count + 1):
        below += _binomial(count, rank - 1, share)
        if below <= tail:
            low = rank
        if below >= 1 - tail:
            high = rank
            break
    return low, high


def runs_needed(share: float) -> int:
    """Return the least number of runs that give a percentile an upper end.

    >>> runs_needed(0.5), runs_needed(0.9), runs_needed(0.99)
    (5, 29, 299)
    """
    return math.ceil(math.log((1 - CONFIDENCE) / 2) / math.log(share))


def share_interval(times: int, count: int) -> Interval:
    """Return a share with its Wilson interval (J. Am. Stat. Assoc. 22, 1927); 0 to 1 without data.

    >>> found = share_interval(19, 20)
    >>> round(found.low, 3), found.value, round(found.high or 0, 3)
    (0.804, 0.95, 0.989)
    """
    if not count:
        return Interval(value=0.0, low=0.0, high=1.0)
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share, more = times / count, z * z / count
    middle = (share + more / 2) / (1 + more)
    half = z * math.sqrt(share * (1 - share) / count + more / (4 * count)) / (1 + more)
    return Interval(value=share, low=max(0.0, middle - half), high=min(1.0, middle + half))


def mean_interval(values: Sequence[float]) -> Interval | None:
    """Return a mean with Student's interval; None for fewer than two values.

    It assumes that means of so many values are about normally distributed.

    >>> found = mean_interval([0.5, 0.7, 0.9])
    >>> found and (round(found.low, 3), round(found.value, 3), round(found.high or 0, 3))
    (0.363, 0.7, 1.037)
    """
    count = len(values)
    if count < 2:  # noqa: PLR2004 - one value says nothing of the spread
        return None
    mean = fmean(values)
    half = _student(count - 1) * stdev(values) / math.sqrt(count)
    return Interval(value=mean, low=mean - half, high=mean + half)


def _product_limit(observed: Sequence[Observed], share: float) -> float | None:
    """Return the smallest length at which the product-limit estimate reaches the share."""
    left = len(observed)
    above = 1.0  # the estimated share of longer ones
    # Of equal lengths, one that was cut is the longer one.
    for one in sorted(observed, key=lambda one: (one.value, one.censored)):
        if not one.censored:
            above *= (left - 1) / left
            if 1 - above >= share - _ROUNDING:
                return one.value
        left -= 1
    return None


def _binomial(count: int, times: int, share: float) -> float:
    """Return the probability that something of this probability happens so many times."""
    ways = math.lgamma(count + 1) - math.lgamma(times + 1) - math.lgamma(count - times + 1)
    return math.exp(ways + times * math.log(share) + (count - times) * math.log1p(-share))


def _student(freedom: int) -> float:
    """Return the quantile of Student's t at (1 + `CONFIDENCE`) / 2, to 0.5 % from 3 degrees on.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 1964, 26.7.5; exact for 1 and 2.
    """
    tail = (1 + CONFIDENCE) / 2
    if freedom == 1:
        return math.tan(math.pi * (tail - 0.5))
    if freedom == 2:  # noqa: PLR2004 - a closed form exists
        return (2 * tail - 1) * math.sqrt(2 / (1 - (2 * tail - 1) ** 2))
    z = NormalDist().inv_cdf(tail)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160,
    )
    return z + math.fsum(term / freedom**power for power, term in enumerate(terms, start=1))

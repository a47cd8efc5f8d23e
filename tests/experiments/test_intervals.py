"""The intervals hold for every distribution, also where trials were cut."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from math import comb
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget_magic.experiments.intervals import (
    CONFIDENCE,
    Observed,
    mean_interval,
    percentile,
    ranks,
    runs_needed,
    share_interval,
)

SHARES = (0.5, 0.75, 0.9, 0.99)
EXPERIMENTS = 400
OBSERVED = st.lists(
    st.builds(Observed, value=st.integers(0, 50), censored=st.booleans()), min_size=1
)


def below(count: int, times: int, share: Fraction) -> Fraction:
    """The exact probability that fewer than `times` of `count` happen."""
    return sum(
        (comb(count, n) * share**n * (1 - share) ** (count - n) for n in range(times)), Fraction()
    )


@pytest.mark.parametrize("count", [1, 4, 5, 20, 59, 298, 299, 1_000])
@pytest.mark.parametrize("share", SHARES)
def test_the_ranks_are_the_narrowest_that_the_binomial_distribution_allows(
    count: int, share: float
) -> None:
    low, high = ranks(count, share)

    p, tail = Fraction(str(share)), Fraction(str((1 - CONFIDENCE) / 2)).limit_denominator(1_000)
    if low:
        assert below(count, low, p) <= tail
    assert low == count or below(count, low + 1, p) > tail
    if high:
        assert below(count, high, p) >= 1 - tail
        assert below(count, high - 1, p) < 1 - tail
    else:
        assert below(count, count, p) < 1 - tail
    assert bool(high) == (count >= runs_needed(share))


def misses(share: float, count: int, *, cap: float | None) -> int:
    """How many of the experiments' intervals miss the true percentile of a heavy-tailed length."""
    true, missed = math.exp(NormalDist().inv_cdf(share)), 0
    for seed in range(EXPERIMENTS):
        rng = random.Random(seed)  # noqa: S311 - reproducible
        lengths = [rng.lognormvariate(0, 1) for _ in range(count)]
        caps = [float("inf") if cap is None else rng.expovariate(1 / cap) for _ in lengths]
        seen = [
            Observed(value=min(length, most), censored=most < length)
            for length, most in zip(lengths, caps, strict=True)
        ]
        found = percentile(seen, share)
        assert found is not None
        missed += true < found.low or (found.high is not None and true > found.high)
    return missed


@pytest.mark.parametrize("cap", [None, 4.0], ids=["whole", "cut at random"])
@pytest.mark.parametrize(("share", "count"), [(0.5, 20), (0.75, 20), (0.9, 40), (0.99, 320)])
def test_the_intervals_cover_the_true_percentile(
    share: float, count: int, cap: float | None
) -> None:
    expected = EXPERIMENTS * (1 - CONFIDENCE)
    spread = (expected * CONFIDENCE) ** 0.5

    assert misses(share, count, cap=cap) <= expected + 3 * spread


def test_a_length_that_was_cut_never_counts_as_a_length() -> None:
    whole = [Observed(value=value) for value in range(1, 40)]
    cut = [Observed(value=2, censored=True) for _ in range(20)]

    alone, beside = percentile(whole, 0.5), percentile([*whole, *cut], 0.5)

    assert alone is not None
    assert beside is not None
    assert beside.value > 2
    assert (alone.high, beside.high) == (26, 37)
    every = percentile(cut, 0.5)
    assert every is not None
    assert (every.value, every.at_least, every.high) == (2, True, None)


@given(OBSERVED, st.sampled_from(SHARES))
def test_the_value_stands_inside_its_interval(seen: list[Observed], share: float) -> None:
    found = percentile(seen, share)

    assert found is not None
    assert found.low <= found.value
    assert found.high is None or found.value <= found.high


def test_without_data_there_is_nothing_to_say() -> None:
    assert percentile([], 0.5) is None
    assert mean_interval([]) is mean_interval([1.0]) is None
    assert (share_interval(0, 0).low, share_interval(0, 0).high) == (0, 1)


@pytest.mark.parametrize(
    ("count", "quantile"),
    # NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2, upper 5 %.
    [(2, 6.314), (3, 2.920), (4, 2.353), (5, 2.132), (11, 1.812), (31, 1.697), (101, 1.660)],
)
def test_the_interval_of_a_mean_is_student_s(count: int, quantile: float) -> None:
    values = [float(number) for number in range(count)]
    found = mean_interval(values)

    assert found is not None
    spread = (sum((value - found.value) ** 2 for value in values) / (count - 1)) ** 0.5
    assert found.value - found.low == pytest.approx(quantile * spread / count**0.5, rel=2e-3)

"""Numbers as a reader sees them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget_magic.report.numbers import (
    ceiling_dollars,
    clock,
    compact,
    dollars,
    exact,
    marked,
    pace,
    percent,
    plural,
    rough,
    spent_dollars,
    step_time,
)


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0"), (9_999, "9,999"), (10_000, "10k"), (54_877, "54.9k"), (42_040, "42k"),
     (862_582, "862.6k"), (999_949, "999.9k"), (999_950, "1.00M"), (1_073_000, "1.07M"),
     (12_581_787, "12.58M"), (1_234_567_890, "1,234.57M")],
)  # fmt: skip
def test_ceilings_are_compact_from_ten_thousand(count: int, shown: str) -> None:
    assert compact(count) == shown


@given(st.integers(-(10**12), 10**12))
def test_compact_numbers_say_what_the_exact_ones_say(count: int) -> None:
    shown = compact(count)
    factor = {"k": 10**3, "M": 10**6}.get(shown[-1], 1)
    value = Decimal(shown.rstrip("kM").replace(",", "")) * factor
    assert abs(value - count) <= Decimal(factor) / 20


@given(st.decimals(0, 10**6, places=9), st.sampled_from([2, 3, 4]))
def test_a_spent_amount_is_never_shown_as_nothing(amount: Decimal, places: int) -> None:
    shown = dollars(amount, places)
    assert (Decimal(shown.replace("$", "").replace(",", "").lstrip("<")) == 0) == (amount == 0)


def test_dollars_have_two_three_or_four_places() -> None:
    amount = Decimal("0.54826")
    assert [dollars(amount, places) for places in (2, 3, 4)] == ["$0.55", "$0.548", "$0.5483"]
    assert dollars(Decimal("1234.5")) == "$1,234.50"
    assert [dollars(Decimal(amount)) for amount in ("0.0004", "0")] == ["<$0.01", "$0.00"]
    assert dollars(None) == "unknown"


def test_small_ceilings_are_shown_in_full() -> None:
    assert ceiling_dollars(Decimal(10)) == "$10.00"
    assert ceiling_dollars(Decimal("0.0005")) == "$0.0005"
    assert spent_dollars(Decimal("0.0123"), Decimal("0.05")) == "$0.0123"
    assert spent_dollars(Decimal("0.0123"), Decimal(5)) == "$0.01"


def test_times_and_shares() -> None:
    assert [clock(s) for s in (0, 59.9, 95, 3723)] == ["0:00", "0:59", "1:35", "1:02:03"]
    assert [step_time(s) for s in (0.04, 14, 59.96, 3600)] == ["0.0 s", "14.0 s", "1:00", "1:00:00"]
    assert [percent(s) for s in (0, 0.001, 0.6, 0.9999, 1, 1.04)] == [
        "0 %", "<1 %", "60 %", "99 %", "100 %", "104 %",
    ]  # fmt: skip
    assert [pace(p) for p in (7.4, 4818.75, 15_549)] == ["7", "4,820", "15.5k"]
    assert [rough(n) for n in (640, 3_878, 27_050, 999_999)] == ["640", "3.9k", "27k", "1.00M"]
    assert exact(-1_000) == "-1,000"


def test_estimates_are_marked_and_nouns_follow_their_count() -> None:
    assert marked("$0.12", estimated=True) == "≈ $0.12"
    assert marked("$0.12", estimated=False) == "$0.12"
    assert marked("unknown", estimated=True) == "unknown"
    assert [plural(n, "step") for n in (0, 1, 8_000)] == ["0 steps", "1 step", "8,000 steps"]
    assert plural(2, "try", "tries") == "2 tries"

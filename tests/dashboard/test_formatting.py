"""Rounding is for people, and never lies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genops.server.dashboard import formatting as f

amounts = st.decimals(min_value=0, max_value=10**9, places=12, allow_nan=False, allow_infinity=False)
NOW = datetime(2026, 11, 27, 8, 30, tzinfo=UTC)


@given(amount=amounts, places=st.integers(min_value=2, max_value=8))
def test_what_was_spent_is_never_shown_as_nothing(amount: Decimal, places: int) -> None:
    """An amount above zero has a digit above zero, or is shown as below the least that is shown."""
    text = f.money(amount, places)

    assert (amount > 0) == any(digit in text for digit in "123456789")


@given(amount=amounts, places=st.integers(min_value=2, max_value=8))
def test_a_shown_amount_is_the_nearest_one(amount: Decimal, places: int) -> None:
    """Rounded half-even, once, from the exact amount."""
    text = f.money(amount, places)
    if "<" not in text:
        assert abs(Decimal(text.strip("$").replace(",", "")) - amount) <= Decimal(1).scaleb(-places) / 2


@given(amount=amounts)
def test_the_exact_amount_has_every_digit(amount: Decimal) -> None:
    """The title of an amount is the amount."""
    assert amount == Decimal(f.exact(amount).removesuffix(" USD"))


def test_columns_have_one_number_of_decimals() -> None:
    """Cents from a dollar on; four digits of the largest below it."""
    assert 2 == f.places_for([Decimal("1.5"), Decimal("0.0004"), None])
    assert 5 == f.places_for([Decimal("0.0123")])
    assert "<$0.01" == f.money(Decimal("0.0004"), 2)
    assert "$0.0384" == f.money(Decimal("0.0384"))
    assert "$1,234.50" == f.money(Decimal("1234.5"))
    assert "12.35 EUR" == f.money(Decimal("12.345678"), currency="EUR")


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0%"), (0.001, "<1%"), (0.5, "50%"), (0.9999, ">99%"), (1.0, "100%")]
)
def test_almost_all_is_not_all(share: float, text: str) -> None:
    """Coverage of 99.99 % is not shown as complete, nor a trace as nothing."""
    assert text == f.percent(share)


@pytest.mark.parametrize(
    ("number", "text"), [(None, "–"), (0, "0"), (99_999, "99,999"), (123_456, "123.5k"), (2_000_000, "2M")]
)
def test_counts_are_short_and_unknown_is_no_zero(number: int | None, text: str) -> None:
    """Up to five digits a count is whole."""
    assert text == f.count(number)


def test_durations_and_distances() -> None:
    """In the one unit that matters."""
    assert ["0.4 ms", "12 ms", "1.50 s", "2 min", "2 min 05 s", "–"] == [
        f.duration(each) for each in (0.4, 12, 1500, 120_000, 125_000, None)
    ]
    assert ["3 h ago", "in 2 d", "just now", "never"] == [
        f.ago(each, NOW) for each in (NOW - timedelta(hours=3), NOW + timedelta(days=2), NOW, None)
    ]


def test_amounts_of_a_column_align() -> None:
    """Exact amounts get zeros, so that the points stand below each other."""
    column = [Decimal("0.0024"), Decimal("0.00015"), Decimal(1)]

    assert ["0.00240", "0.00015", "1.00000"] == [f.aligned(each, column) for each in column]


def test_what_to_type_is_told_from_what_is_said_about_it() -> None:
    """Backticks mark code; a fix without any is code as a whole."""
    assert [(True, "export KEY=...")] == f.in_code("export KEY=...")
    assert [(False, "put "), (True, "a: 1"), (False, " there")] == f.in_code("put `a: 1` there")
    assert [(True, "a: 1"), (False, " or "), (True, "b: 2")] == f.in_code("`a: 1` or `b: 2`")


def test_a_chart_of_money_says_its_currency() -> None:
    """Also one that is no dollar."""
    assert ("$1.50", "1.50 EUR") == (f.shown(Decimal("1.5"), "USD"), f.shown(Decimal("1.5"), "EUR"))
    assert ("1.5", "10 ms") == (f.shown(1.5, ""), f.shown(10, "ms"))

"""Burn rate and projection: how fast a budget is used, and when it will be at its end."""

from __future__ import annotations

from decimal import Decimal

from genops.core.budgets.alerts import BurnRate, project


def test_projection_says_when_the_limit_is_reached():
    """10 an hour with 30 left: in three hours."""
    found = project(Decimal(70), Decimal(100), Decimal(10), now=0.0, end=86_400.0)

    assert (3 * 3600.0, Decimal(310)) == (found.exhausted_at, found.at_end)


def test_projection_past_the_end_of_the_window_is_none():
    """The next window starts first; a budget that is used up is so now; without spend it never is."""
    assert project(Decimal(70), Decimal(100), Decimal(1), 0.0, 3600.0).exhausted_at is None
    assert 5.0 == project(Decimal(100), Decimal(100), Decimal(0), 5.0, 3600.0).exhausted_at
    assert project(Decimal(1), Decimal(100), Decimal(0), 5.0, None).exhausted_at is None
    assert 3600.0 == project(Decimal(0), Decimal(1), Decimal(1), 0.0, None).exhausted_at


def test_burn_rate_over_a_short_and_a_long_time():
    """An hour at 1, then five minutes at 12 an hour."""
    rate = BurnRate(short_s=300, long_s=3600)
    for minute in range(0, 61, 5):
        rate.note(minute * 60.0, Decimal(minute) / 60)
    assert (1, 1) == (round(rate.per_hour(300), 9), round(rate.per_hour(3600), 9))
    rate.note(65 * 60.0, Decimal(2))

    assert 12 == round(rate.per_hour(300), 9)
    assert Decimal(1) < rate.per_hour(3600) < Decimal(2)


def test_single_dear_call_is_no_burn():
    """Both rates must be high: 10 for the window of a day may burn at 10/24 an hour."""
    rate = BurnRate(short_s=300, long_s=3600)
    for minute in range(0, 61, 5):
        rate.note(minute * 60.0, Decimal("0.001") * minute)
    rate.note(3900.0, Decimal("0.3"))

    assert not rate.burning(Decimal(10), 86_400.0, Decimal(2))
    for minute in range(70, 130, 5):
        rate.note(minute * 60.0, Decimal("0.3") + Decimal(minute - 65) / 30)
    assert rate.burning(Decimal(10), 86_400.0, Decimal(2))


def test_new_window_starts_over():
    """Less than before is another window."""
    rate = BurnRate()
    rate.note(0.0, Decimal(5))
    rate.note(60.0, Decimal(1))

    assert Decimal(0) == rate.per_hour(3600)

"""Forecasts: the interval holds what comes as often as it says, and budgets are used up when they are."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genops.analytics.forecast import Day, exhaustion, filled, forecast
from genops.core.errors import ConfigurationError

START = date(2026, 8, 31)  # a Monday
WEEK = (1.2, 1.1, 1.0, 1.1, 1.3, 0.7, 0.6)


def _series(amounts: list[float]) -> list[tuple[date, Decimal]]:
    return [(START + timedelta(days=n), Decimal(f"{max(0.0, amount):.6f}")) for n, amount in enumerate(amounts)]


def _seasonal(days: int, seed: int, *, noise: float = 0.1, growth: float = 0.0) -> list[float]:
    chance = random.Random(seed)
    return [100 * (1 + growth * n) * WEEK[n % 7] * (1 + chance.gauss(0, noise)) for n in range(days)]


def test_fewer_than_seven_days_are_refused() -> None:
    """Six days say nothing about a week; seven are enough to say something."""
    with pytest.raises(ConfigurationError, match="6 whole days of calls are too few"):
        forecast(_series([1.0] * 6), 7)

    assert (7, False) == ((found := forecast(_series([1.0] * 7), 7)).days_used, found.weekly)


@pytest.mark.parametrize("days", [21, 56])
def test_interval_covers_what_comes(days: int) -> None:
    """Of 200 seasonal series, the sum of the next 14 days lies in the 90 percent interval of at least 85 percent."""
    covered = 0
    for seed in range(200):
        amounts = _seasonal(days + 14, seed)
        found = forecast(_series(amounts[:days]), 14).total
        covered += found.low <= Decimal(sum(amounts[days:])) <= found.high
    assert 170 <= covered


def test_weekends_are_foretold_as_weekends() -> None:
    """Without noise each weekday comes out as it was, within a few percent."""
    found = forecast(_series(_seasonal(28, 1, noise=0)), 7)

    for day, weight in zip(found.days, WEEK, strict=True):
        assert float(day.expected) == pytest.approx(100 * weight, rel=0.05)


def test_one_wild_day_is_not_the_future() -> None:
    """Ten times the usual cost yesterday widens the interval and hardly moves what is expected."""
    amounts = _seasonal(28, 7)
    usual = forecast(_series(amounts), 14).total
    wild = forecast(_series([*amounts[:-1], amounts[-1] * 10]), 14).total

    assert float(wild.expected) == pytest.approx(float(usual.expected), rel=0.25)
    assert wild.high - wild.low > 2 * (usual.high - usual.low)


def test_a_level_that_rises_is_followed() -> None:
    """Costs that double over the past are not foretold at their average."""
    amounts = _seasonal(56, 3, noise=0.02, growth=0.02)
    found = forecast(_series(amounts), 7)

    assert float(found.total.expected) > 0.9 * sum(amounts[-7:])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 10**9), min_size=7, max_size=70), st.integers(1, 40))
def test_amounts_are_ordered_and_add_up(amounts: list[int], horizon: int) -> None:
    """Never below 0, low <= expected <= high, and the running sum is the sum of the days."""
    found = forecast(_series([amount / 100 for amount in amounts]), horizon)

    assert horizon == len(found.days)
    for each in (*found.days, *found.running):
        assert 0 <= each.low <= each.expected <= each.high
    total = sum((day.expected for day in found.days), Decimal(0))
    assert abs(total - found.total.expected) <= Decimal("0.000001") * horizon
    assert all(one.high <= other.high for one, other in zip(found.running, found.running[1:], strict=False))


def test_days_without_calls_are_days() -> None:
    """A gap is a day that cost nothing."""
    assert [Decimal(1), Decimal(0), Decimal(2)] == [
        amount
        for _, amount in filled({START: Decimal(1), START + timedelta(days=2): Decimal(2)}, START, START + timedelta(2))
    ]


NOW = datetime(2026, 9, 28, 12, tzinfo=UTC)  # in the middle of the first day that is foretold


def test_budget_is_used_up_when_the_days_say_so() -> None:
    """10 a day, 25 left at noon: half of today, then two whole days."""
    found = forecast(_series([10.0] * 28), 30)
    reached = exhaustion(found, spent=Decimal(75), limit=Decimal(100), now=NOW)

    assert datetime(2026, 10, 1, 0, tzinfo=UTC) == reached.expected
    assert reached.expected == reached.earliest == reached.latest


def test_budget_whose_window_ends_before_lasts() -> None:
    """The day after the window is another window's."""
    found = forecast(_series([10.0] * 28), 30)
    reached = exhaustion(found, spent=Decimal(75), limit=Decimal(100), now=NOW, end=datetime(2026, 9, 30, tzinfo=UTC))

    assert (None, None) == (reached.expected, reached.latest)
    assert NOW == exhaustion(found, spent=Decimal(100), limit=Decimal(100), now=NOW).expected


def test_uncertain_costs_give_an_early_and_a_late_day() -> None:
    """The interval of the sum becomes one of days."""
    found = forecast(_series(_seasonal(28, 5)), 60)
    reached = exhaustion(found, spent=Decimal(0), limit=Decimal(2000), now=NOW)

    assert reached.earliest is not None
    assert reached.expected is not None
    assert reached.latest is not None
    assert NOW < reached.earliest < reached.expected < reached.latest
    assert isinstance(found.total, Day)

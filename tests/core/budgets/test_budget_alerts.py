"""Burn rate and projection: how fast a budget is used, and when it will be at its end."""

from __future__ import annotations

from decimal import Decimal

from genops.core.budgets.alerts import alert_of, project
from genops.core.budgets.model import Budget, counter_key
from genops.core.budgets.store import Crossing
from genops.core.budgets.windows import Window, WindowKind


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


START = 1_767_225_600  # 2026-01-01T00:00:00Z


def alert(limit: str, spent_nano: int, hours: float, window: str = "day"):
    budget = Budget(name="team", limit=Decimal(limit), window=Window(kind=WindowKind(window)), thresholds=(80,))
    key = counter_key("team", {}, budget.window.series, budget.window.at(START).start)
    return alert_of(Crossing(key, 0, spent_nano), {"team": budget}, START + hours * 3600)


def test_alert_says_how_fast_the_budget_burns_and_when_it_ends():
    """8 of 10 after four hours of the day: 2 an hour, so at its end in one more."""
    found = alert("10", 8_000_000_000, 4)

    assert (Decimal(2), START + 5 * 3600) == (found.per_hour, found.exhausted_at)
    assert ("2", START + 5 * 3600.0) == (
        found.as_dict()["per_hour"].rstrip("0").rstrip("."),
        found.as_dict()["exhausted_at"],
    )


def test_alert_of_a_budget_that_lasts_has_no_end():
    """8 of 10 after 23 hours of the day; and a total has no pace."""
    assert alert("10", 8_000_000_000, 23).exhausted_at is None
    total = alert("10", 8_000_000_000, 23, "total")
    assert (None, None) == (total.per_hour, total.exhausted_at)

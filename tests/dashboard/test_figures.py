"""What is drawn is what was counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from genops.server.dashboard.figures import filled, fraction, sparkline, stacked

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_quiet_hours_are_in_the_chart() -> None:
    """A chart that leaves out empty hours shows a pace that was not there."""
    found = [NOON - 5 * HOUR, NOON - 2 * HOUR]

    assert tuple(NOON - each * HOUR for each in (7, 6, 5, 4, 3, 2, 1, 0)) == filled(
        found, "hour", NOON - 7 * HOUR, NOON + HOUR / 2
    )


def test_layers_add_up_to_what_was_spent() -> None:
    """No bucket and no layer loses an amount."""
    rows = [
        {"bucket": NOON, "value": "a", "cost": Decimal("0.1")},
        {"bucket": NOON - HOUR, "value": "b", "cost": Decimal("0.5")},
        {"bucket": NOON, "value": None, "cost": Decimal("0.2")},
    ]
    stack = stacked(rows, (NOON - HOUR, NOON))

    assert ["b", "not stated", "a"] == [each.name for each in stack.series]
    assert [True, False, True] == [each.stated for each in stack.series]
    assert Decimal("0.8") == sum(sum(each.values) for each in stack.series)


def test_a_share_stays_inside_its_bar() -> None:
    """A budget that is over its limit does not leave its track; no whole is no share."""
    assert [0.5, 1.0, 0.0, 0.0] == [fraction(*each) for each in ((1, 2), (3, 2), (1, 0), (None, 2))]


def test_a_line_needs_two_points_and_a_difference() -> None:
    """Nothing is drawn for what would be a flat line of nothing; a thousand points are thinned."""
    assert ["", "", ""] == [sparkline(each) for each in ((), (1,), (0, 0, None))]
    assert sparkline([1, 2]).startswith("M0.0,")
    assert sparkline(range(1000)).count("L") < 40

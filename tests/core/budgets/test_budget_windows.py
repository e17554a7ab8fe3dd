"""Windows: every instant lies in exactly one, across changes of the clock, month ends and leap days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genops.core.budgets.windows import WEEKDAYS, Window, WindowKind
from genops.core.errors import ConfigurationError

CALENDAR = [kind for kind in WindowKind if kind not in (WindowKind.ROLLING, WindowKind.TOTAL)]
ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "America/Havana", "America/Sao_Paulo", "Australia/Lord_Howe"),
    *("Asia/Kolkata", "Asia/Kathmandu", "Pacific/Apia", "Asia/Beirut", "Africa/Cairo", "America/St_Johns"),
)
MOMENTS = st.integers(min_value=int(datetime(1999, 1, 1, tzinfo=UTC).timestamp()), max_value=4_102_444_800)
WINDOWS = st.builds(
    Window,
    kind=st.sampled_from(CALENDAR),
    time_zone=st.sampled_from(ZONES),
    week_start=st.sampled_from(WEEKDAYS),
    anchor_day=st.integers(1, 31),
)


def at(window: Window, text: str) -> tuple[str, str | None]:
    """The window around a moment as UTC text."""
    span = window.at(datetime.fromisoformat(text).timestamp())
    return tuple(
        None if edge is None else f"{datetime.fromtimestamp(edge, UTC):%Y-%m-%dT%H:%M}"
        for edge in (span.start, span.end)
    )


@given(WINDOWS, MOMENTS)
def test_windows_are_a_partition_of_time(window, moment):
    """A moment lies in its window, both ends of it agree, and the next one starts where it ends."""
    span = window.at(moment)

    assert span.end is not None
    assert span.start <= moment < span.end
    assert span == window.at(span.start) == window.at(span.end - 1)
    assert span.end == window.at(span.end).start
    assert span.start == window.at(span.start - 1).end


@given(WINDOWS, MOMENTS)
def test_days_and_longer_start_at_midnight_where_there_is_one(window, moment):
    """Local wall time 00:00, or the first moment of a day whose midnight the clock skips."""
    start = datetime.fromtimestamp(window.at(moment).start, ZoneInfo(window.time_zone))

    if window.kind is WindowKind.HOUR:
        return
    before = datetime.fromtimestamp(window.at(moment).start - 1, ZoneInfo(window.time_zone))
    assert (start.hour, start.minute) == (0, 0) or before.utcoffset() != start.utcoffset()
    assert before.date() != start.date() or before.utcoffset() != start.utcoffset()


@given(st.integers(1, 31), MOMENTS)
def test_anchor_day_is_clamped_to_the_end_of_the_month(anchor, moment):
    """An anchor of 31 is the 30th in April and the 28th or 29th in February."""
    start = datetime.fromtimestamp(Window(anchor_day=anchor).at(moment).start, UTC)
    last = (start.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)

    assert min(anchor, last.day) == start.day


@pytest.mark.parametrize(
    ("window", "moment", "expected"),
    [
        (
            Window(kind=WindowKind.DAY, time_zone="Europe/Berlin"),
            "2026-03-29T12:00+02:00",
            ("2026-03-28T23:00", "2026-03-29T22:00"),
        ),
        (
            Window(kind=WindowKind.DAY, time_zone="Europe/Berlin"),
            "2026-10-25T12:00+01:00",
            ("2026-10-24T22:00", "2026-10-25T23:00"),
        ),
        (
            Window(kind=WindowKind.DAY, time_zone="America/New_York"),
            "2026-11-01T23:30-05:00",
            ("2026-11-01T04:00", "2026-11-02T05:00"),
        ),
        (Window(kind=WindowKind.MONTH), "2028-02-29T23:59+00:00", ("2028-02-01T00:00", "2028-03-01T00:00")),
        (Window(anchor_day=31), "2028-03-01T00:00+00:00", ("2028-02-29T00:00", "2028-03-31T00:00")),
        (Window(anchor_day=15), "2026-01-14T23:00+00:00", ("2025-12-15T00:00", "2026-01-15T00:00")),
        (Window(kind=WindowKind.QUARTER), "2026-12-31T23:00+00:00", ("2026-10-01T00:00", "2027-01-01T00:00")),
        (
            Window(kind=WindowKind.YEAR, anchor_day=6),
            "2026-01-05T00:00+00:00",
            ("2025-01-06T00:00", "2026-01-06T00:00"),
        ),
        (Window(kind=WindowKind.WEEK), "2026-11-22T12:00+00:00", ("2026-11-16T00:00", "2026-11-23T00:00")),
        (
            Window(kind=WindowKind.WEEK, week_start="sunday"),
            "2026-11-22T12:00+00:00",
            ("2026-11-22T00:00", "2026-11-29T00:00"),
        ),
        (
            Window(kind=WindowKind.HOUR, time_zone="Asia/Kolkata"),
            "2026-11-22T12:10+00:00",
            ("2026-11-22T11:30", "2026-11-22T12:30"),
        ),
        (Window(kind=WindowKind.TOTAL), "2026-11-22T12:10+00:00", ("1970-01-01T00:00", None)),
    ],
)
def test_known_windows(window, moment, expected):
    """Days of 23 and 25 hours, leap days, year ends, weeks, half-hour zones."""
    assert expected == at(window, moment)


@given(st.integers(1, 100_000), st.integers(1, 60), MOMENTS)
def test_rolling_window_is_never_too_short(length, buckets, moment):
    """Its buckets reach back at least its length from now, and at most one bucket (rounded up) further."""
    buckets = min(length, buckets)
    span = Window(kind=WindowKind.ROLLING, length_s=length, buckets=buckets).at(moment)
    bucket = -(-length // buckets)

    assert span.start <= moment < span.end == span.start + bucket
    assert span.buckets[-1] <= moment - length
    assert moment - length - span.buckets[-1] < 2 * bucket + buckets


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"time_zone": "Europe/Berln"}, "time zone 'Europe/Berln' is not known"),
        ({"time_zone": "../etc/passwd"}, "is not known"),
        ({"week_start": "mon"}, "no day of the week"),
        ({"anchor_day": 0}, "anchor_day is 0"),
        ({"kind": WindowKind.ROLLING}, "rolling window of 0 s"),
    ],
)
def test_impossible_windows_are_refused(arguments, message):
    """With what to write instead."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        Window(**arguments)
    assert caught.value.fix

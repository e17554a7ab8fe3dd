"""Windows: the spans of time a budget counts in, each known by the instant it starts at.

Nothing is ever reset: a call is counted under the window its instant lies in, and the next window is another counter.
Calendar windows start at a wall-clock time of an IANA time zone and are kept as UTC seconds, so days of 23 and 25 hours
and months of every length come out exactly. A rolling window is a row of equal buckets; the oldest one is counted in
full, so the window is up to one bucket too long: on the strict side.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from genops.core.errors import ConfigurationError

__all__ = ["WEEKDAYS", "Span", "Window", "WindowKind"]

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HOUR = 3600


class WindowKind(StrEnum):
    """What ends a window."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    ROLLING = "rolling"
    TOTAL = "total"


_MONTHS = {WindowKind.MONTH: 1, WindowKind.QUARTER: 3, WindowKind.YEAR: 12}


@dataclass(frozen=True, slots=True)
class Span:
    """One window: `start` and `end` in UTC seconds; `end` is None for a total.

    `buckets` are the starts of all buckets that count, the newest first; a calendar window is its own only bucket.
    """

    start: int
    end: int | None
    label: str  # 2026-11, 2026-11-23, rolling-86400s
    buckets: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A kind of window. `length_s` and `buckets` are for a rolling one.

    `anchor_day` is the day of the month at which months, quarters and years start; in a month without it, its last day.
    """

    kind: WindowKind = WindowKind.MONTH
    time_zone: str = "UTC"
    week_start: str = "monday"
    anchor_day: int = 1
    length_s: int = 0
    buckets: int = 12

    def __post_init__(self) -> None:
        _zone(self.time_zone)
        if self.week_start not in WEEKDAYS:
            raise ConfigurationError(
                f"week_start is {self.week_start!r}, no day of the week.", fix=f"use one of {', '.join(WEEKDAYS)}"
            )
        if not 1 <= self.anchor_day <= 31:
            raise ConfigurationError(f"anchor_day is {self.anchor_day}.", fix="give a day of the month, 1 to 31")
        if self.kind is WindowKind.ROLLING and not (1 <= self.buckets <= 100 and self.length_s >= self.buckets):
            raise ConfigurationError(
                f"a rolling window of {self.length_s} s in {self.buckets} buckets.",
                fix="give a length of a second or more for each bucket, and 1 to 100 buckets",
            )

    @property
    def series(self) -> str:
        """What keeps counters of different kinds of windows apart."""
        return f"rolling{self.length_s}" if self.kind is WindowKind.ROLLING else self.kind.value

    def at(self, now: float) -> Span:
        """Return the window in which the instant `now` (UTC seconds) lies."""
        if self.kind is WindowKind.TOTAL:
            return Span(0, None, "total", (0,))
        if self.kind is WindowKind.ROLLING:
            return self._rolling(now)
        if self.kind is WindowKind.HOUR:
            start, end = _hour(int(now // 1), _zone(self.time_zone))
        else:
            start, end = self._calendar(now)
        return Span(start, end, self._label(start), (start,))

    def _rolling(self, now: float) -> Span:
        """The bucket of `now` and those before it; it ends when the next bucket starts."""
        length = -(-self.length_s // self.buckets)
        start = int(now // length) * length
        starts = tuple(start - place * length for place in range(self.buckets + 1))
        return Span(start, start + length, f"rolling-{self.length_s}s", starts)

    def _calendar(self, now: float) -> tuple[int, int]:
        zone = _zone(self.time_zone)
        day = self._first_day(datetime.fromtimestamp(now, zone).date())
        start, end = _midnight(day, zone), _midnight(self._next(day), zone)
        while start > now:  # a clock put back over midnight shows the day before a second time
            day = self._first_day(day - timedelta(days=1))
            start, end = _midnight(day, zone), start
        while end <= now:
            day = self._next(day)
            start, end = end, _midnight(self._next(day), zone)
        return start, end

    def _first_day(self, day: date) -> date:
        """The day at which the window of `day` starts."""
        if self.kind is WindowKind.DAY:
            return day
        if self.kind is WindowKind.WEEK:
            return day - timedelta(days=(day.weekday() - WEEKDAYS.index(self.week_start)) % 7)
        months = _MONTHS[self.kind]
        count = day.year * 12 + day.month - 1
        first = count - count % months
        found = self._anchored(first)
        return found if found <= day else self._anchored(first - months)

    def _next(self, day: date) -> date:
        """The first day of the window after the one that starts at `day`."""
        if self.kind is WindowKind.DAY:
            return day + timedelta(days=1)
        if self.kind is WindowKind.WEEK:
            return day + timedelta(days=7)
        return self._anchored(day.year * 12 + day.month - 1 + _MONTHS[self.kind])

    def _anchored(self, months: int) -> date:
        year, month = divmod(months, 12)
        following = date(year + (month == 11), (month + 1) % 12 + 1, 1)
        return date(year, month + 1, min(self.anchor_day, (following - timedelta(days=1)).day))

    def _label(self, start: int) -> str:
        local = datetime.fromtimestamp(start, _zone(self.time_zone))
        if self.kind is WindowKind.QUARTER:
            return f"{local.year}-Q{(local.month - 1) // 3 + 1}"
        if self.kind is WindowKind.WEEK:
            year, week, _ = local.isocalendar()
            return f"{year}-W{week:02}"
        pattern = {WindowKind.HOUR: "%Y-%m-%dT%H", WindowKind.DAY: "%Y-%m-%d", WindowKind.MONTH: "%Y-%m"}
        return local.strftime(pattern.get(self.kind, "%Y"))


def _midnight(day: date, zone: tzinfo) -> int:
    """The instant at which `day` starts; where the clock skips midnight, the instant it does."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def _hour(now: int, zone: tzinfo) -> tuple[int, int]:
    """The clock hour around `now`. A change of the clock inside it ends it and starts another."""
    offset = _offset(now, zone)
    start = (now + offset) // _HOUR * _HOUR - offset
    end = start + _HOUR
    if _offset(start, zone) != offset:
        start = _change(start, now, zone)
    if _offset(end, zone) != offset:
        end = _change(now, end, zone)
    return start, end


def _change(before: int, after: int, zone: tzinfo) -> int:
    """The first instant in (before, after] with the offset of `after`."""
    offset = _offset(after, zone)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(middle, zone) == offset:
            after = middle
        else:
            before = middle
    return after


def _offset(moment: int, zone: tzinfo) -> int:
    shift = datetime.fromtimestamp(moment, UTC).astimezone(zone).utcoffset()
    assert shift is not None  # every zone here has one
    return int(shift.total_seconds())


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC  # known without zone data
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigurationError(
            f"time zone {name!r} is not known here.",
            fix="use an IANA name such as Europe/Berlin; on a system without zone data: pip install tzdata",
        ) from None

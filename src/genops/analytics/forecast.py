"""Forecasts: what the coming days cost, with an interval, and when a budget is used up.

A level that follows the days (exponential smoothing, its pace chosen by how well it would have foretold the past),
times the weight of each weekday once there are two weeks to learn it from. The interval comes from the errors the same
method would have made one day ahead, carried forward through the sums. Statistics are floats; amounts come out as
decimals of six places, and are estimates.

Source: Hyndman, Koehler, Ord and Snyder, Forecasting with Exponential Smoothing, 2008, model ETS(A,N,M) with the
cumulative variance of its section 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from math import sqrt
from statistics import NormalDist, fmean, median

from genops.core.errors import ConfigurationError

__all__ = ["LEAST_DAYS", "Day", "Exhaustion", "Forecast", "exhaustion", "filled", "forecast"]

LEAST_DAYS = 7
_WEEK = 7
_PACES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
_PLACES = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Day:
    """One day to come: what it costs, in the middle and at both ends of the interval for this day alone."""

    day: date
    expected: Decimal
    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What the days after `last` cost. `low` and `high` bound the sum with the given `confidence` (0.9 is 90 %).

    `running` are the sums up to and with each day. `weekly` says whether weekdays are told apart: from 14 days on.
    """

    days_used: int
    last: date
    days: tuple[Day, ...]
    running: tuple[Day, ...]
    confidence: float
    weekly: bool

    @property
    def total(self) -> Day:
        """The sum over all days, under the last of them."""
        return self.running[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhaustion:
    """When a limit is reached: as expected, and at both ends of the interval. None: not before the end."""

    expected: datetime | None
    earliest: datetime | None
    latest: datetime | None


def filled(spent: Mapping[date, Decimal], first: date, last: date) -> list[tuple[date, Decimal]]:
    """Every day from `first` to `last`, one without calls at 0."""
    days = ((first + timedelta(days=number)) for number in range((last - first).days + 1))
    return [(day, spent.get(day, Decimal(0))) for day in days]


def forecast(series: Sequence[tuple[date, Decimal]], horizon: int, *, confidence: float = 0.9) -> Forecast:
    """Foretell `horizon` days after the last one of `series`, which holds every day once, oldest first.

    Raises `ConfigurationError` for fewer than 7 days: less than a week says nothing about one.
    """
    if len(series) < LEAST_DAYS:
        raise ConfigurationError(
            f"{len(series)} whole days of calls are too few to foretell anything; {LEAST_DAYS} are needed.",
            fix="wait, or look further back with --since",
        )
    if horizon < 1 or not 0 < confidence < 1:
        raise ConfigurationError(f"{horizon} days at {confidence:.0%} is no forecast.", fix="--days 30 --confidence 90")
    values = [float(amount) for _, amount in series]
    last = series[-1][0]
    weights = _weekday_weights(series)
    factors = [weights[day.weekday()] for day, _ in series]
    pace, level, error = _best_level(values, factors)
    ahead = [last + timedelta(days=number + 1) for number in range(horizon)]
    coming = [weights[day.weekday()] for day in ahead]
    width = NormalDist().inv_cdf(0.5 + confidence / 2) * sqrt(1 + 1 / len(values))
    singly, together = _spreads(coming, pace, error)
    days, running, total = [], [], 0.0
    for number, day in enumerate(ahead):
        expected = level * coming[number]
        total += expected
        days.append(_day(day, expected, width * singly[number]))
        running.append(_day(day, total, width * together[number]))
    return Forecast(
        days_used=len(values),
        last=last,
        days=tuple(days),
        running=tuple(running),
        confidence=confidence,
        weekly=len(values) >= 2 * _WEEK,
    )


def _weekday_weights(series: Sequence[tuple[date, Decimal]]) -> list[float]:
    """How much of an average day each weekday is; all 1 before there are two weeks to tell."""
    even = [1.0] * _WEEK
    if len(series) < 2 * _WEEK:
        return even
    shares: dict[int, list[float]] = {weekday: [] for weekday in range(_WEEK)}
    for start in range(len(series) % _WEEK, len(series), _WEEK):
        week = series[start : start + _WEEK]
        mean = fmean(float(amount) for _, amount in week)
        for day, amount in week if mean else ():
            shares[day.weekday()].append(float(amount) / mean)
    if not any(shares.values()):
        return even
    # The median, so that one wild day is not the custom of its weekday; a little as if the week were even, because two
    # weeks are few to learn seven weights from.
    weights = [(median(found or [1.0]) * len(found) + 0.2) / (len(found) + 0.2) for _, found in sorted(shares.items())]
    mean = fmean(weights)
    return [weight / mean for weight in weights]


def _best_level(values: Sequence[float], factors: Sequence[float]) -> tuple[float, float, float]:
    """The pace that foretells the past best, the level it ends at, and the standard error one day ahead."""
    best: tuple[float, float, float] | None = None
    most = _largest_step(values, factors)
    for pace in _PACES:
        level = median(_plain(values[:_WEEK], factors))
        squares = 0.0
        for value, factor in zip(values, factors, strict=True):
            miss = value - level * factor
            squares += miss * miss
            step = miss / factor if factor > 0 else 0.0
            level = max(0.0, level + pace * max(-most, min(most, step)))
        error = sqrt(squares / max(1, len(values) - 2))
        if best is None or error < best[2]:
            best = (pace, level, error)
    assert best is not None  # there are paces
    return best


def _plain(values: Sequence[float], factors: Sequence[float]) -> list[float]:
    """The days without what their weekday makes of them."""
    return [value / factor for value, factor in zip(values, factors, strict=False) if factor > 0] or [0.0]


def _largest_step(values: Sequence[float], factors: Sequence[float]) -> float:
    """How far off a day may count as being, so that a wild one does not move the level by all of it.

    Four deviations of what days differ by as a rule, but a tenth of a usual day at least.
    """
    plain = _plain(values, factors)
    steps = [abs(after - before) for before, after in pairwise(plain)] or [0.0]
    return max(4 * 1.4826 / sqrt(2) * median(steps), median(plain) / 10) or float("inf")


def _spreads(coming: Sequence[float], pace: float, error: float) -> tuple[list[float], list[float]]:
    """The standard error of each day, and of the sum up to each day.

    What a day misses by moves the level of all days after it, by the pace.
    """
    singly, together = [], []
    for ahead in range(1, len(coming) + 1):
        singly.append(error * sqrt(1 + (ahead - 1) * pace * pace))
        after = 0.0
        variance = 0.0
        for factor in reversed(coming[:ahead]):
            variance += (1 + pace * after) ** 2
            after += factor
        together.append(error * sqrt(variance))
    return singly, together


def _day(day: date, expected: float, half: float) -> Day:
    low, middle, high = (max(0.0, value) for value in (expected - half, expected, expected + half))
    return Day(day, *(Decimal(value).quantize(_PLACES) for value in (middle, low, high)))


def exhaustion(
    found: Forecast, *, spent: Decimal, limit: Decimal, now: datetime, end: datetime | None = None
) -> Exhaustion:
    """When `limit` is reached by a budget that has `spent` up to `now` and ends at `end` (None: never).

    The amounts of a day are taken to be spread evenly over it. Times are UTC, and not before `now`.
    """
    left = limit - spent
    if left <= 0:
        return Exhaustion(expected=now, earliest=now, latest=now)
    return Exhaustion(
        expected=_reached(((day.day, day.expected) for day in found.running), left, now, end),
        earliest=_reached(((day.day, day.high) for day in found.running), left, now, end),
        latest=_reached(((day.day, day.low) for day in found.running), left, now, end),
    )


def _reached(
    running: Iterable[tuple[date, Decimal]], left: Decimal, now: datetime, end: datetime | None
) -> datetime | None:
    """The moment after `now` at which the running sum has grown by `left`."""
    before = spent_already = Decimal(0)
    for day, total in running:
        start = datetime.combine(day, time(), UTC)
        amount = max(Decimal(0), total - before)
        if start <= now < start + timedelta(days=1):  # what this day had before now is in `spent`
            spent_already = before + amount * Decimal((now - start) / timedelta(days=1))
        if start + timedelta(days=1) > now and amount and before + amount - spent_already >= left:
            share = float((left + spent_already - before) / amount)
            moment = start + timedelta(days=1) * min(1.0, max(0.0, share))
            moment = max(moment.replace(microsecond=0), now)
            return moment if end is None or moment < end else None
        before += amount
    return None

"""Figures drawn on the server, as the numbers that an SVG in a template needs. No style attributes: see the CSP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

__all__ = ["Series", "Stack", "filled", "fraction", "sparkline", "stacked"]

_WIDTH, _HEIGHT, _POINTS = 120, 28, 32
_STEPS = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
}
_MOST_BUCKETS = 800


def fraction(part: Decimal | float | None, whole: Decimal | float | None) -> float:
    """A part of a whole, from 0 to 1; 0 where there is no whole."""
    if not part or not whole:
        return 0.0
    return min(1.0, max(0.0, float(part) / float(whole)))


def sparkline(values: Sequence[Decimal | float | None]) -> str:
    """The path of a line through `values`, in a box of 120 by 28; "" for fewer than two of them."""
    known = _thinned([float(value or 0) for value in values])
    if len(known) < 2 or not any(known):
        return ""
    step, scale = _WIDTH / (len(known) - 1), (_HEIGHT - 2) / max(known)
    points = (f"{place * step:.1f},{_HEIGHT - 1 - value * scale:.1f}" for place, value in enumerate(known))
    return "M" + "L".join(points)


def _thinned(values: list[float]) -> list[float]:
    """At most 32 points, each the mean of its neighbours: a line of 120 pixels shows no more."""
    width = -(-len(values) // _POINTS)
    parts = (values[start : start + width] for start in range(0, len(values), width or 1))
    return [sum(part) / len(part) for part in parts]


@dataclass(frozen=True, slots=True)
class Series:
    """One line or layer of a chart: a value, or None for a gap, in each bucket."""

    name: str
    values: tuple[Any, ...]
    stated: bool = True  # False: the calls that do not state the column


@dataclass(frozen=True, slots=True)
class Stack:
    """A chart: the starts of its buckets, and its series, the largest first."""

    buckets: tuple[datetime, ...]
    series: tuple[Series, ...]

    def __bool__(self) -> bool:
        return bool(self.buckets)


def filled(found: Sequence[datetime], bucket: str, since: datetime | None, until: datetime) -> tuple[datetime, ...]:
    """The starts of all buckets from `since`, or the first that was found, to `until`: a quiet hour is no gap."""
    if not found:
        return ()
    step, first, last = _STEPS.get(bucket), min(found), max(found)
    if step is None:
        return tuple(sorted(set(found)))
    if since is not None and since < first:
        first -= step * int((first - since) / step)
    last += step * max(0, int((until - last) / step))
    if (last - first) / step > _MOST_BUCKETS:
        return tuple(sorted(set(found)))
    count = int((last - first) / step) + 1
    return tuple(first + step * place for place in range(count))


def stacked(
    rows: Sequence[dict[str, Any]], buckets: tuple[datetime, ...], name: str = "value", measure: str = "cost"
) -> Stack:
    """Rows of bucket, value and measure as one series for each value, the largest first; empty buckets are zero."""
    found: dict[Any, dict[datetime, Any]] = {}
    for row in rows:
        found.setdefault(row.get(name), {})[row["bucket"]] = row[measure]
    ordered = sorted(found.items(), key=lambda each: -sum(each[1].values()))
    series = (
        Series(
            "not stated" if value is None else str(value),
            tuple(at.get(bucket, Decimal(0) if measure == "cost" else 0) for bucket in buckets),
            value is not None,
        )
        for value, at in ordered
    )
    return Stack(buckets, tuple(series))

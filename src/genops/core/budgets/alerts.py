"""Alerts: a threshold of a budget that was passed, how fast a budget is used up, and when it will be at its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from genops.core.budgets.model import Budget, parse_key
from genops.core.budgets.store import Crossing
from genops.core.budgets.units import amount_of

__all__ = ["BudgetAlert", "BurnRate", "Projection", "alert_of", "project"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetAlert:
    """`threshold` percent of a budget is consumed. Given once per window, group and threshold, over all processes."""

    budget: str
    group: Mapping[str, str] = field(default_factory=dict)
    threshold: int  # percent of what is allocated
    consumed: Decimal
    allocated: Decimal
    unit: str
    period: str  # 2026-11, total, ...
    window_start: int  # UTC seconds
    window_end: int | None
    at: float  # UTC seconds

    def as_dict(self) -> dict[str, object]:
        """The alert as JSON-ready values; amounts are plain decimal strings."""
        return {
            "budget": self.budget,
            "group": dict(self.group),
            "threshold_percent": self.threshold,
            "consumed": format(self.consumed, "f"),
            "allocated": format(self.allocated, "f"),
            "unit": self.unit,
            "period": self.period,
            "window_start": self.window_start,
            "window_end": self.window_end,
            "at": self.at,
        }


def alert_of(crossing: Crossing, budgets: Mapping[str, Budget], now: float) -> BudgetAlert | None:
    """The alert that a crossing amounts to; None for a budget that this process does not know."""
    name, group, series, start = parse_key(crossing.key)
    budget = budgets.get(name)
    if budget is None or budget.window.series != series or crossing.place >= len(budget.thresholds):
        return None
    span = budget.window.at(start)
    return BudgetAlert(
        budget=name,
        group=group,
        threshold=budget.thresholds[crossing.place],
        consumed=amount_of(crossing.spent, budget.unit),
        allocated=budget.limit,
        unit=budget.unit,
        period=span.label,
        window_start=span.start,
        window_end=span.end,
        at=now,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """Where a budget is heading at `per_hour`. `exhausted_at` is None if its window ends before that."""

    per_hour: Decimal
    at_end: Decimal | None  # consumed at the end of the window, at this rate; None for a total
    exhausted_at: float | None  # UTC seconds


def project(consumed: Decimal, limit: Decimal, per_hour: Decimal, now: float, end: float | None) -> Projection:
    """Return where `consumed` of `limit` leads, at a rate of `per_hour`, in a window that ends at `end`."""
    at_end = None if end is None else consumed + per_hour * Decimal(max(0.0, end - now)) / 3600
    if consumed >= limit:
        return Projection(per_hour=per_hour, at_end=at_end, exhausted_at=now)
    if per_hour <= 0:
        return Projection(per_hour=per_hour, at_end=at_end, exhausted_at=None)
    moment = now + float((limit - consumed) / per_hour) * 3600
    return Projection(per_hour=per_hour, at_end=at_end, exhausted_at=moment if end is None or moment < end else None)


class BurnRate:
    """How fast one budget is being used, from what was consumed at some moments: over a short and a long time.

    An alert on both together neither sleeps through a sudden rise nor wakes anybody for a single dear call.
    """

    def __init__(self, short_s: float = 300.0, long_s: float = 3600.0) -> None:
        self.short_s, self.long_s = short_s, long_s
        self._seen: deque[tuple[float, Decimal]] = deque(maxlen=1000)

    def note(self, now: float, consumed: Decimal) -> None:
        """Take down what was consumed at `now`. Less than before is another window, and starts over."""
        if self._seen and consumed < self._seen[-1][1]:
            self._seen.clear()
        self._seen.append((now, consumed))
        while len(self._seen) > 1 and self._seen[1][0] <= now - self.long_s:
            self._seen.popleft()

    def per_hour(self, over_s: float) -> Decimal:
        """The rate over the last `over_s` seconds that were seen; 0 until two moments were."""
        if len(self._seen) < 2:
            return Decimal(0)
        now, consumed = self._seen[-1]
        since, before = self._first([seen for seen in self._seen if seen[0] >= now - over_s])
        return (consumed - before) / Decimal(now - since) * 3600 if now > since else Decimal(0)

    def _first(self, recent: Sequence[tuple[float, Decimal]]) -> tuple[float, Decimal]:
        return recent[0] if len(recent) > 1 else self._seen[-2]

    def burning(self, budget: Decimal, window_s: float, factor: Decimal) -> bool:
        """Whether both rates are `factor` times what would use up `budget` exactly at the end of its window."""
        sustainable = budget / Decimal(window_s) * 3600
        return min(self.per_hour(self.short_s), self.per_hour(self.long_s)) >= sustainable * factor

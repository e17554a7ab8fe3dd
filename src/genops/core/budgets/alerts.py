"""Alerts: a threshold of a budget that was passed, how fast a budget is used up, and when it will be at its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from genops.core.budgets.model import Budget, parse_key
from genops.core.budgets.store import Crossing
from genops.core.budgets.units import amount_of

__all__ = ["BudgetAlert", "Projection", "alert_of", "project"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetAlert:
    """`threshold` percent of a budget is consumed. Given once per window, group and threshold, over all processes.

    `per_hour` is the pace of the window so far, `exhausted_at` when the budget is at its end at that pace; None for a
    budget without a window, and where the window ends before.
    """

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
    per_hour: Decimal | None = None
    exhausted_at: float | None = None  # UTC seconds

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
            "per_hour": None if self.per_hour is None else format(round(self.per_hour, 9), "f"),
            "exhausted_at": self.exhausted_at,
        }


def alert_of(crossing: Crossing, budgets: Mapping[str, Budget], now: float) -> BudgetAlert | None:
    """The alert that a crossing amounts to; None for a budget that this process does not know."""
    name, group, series, start = parse_key(crossing.key)
    budget = budgets.get(name)
    if budget is None or budget.window.series != series or crossing.place >= len(budget.thresholds):
        return None
    span = budget.window.at(start)
    consumed, elapsed = amount_of(crossing.spent, budget.unit), Decimal(now - start)
    heading = None
    if span.end is not None and elapsed > 0 and not budget.rate:
        heading = project(consumed, budget.limit, consumed / elapsed * 3600, now, span.end)
    return BudgetAlert(
        budget=name,
        group=group,
        threshold=budget.thresholds[crossing.place],
        consumed=consumed,
        allocated=budget.limit,
        unit=budget.unit,
        period=span.label,
        window_start=span.start,
        window_end=span.end,
        at=now,
        per_hour=heading.per_hour if heading is not None else None,
        exhausted_at=heading.exhausted_at if heading is not None else None,
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

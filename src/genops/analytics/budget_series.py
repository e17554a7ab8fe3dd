"""Budget series: what each budget was used day by day, and in the window that runs, read from the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from genops.analytics.filters import Filters
from genops.analytics.source import Source
from genops.core.budgets.model import TAG, Budget, matches
from genops.core.budgets.windows import Span, WindowKind

__all__ = ["BudgetUse", "as_date", "budget_use", "can_be_foretold"]

_LONG = frozenset(
    {WindowKind.DAY, WindowKind.WEEK, WindowKind.MONTH, WindowKind.QUARTER, WindowKind.YEAR, WindowKind.TOTAL}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetUse:
    """One budget, or one group of it: `daily` is what it took per UTC day, `spent` what it took in `span`, in USD."""

    budget: Budget
    group: Mapping[str, str | None]
    span: Span
    spent: Decimal
    daily: Mapping[date, Decimal]


def can_be_foretold(budget: Budget) -> bool:
    """Whether days say something about a budget: it counts USD, in calendar windows of a day or more, or in all."""
    return budget.unit == "USD" and not budget.rate and budget.window.kind in _LONG


def budget_use(source: Source, budgets: Sequence[Budget], since: datetime, now: datetime) -> Iterator[BudgetUse]:
    """What was used of each budget that can be foretold, from `since` on and in its window at `now`."""
    for budget in budgets:
        if not can_be_foretold(budget):
            continue
        span = budget.window.at(now.timestamp())
        start = datetime.fromtimestamp(span.start, UTC) if span.end is not None else None
        daily: dict[tuple[str | None, ...], dict[date, Decimal]] = {}
        for group, row in _rows(source, budget, since, now, "day"):
            found = daily.setdefault(group, {})
            day = as_date(row["day"])
            found[day] = found.get(day, Decimal(0)) + row["cost"]
        spent: dict[tuple[str | None, ...], Decimal] = {}
        for group, row in _rows(source, budget, start, now):
            spent[group] = spent.get(group, Decimal(0)) + row["cost"]
        for group in sorted(daily.keys() | spent.keys(), key=str):
            yield BudgetUse(
                budget=budget,
                group=dict(zip(budget.group_by, group, strict=True)),
                span=span,
                spent=spent.get(group, Decimal(0)),
                daily=daily.get(group, {}),
            )


def _rows(
    source: Source, budget: Budget, since: datetime | None, until: datetime, *more: str
) -> Iterator[tuple[tuple[str | None, ...], dict[str, Any]]]:
    """The rows of the calls that a budget matches, with the group each belongs to."""
    fields = tuple(dict.fromkeys((*budget.match, *budget.group_by)))
    columns = {field: _column(field) for field in fields}
    filters = Filters(since, until, (("currency", "USD"),))
    for row in source.query("spend_by", filters, by=(*columns.values(), *more)):
        values = {field: row[column] for field, column in columns.items()}
        if matches(budget.match, values.get):
            yield tuple(values[field] for field in budget.group_by), row


def _column(field: str) -> str:
    """Budgets match the model that was asked for, and write tags as tag.<key>."""
    return f"tag:{field.removeprefix(TAG)}" if field.startswith(TAG) else "request_model" if field == "model" else field


def as_date(value: Any) -> date:
    """The day of a row: a date or the moment it starts at."""
    return (
        value.date() if isinstance(value, datetime) else value if isinstance(value, date) else date.fromisoformat(value)
    )

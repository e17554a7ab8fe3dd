"""Reports: what was spent in a period, by whom and on what, beside the period before, with what the sums rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from genops.analytics.filters import Filters
from genops.analytics.registry import Rows
from genops.analytics.source import Source
from genops.analytics.statements import OTHER
from genops.core.errors import ConfigurationError

__all__ = ["Report", "Request", "Row", "make_report"]

_ZERO = Decimal(0)
_UNIT_ROWS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a report is about. `every` is a bucket of time, `unit` the column of the unit economics."""

    by: tuple[str, ...] = ("team",)
    filters: Filters = field(default_factory=Filters)
    compare: bool = False
    top: int | None = None
    every: str | None = None
    unit: str = "customer_id"
    zone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One group of calls. `previous` is what it cost in the period before, None when none is compared with."""

    key: tuple[Any, ...]
    calls: int
    blocked: int
    unpriced: int
    cost: Decimal
    list_cost: Decimal
    input_tokens: int
    output_tokens: int
    previous: Decimal | None = None

    @property
    def change(self) -> Decimal | None:
        """How much more it cost than before, as a fraction of before; None where nothing was spent before."""
        return (self.cost - self.previous) / self.previous if self.previous else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report, ready to be printed. Amounts are exact, in `currency`; the rows add up to `total`."""

    request: Request
    made_at: datetime
    currency: str
    total: Row
    rows: Sequence[Row]
    first_at: datetime | None
    last_at: datetime | None
    by_status: dict[str, int]  # calls by how their cost is known
    unpriced_models: dict[str, int]
    savings: dict[str, Decimal]
    over_time: Rows = field(default_factory=list)  # bucket, calls, cost
    overall: dict[str, Any] | None = None  # cost per call, request and success, of everything
    units: Rows = field(default_factory=list)  # the same, per value of `request.unit`

    def share(self, row: Row) -> Decimal:
        """The row's part of the total cost, from 0 to 1."""
        return row.cost / self.total.cost if self.total.cost else _ZERO


def make_report(source: Source, request: Request, now: datetime) -> Report:
    """Ask `source` for everything a report says.

    Raises `ConfigurationError` for a comparison without a period, and for calls in several currencies.
    """
    filters = request.filters
    before = _period_before(filters, now) if request.compare else None
    currency = _currency(source, filters, before)
    totals = source.query("totals", filters)[0]
    rows = [_row(row, request.by) for row in source.query("spend_by", filters, by=request.by)]
    total = _row(totals, ())
    if before is not None:
        rows = _beside(rows, source.query("spend_by", before, by=request.by), request.by)
        total = replace(total, previous=source.query("totals", before)[0]["cost"])
    unpriced = source.query("unpriced_models", filters)
    overall = source.query("unit_economics", filters, by="currency")
    over_time: Rows = []
    if request.every is not None:
        over_time = source.query("spend_over_time", filters, bucket=request.every, zone=request.zone)
    return Report(
        request=request,
        made_at=now,
        currency=currency,
        total=total,
        rows=_leading(rows, request.top),
        first_at=totals["first_at"],
        last_at=totals["last_at"],
        by_status={str(row["cost_status"]): row["calls"] for row in source.query("coverage", filters)},
        unpriced_models=_counted(unpriced),
        savings={row["cause"]: row["amount"] for row in source.query("savings", filters)},
        over_time=over_time,
        overall=overall[0] if overall else None,
        units=source.query("unit_economics", filters, by=request.unit, limit=request.top or _UNIT_ROWS),
    )


def _period_before(filters: Filters, now: datetime) -> Filters:
    if filters.since is None:
        raise ConfigurationError("a comparison needs to know where the period begins.", fix="--since 7d --compare")
    length = (filters.until or now) - filters.since
    try:
        return Filters(filters.since - length, filters.since, filters.where)
    except OverflowError:
        raise ConfigurationError(
            f"there is no time {length.days} days before {filters.since:%Y-%m-%d}.", fix="--since 30d --compare"
        ) from None


def _currency(source: Source, *periods: Filters | None) -> str:
    rows = [row for period in periods if period is not None for row in source.query("prices_in_use", period)]
    found = sorted({row["currency"] for row in rows})
    if len(found) > 1:
        raise ConfigurationError(
            f"these calls were booked in {' and '.join(found)}, which cannot be added up.",
            fix=f"--where currency={found[0]}",
        )
    return found[0] if found else "USD"


def _row(found: dict[str, Any], by: tuple[str, ...]) -> Row:
    return Row(
        key=tuple(found[column] for column in by),
        **{name: found[name] for name in ("calls", "blocked", "unpriced", "cost", "list_cost")},
        input_tokens=found["input_tokens"],
        output_tokens=found["output_tokens"],
    )


def _beside(rows: list[Row], before: Rows, by: tuple[str, ...]) -> list[Row]:
    """The rows with what they cost before; what was only there before has a row, too."""
    previous = {tuple(row[column] for column in by): row["cost"] for row in before}
    found = [replace(row, previous=previous.pop(row.key, _ZERO)) for row in rows]
    gone = [_nothing(key, cost) for key, cost in previous.items() if cost]
    return found + sorted(gone, key=lambda row: (-(row.previous or _ZERO), str(row.key)))


def _nothing(key: tuple[Any, ...], previous: Decimal | None = None) -> Row:
    counts = dict.fromkeys(("calls", "blocked", "unpriced", "input_tokens", "output_tokens"), 0)
    return Row(key=key, cost=_ZERO, list_cost=_ZERO, previous=previous, **counts)


def _leading(rows: list[Row], top: int | None) -> list[Row]:
    """The dearest rows, and one for all others, so that they still add up to the total."""
    if top is None or len(rows) <= top:
        return rows
    rest = rows[top:]
    compared = rest[0].previous is not None
    return [
        *rows[:top],
        Row(
            key=(f"{OTHER[:-1]}, {len(rest)})", *[""] * (len(rest[0].key) - 1)),
            calls=sum(row.calls for row in rest),
            blocked=sum(row.blocked for row in rest),
            unpriced=sum(row.unpriced for row in rest),
            cost=sum((row.cost for row in rest), _ZERO),
            list_cost=sum((row.list_cost for row in rest), _ZERO),
            input_tokens=sum(row.input_tokens for row in rest),
            output_tokens=sum(row.output_tokens for row in rest),
            previous=sum((row.previous or _ZERO for row in rest), _ZERO) if compared else None,
        ),
    ]


def _counted(rows: Rows) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in rows:
        name = row["model"] or row["provider"]
        found[name] = found.get(name, 0) + row["calls"]
    return found

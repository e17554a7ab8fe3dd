"""Totals: ledger entries added up by any of their fields, exactly, with what is unknown beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from genops.core._suggest import did_you_mean
from genops.core.attribution import ATTRIBUTION_FIELDS
from genops.core.errors import ConfigurationError
from genops.core.ledger import LedgerEntry, Outcome

__all__ = ["COLUMNS", "Coverage", "Total", "coverage", "totals", "value_of"]

COLUMNS = (*ATTRIBUTION_FIELDS, "provider", "model", "operation", "outcome", "cost_status", "currency", "day", "hour")


@dataclass(slots=True)
class Total:
    """What a group of calls used and cost. Calls that were refused are counted apart and cost nothing."""

    key: tuple[str | None, ...]
    calls: int = 0
    blocked: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal = Decimal(0)
    list_cost: Decimal = Decimal(0)

    def add(self, entry: LedgerEntry) -> None:
        if entry.outcome is Outcome.BLOCKED:
            self.blocked += 1
            return
        self.calls += 1
        self.unpriced += entry.cost is None
        self.input_tokens += entry.input_tokens or 0
        self.output_tokens += entry.output_tokens or 0
        self.cost += entry.cost or Decimal(0)
        self.list_cost += entry.list_cost if entry.list_cost is not None else entry.cost or Decimal(0)


@dataclass(slots=True)
class Coverage:
    """How much of the calls the money covers."""

    by_status: dict[str, int] = field(default_factory=dict)
    unpriced_models: dict[str, int] = field(default_factory=dict)
    blocked: int = 0

    @property
    def calls(self) -> int:
        return sum(self.by_status.values())


def value_of(entry: LedgerEntry, column: str) -> str | None:
    """The value of one of `COLUMNS`, or of `tag:<key>`. Raises `ConfigurationError` for another name."""
    if column.startswith("tag:"):
        return entry.tags.get(column.removeprefix("tag:"))
    if column == "model":
        return entry.priced_model or entry.response_model or entry.request_model
    if column == "day":
        return entry.started_at.date().isoformat()
    if column == "hour":
        return entry.started_at.strftime("%Y-%m-%d %H:00")
    if column not in COLUMNS:
        raise ConfigurationError(
            f"there is no column {column!r}.{did_you_mean(column, COLUMNS)}",
            fix=f"use {', '.join(COLUMNS)} or tag:<key>",
        )
    value = getattr(entry, column)
    return None if value is None else str(value)


def totals(entries: Iterable[LedgerEntry], by: tuple[str, ...]) -> list[Total]:
    """One total per combination of the columns, the dearest first."""
    groups: dict[tuple[str | None, ...], Total] = {}
    for entry in entries:
        key = tuple(value_of(entry, column) for column in by)
        groups.setdefault(key, Total(key)).add(entry)
    return sorted(groups.values(), key=lambda total: (-total.cost, -total.calls, str(total.key)))


def coverage(entries: Iterable[LedgerEntry]) -> Coverage:
    """Count calls by how their cost is known."""
    found = Coverage()
    for entry in entries:
        if entry.outcome is Outcome.BLOCKED:
            found.blocked += 1
            continue
        status = str(entry.cost_status)
        found.by_status[status] = found.by_status.get(status, 0) + 1
        if entry.cost is None:
            model = value_of(entry, "model") or entry.operation
            found.unpriced_models[model] = found.unpriced_models.get(model, 0) + 1
    return found

"""Filters: which calls a question is about, and which columns it may name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from genops.core._suggest import did_you_mean
from genops.core.attribution import ATTRIBUTION_FIELDS
from genops.core.errors import ConfigurationError

__all__ = ["COLUMNS", "TIME_COLUMNS", "Filters", "check_column"]

# What calls may be grouped and filtered by, besides `tag:<key>`.
COLUMNS = (
    *ATTRIBUTION_FIELDS,
    *("provider", "model", "request_model", "response_model", "priced_model", "operation", "operation_type", "api"),
    *("outcome", "error_type", "service_tier", "region", "server_address", "currency"),
    *("cost_status", "cost_source", "usage_source", "unpriced_reason", "price_data_version"),
    *("policy_result", "policy_reason_code", "policy_name", "budget_name"),
    *("call_id", "parent_call_id", "trace_id", "span_id", "response_id"),
)
TIME_COLUMNS = ("hour", "day", "week", "month")  # to group by only; in UTC
_TAG = "tag:"


def check_column(column: str, *, time: bool = False) -> str:
    """Return `column` if calls have it; with `time`, hour, day, week and month are columns, too.

    Raises `ConfigurationError`, with what was probably meant.
    """
    known = (*COLUMNS, *TIME_COLUMNS) if time else COLUMNS
    if column in known or (column.startswith(_TAG) and len(column) > len(_TAG)):
        return column
    raise ConfigurationError(
        f"there is no column {column!r}.{did_you_mean(column, known)}", fix=f"use {', '.join(known)} or tag:<key>"
    )


@dataclass(frozen=True, slots=True)
class Filters:
    """The calls that started at or after `since` and before `until`, and have all that `where` says.

    `where` holds pairs of column and value: several values of one column mean any of them, None means not stated.
    Times are aware. Raises `ConfigurationError` for a column that is none, and for a time without a zone.
    """

    since: datetime | None = None
    until: datetime | None = None
    where: tuple[tuple[str, str | None], ...] = ()

    def __post_init__(self) -> None:
        for name, moment in (("since", self.since), ("until", self.until)):
            if moment is not None and moment.tzinfo is None:
                raise ConfigurationError(
                    f"{name}={moment.isoformat()} has no time zone.", fix=f"{name}={moment.isoformat()}+00:00"
                )
        for column, _ in self.where:
            check_column(column)

    def by_column(self) -> dict[str, list[str | None]]:
        """The values asked for, per column."""
        found: dict[str, list[str | None]] = {}
        for column, value in self.where:
            found.setdefault(column, []).append(value)
        return found

    def and_where(self, column: str, value: str | None) -> Filters:
        """The same with one more condition."""
        return Filters(self.since, self.until, (*self.where, (column, value)))

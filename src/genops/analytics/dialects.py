"""Dialects: how DuckDB and ClickHouse say the same where they differ. A value is always bound, never written out."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

from genops.core.errors import ConfigurationError

__all__ = ["BUCKETS", "CLICKHOUSE", "DUCKDB", "Dialect"]

BUCKETS = ("hour", "day", "week", "month", "minute")  # weeks begin on Monday; hours and minutes are those of UTC


class Dialect(Protocol):
    """What of a statement depends on the engine."""

    name: str
    latest: str  # what follows a table to read one row per id

    def parameter(self, name: str, value: Any) -> str:
        """The placeholder of a bound value."""

    def bound(self, value: Any) -> Any:
        """A value as the engine's client takes it."""

    def tag(self, alias: str, key: str) -> str:
        """The tag whose key is the bound value `key`; NULL where a call has none of that name."""

    def bucket(self, unit: str, moment: str, zone: str | None) -> str:
        """When the minute, hour, day, week or month of `moment` began, in UTC; `zone` is a placeholder or None."""

    def quantile(self, level: str, value: str) -> str:
        """The exact quantile, interpolated, without a filter."""

    def text(self, value: str) -> str:
        """A value as text; NULL stays NULL."""

    def micros(self, moment: str) -> str:
        """Microseconds since 1970."""

    def compared(self, text: str) -> str:
        """A long text of which only matters whether it is the same as another, as the engine compares it best."""

    def request(self, alias: str) -> str:
        """What the calls of one request have in common: their trace, or the call itself without one; `compared`."""


class _DuckDB:
    name = "duckdb"
    latest = ""

    def parameter(self, name: str, value: Any) -> str:
        return f"${name}"

    def bound(self, value: Any) -> Any:
        return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value

    def tag(self, alias: str, key: str) -> str:
        return f"{alias}.tags[{key}]"

    def bucket(self, unit: str, moment: str, zone: str | None) -> str:
        if zone is None:
            return f"CAST(date_trunc('{unit}', {moment}) AS TIMESTAMP)"
        local = f"date_trunc('{unit}', {moment} AT TIME ZONE 'UTC' AT TIME ZONE {zone})"
        return f"CAST({local} AS TIMESTAMP) AT TIME ZONE {zone} AT TIME ZONE 'UTC'"

    def quantile(self, level: str, value: str) -> str:
        return f"quantile_cont({value}, {level})"

    def text(self, value: str) -> str:
        return f"CAST({value} AS VARCHAR)"

    def micros(self, moment: str) -> str:
        return f"epoch_us({moment})"

    def compared(self, text: str) -> str:
        return f"md5_number({text})"  # 128 bits, as random as a trace id

    def request(self, alias: str) -> str:
        return f"{alias}.request"  # worked out when a call is loaded: see the replica


class _ClickHouse:
    name = "clickhouse"
    latest = " FINAL"

    def parameter(self, name: str, value: Any) -> str:
        return f"{{{name}:{_kind(value)}}}"

    def bound(self, value: Any) -> Any:
        if isinstance(value, datetime):
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        return format(value, "f") if isinstance(value, Decimal) else value

    def tag(self, alias: str, key: str) -> str:
        return f"if(mapContains({alias}.tags, {key}), {alias}.tags[{key}], NULL)"

    def bucket(self, unit: str, moment: str, zone: str | None) -> str:
        if unit in ("hour", "minute"):
            return f"toDateTime64(toStartOf{unit.title()}({moment}, 'UTC'), 6, 'UTC')"
        zone = zone or "'UTC'"
        began = {
            "day": f"toStartOfDay({moment}, {zone})",
            "week": f"toDateTime(toStartOfWeek({moment}, 1, {zone}), {zone})",  # a date: midnight of it in that zone
            "month": f"toDateTime(toStartOfMonth({moment}, {zone}), {zone})",
        }
        return f"toDateTime64({began[unit]}, 6, 'UTC')"

    def quantile(self, level: str, value: str) -> str:
        return f"quantileExactInclusive({level})({value})"

    def text(self, value: str) -> str:
        return f"toString({value})"

    def micros(self, moment: str) -> str:
        return f"toUnixTimestamp64Micro({moment})"

    def compared(self, text: str) -> str:
        return text

    def request(self, alias: str) -> str:
        return f"coalesce({alias}.trace_id, {alias}.call_id)"


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "Bool"
        case int():
            return "Int64"
        case Decimal():
            return "Decimal(38, 12)"
        case datetime():
            return "DateTime64(6, 'UTC')"
        case str():
            return "String"
    raise ConfigurationError(f"{value!r} cannot be a parameter of a query.", fix="give text, a number or a time")


DUCKDB: Dialect = _DuckDB()
CLICKHOUSE: Dialect = _ClickHouse()

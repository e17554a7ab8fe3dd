"""The registry: every named query with its parameters, and how its rows become answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from math import isnan
from typing import Any
from zoneinfo import ZoneInfo

from genops.analytics.dialects import BUCKETS
from genops.analytics.filters import check_column
from genops.core._suggest import did_you_mean
from genops.core.attribution import ATTRIBUTION_FIELDS
from genops.core.errors import ConfigurationError

__all__ = ["QUERIES", "Query", "Rows", "find_query"]

Rows = list[dict[str, Any]]
_PLACES = Decimal("0.000000000001")
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_MOST = 2**62


# -- parameters --------------------------------------------------------------------------------------------------------


def _columns(value: Any) -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else tuple(value or ())
    return tuple(check_column(str(name), time=True) for name in names)


def _column(value: Any) -> str | None:
    return None if value is None else check_column(str(value))


def _stated_column(value: Any) -> str:
    return check_column(str(value))


def _count(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < _MOST:
        raise ConfigurationError(f"{value!r} is no number of rows.", fix="give a whole number above 0")
    return value


def _one_of(*known: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in known:
            raise ConfigurationError(
                f"{value!r} is none of {', '.join(known)}.{did_you_mean(str(value), known)}", fix=f"use {known[0]}"
            )
        return str(value)

    return check


def _zone(value: Any) -> str:
    try:
        return ZoneInfo(str(value)).key
    except (KeyError, ValueError, OSError):
        raise ConfigurationError(f"there is no time zone {value!r}.", fix="write it as Europe/Berlin, or UTC") from None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _stated_text(value: Any) -> str:
    return str(value)


def _cursor(value: Any) -> tuple[str, str] | None:
    if value is None:
        return None
    if isinstance(value, str) or len(value) != 2:
        raise ConfigurationError(f"{value!r} is no position.", fix="give the order's value and the call id")
    return value[0], str(value[1])


_BY = ((), _columns)
_BY_ONE = (None, _column)
_LIMIT = (None, _count)
_BUCKET = ("day", _one_of(*BUCKETS[1:], BUCKETS[0]))
_ZONE = ("UTC", _zone)
_ORDER = ("started_at", _one_of("started_at", "cost"))


# -- what becomes of rows ----------------------------------------------------------------------------------------------


def _each(amount: Decimal, count: int) -> Decimal | None:
    """Amount per one, to 12 places; None where there are none."""
    return _EXACT.divide(amount, count).quantize(_PLACES, context=_EXACT) if count else None


def _named(rows: Rows, parameters: Mapping[str, Any]) -> Rows:
    """The grouping columns by their own names."""
    names = {f"c{number}": name for number, name in enumerate(parameters["by"])}
    return [{names.get(key, key): value for key, value in row.items()} for row in rows]


def _without_epoch(rows: Rows, _: Mapping[str, Any]) -> Rows:
    """ClickHouse says 1970 where there is no first call."""
    for row in rows:
        if not row["calls"] and not row["blocked"]:
            row["first_at"] = row["last_at"] = None
    return rows


def _summed(rows: Rows, parameters: Mapping[str, Any]) -> Rows:
    return _without_epoch(_named(rows, parameters), parameters)


def _causes(rows: Rows, _: Mapping[str, Any]) -> Rows:
    (row,) = rows
    causes = ("cache", "batch", "tier", "negotiated")
    return [{"cause": cause, "amount": row[cause], "calls": row[f"{cause}_calls"]} for cause in causes]


def _per_unit(rows: Rows, _: Mapping[str, Any]) -> Rows:
    return [
        {
            "value": row["value"],
            "calls": row["calls"],
            "cost": row["cost"],
            "cost_per_call": _each(row["cost"], row["calls"]),
            "requests": row["requests"],
            "cost_per_request": _each(row["cost"], row["requests"]),
            "successes": row["successes"],
            "cost_per_success": _each(row["cost"], row["successes"]),
        }
        for row in rows
    ]


def _by_attribute(rows: Rows, _: Mapping[str, Any]) -> Rows:
    (row,) = rows
    return [
        {
            "attribute": name,
            "stated": row[f"{name}_stated"],
            "missing": row["calls"] - row[f"{name}_stated"],
            "cost_missing": row[f"{name}_cost"],
        }
        for name in ATTRIBUTION_FIELDS
    ]


def _whole(rows: Rows, _: Mapping[str, Any]) -> Rows:
    """Quantities of usage are whole where they are whole."""
    for row in rows:
        row["usage"] = {
            meter: int(quantity) if quantity == quantity.to_integral_value() else quantity.normalize()
            for meter, quantity in row["usage"].items()
        }
    return rows


def _as_they_are(rows: Rows, _: Mapping[str, Any]) -> Rows:
    return rows


@dataclass(frozen=True, slots=True)
class Query:
    """One named query: its parameters with their defaults and checks, and what its rows become."""

    name: str
    parameters: Mapping[str, tuple[Any, Callable[[Any], Any]]]
    finish: Callable[[Rows, Mapping[str, Any]], Rows] = _as_they_are

    def checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters, checked. Raises `ConfigurationError` for an unknown one and for a value it cannot take."""
        for name in given:
            if name not in self.parameters:
                raise ConfigurationError(
                    f"the query {self.name} has no parameter {name!r}.{did_you_mean(name, tuple(self.parameters))}",
                    fix=f"use {', '.join(self.parameters) or 'none'}",
                )
        found = {name: check(given.get(name, default)) for name, (default, check) in self.parameters.items()}
        for name in ("before", "after"):
            if found.get(name) is not None:
                found[name] = _position(name, found[name], found.get("order", "started_at"))
        return found

    def answer(self, names: list[str], rows: list[tuple[Any, ...]], parameters: Mapping[str, Any]) -> Rows:
        """The rows as an engine gave them, as answers: aware times, decimals of 12 places, None for what is not."""
        plain = [dict(zip(names, map(_value, row), strict=True)) for row in rows]
        return self.finish(plain, parameters)


def _position(name: str, given: tuple[Any, str], order: str) -> tuple[Any, str]:
    value, call_id = given
    try:
        if order == "cost":
            return Decimal(-1 if value is None else str(value)), call_id
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)), call_id
    except (ValueError, InvalidOperation):
        raise ConfigurationError(
            f"{name}={value!r} is no {order}.", fix="give the order's value of the last row, and its call id"
        ) from None


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, float):
        return None if isnan(value) else value
    if isinstance(value, Decimal):
        return value.quantize(_PLACES, context=_EXACT)
    return value


QUERIES: Mapping[str, Query] = {
    query.name: query
    for query in (
        Query("totals", {}, _without_epoch),
        Query("coverage", {}),
        Query("unpriced_models", {"limit": _LIMIT}),
        Query("spend_by", {"by": _BY, "limit": _LIMIT}, _named),
        Query("sums", {"by": _BY, "limit": _LIMIT}, _summed),
        Query("spend_over_time", {"bucket": _BUCKET, "by": _BY_ONE, "top": _LIMIT, "zone": _ZONE}),
        Query("latency_over_time", {"bucket": _BUCKET, "zone": _ZONE}),
        Query("savings", {}, _causes),
        Query("unit_economics", {"by": ("customer_id", _stated_column), "limit": _LIMIT}, _per_unit),
        Query(
            "calls",
            {"limit": (50, _count), "before": (None, _cursor), "order": _ORDER},
        ),
        Query("call", {"call_id": (None, _stated_text)}, _whole),
        Query("entries", {"limit": (1000, _count), "after": (None, _cursor)}, _whole),
        Query("judgements", {"call_id": (None, _stated_text), "trace_id": ("", _stated_text)}),
        Query("decisions_over_time", {"bucket": _BUCKET, "zone": _ZONE}),
        Query("decisions_by_rule", {"limit": _LIMIT}),
        Query("outcomes", {"by": _BY}, _named),
        Query("budgets_spent", {}),
        Query("values", {"column": (None, _stated_column), "limit": _LIMIT}),
        Query("daily", {"by": _BY_ONE, "zone": _ZONE}),
        Query("usage_by_model", {"by": _BY}, _named),
        Query("prices_in_use", {}),
        Query("reservations", {"by": _BY}, _named),
        Query("evaluations", {"bucket": _BUCKET, "name": (None, _text), "zone": _ZONE}),
        Query("attribution_coverage", {}, _by_attribute),
    )
}


def find_query(name: str) -> Query:
    """The query of that name. Raises `ConfigurationError` if there is none."""
    found = QUERIES.get(name)
    if found is None:
        raise ConfigurationError(
            f"there is no query {name!r}.{did_you_mean(name, tuple(QUERIES))}", fix=f"use {', '.join(QUERIES)}"
        )
    return found

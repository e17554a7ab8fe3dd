"""Ledger entries from the attributes that carry them: those of `genops.usage.recorded`, and of spans with a cost.

Source: spec/registry/events.yaml; the Collector's ledger connector makes records of spans in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from genops import semconv as s
from genops.core.attribution_values import REQUIRED_FIELDS, is_placeholder
from genops.core.ledger import LedgerEntry, Outcome

__all__ = ["Unreadable", "attribution_of", "entry_of"]

_LONGEST = 1024  # characters of a text of an entry; the rest is cut off, and says so
_MOST_TAGS = 64
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_PLACES = Decimal("0.000000000001")
_MOST = Decimal(10) ** 18
_METER = re.compile(r"[a-z][a-z0-9_]{0,63}")
_USAGE, _TAG = f"{s.GENOPS_USAGE_QUANTITY}.", f"{s.GENOPS_TAG}."
_TEXTS = (
    *("call_id", "parent_call_id", "error_type", "provider", "api", "operation", "operation_type", "request_model"),
    *("response_model", "response_id", "service_tier", "region", "server_address", "usage_source", "cost_status"),
    *("cost_source", "currency", "priced_model", "price_data_version", "unpriced_reason", "policy_result"),
    *("policy_reason_code", "policy_name", "accounting_unit", "budget_name"),
)
_REQUIRED = ("call_id", "provider", "api", "operation", "operation_type", "policy_result")
_LISTS = ("usage_flags", "missing_meters")
_MONEY = ("cost", "list_cost", "reserved", "actual")
# What a resource says in OpenTelemetry's own names, the later before the earlier.
_IMPLIED = (
    ("service.name", "project"),
    ("service.namespace", "team"),
    ("deployment.environment", "environment"),
    ("deployment.environment.name", "environment"),
)
_FIELDS = {
    field: s.LEDGER_ATTRIBUTES[field]
    for field in ("team", "project", "environment", "customer_id", "cost_center", "feature", "session_id")
}
# How others say the same.
_OTHERS: dict[str, tuple[str, ...]] = {field: (f"traceloop.association.properties.{field}",) for field in _FIELDS}
_OTHERS["session_id"] += (s.GEN_AI_CONVERSATION_ID, "session.id")


class Unreadable(ValueError):
    """A record that holds no ledger entry."""


def entry_of(given: Mapping[str, Any], trace_id: str | None, span_id: str | None) -> LedgerEntry:
    """The entry that the attributes of a record carry. Raises `Unreadable`, which says what is missing or wrong."""
    values: dict[str, Any] = {"trace_id": trace_id, "span_id": span_id}
    for field in _TEXTS:
        text = _text(given.get(s.LEDGER_ATTRIBUTES[field]))
        if text is not None:
            values[field] = text
    for field in _REQUIRED:
        if field not in values:
            raise Unreadable(f"{s.LEDGER_ATTRIBUTES[field]} is missing")
    for field in _LISTS:
        values[field] = _texts(given.get(s.LEDGER_ATTRIBUTES[field]))
    for field in _MONEY:
        values[field] = _amount(given, s.LEDGER_ATTRIBUTES[field])
    values["started_at"] = _moment(given)
    values["duration_ms"] = _measured(given, "duration_ms", required=True)
    values["time_to_first_chunk_ms"] = _measured(given, "time_to_first_chunk_ms")
    values["streamed"] = given.get(s.GEN_AI_REQUEST_STREAM) is True
    values["usage"] = _usage(given)
    reasoning = given.get(s.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS)
    values["reasoning_tokens"] = reasoning if type(reasoning) is int and reasoning >= 0 else None
    try:
        values["outcome"] = Outcome(str(given.get(s.GENOPS_CALL_OUTCOME)))
    except ValueError:
        raise _wrong(s.GENOPS_CALL_OUTCOME, given.get(s.GENOPS_CALL_OUTCOME)) from None
    return LedgerEntry(**values, **attribution_of(given, {}))


def attribution_of(given: Mapping[str, Any], resource: Mapping[str, Any]) -> dict[str, Any]:
    """For whom a call was made. What a span says goes before its resource, our names before those of others."""
    found: dict[str, Any] = {}
    for name, field in _IMPLIED:
        text = _text(resource.get(name))
        if text is not None and not text.startswith("unknown_service"):
            _lay(found, field, text)
    for field, attribute in _FIELDS.items():
        others = (text for name in _OTHERS[field] if (text := _text(given.get(name))) is not None)
        for text in (_text(resource.get(attribute)), next(others, None), _text(given.get(attribute))):
            _lay(found, field, text)
    tags: dict[str, str | None] = {}
    for source in (resource, given):
        tags |= {name[len(_TAG) :]: _text(value) for name, value in source.items() if name.startswith(_TAG)}
    kept = {key[:_LONGEST]: text for key, text in tags.items() if key and text is not None}
    found["tags"] = dict(list(kept.items())[:_MOST_TAGS])
    return found


def _lay(found: dict[str, Any], field: str, text: str | None) -> None:
    if text is not None and not (field in REQUIRED_FIELDS and is_placeholder(text)):
        found[field] = text


def _text(value: Any) -> str | None:
    if type(value) is not str:
        if value is None or isinstance(value, bool) or not isinstance(value, int):
            return None
        value = str(value)
    text: str = value.strip()
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST - 1]}…"
    return text or None


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(filter(None, map(_text, value[:64]))) if isinstance(value, tuple) else ()


def _wrong(name: str, value: Any) -> Unreadable:
    return Unreadable(f"{name} is {str(value)[:40]!r}")


def _decimal(name: str, value: Any) -> Decimal:
    """An exact amount of at least 0, of at most 12 places. A double holds the nearest; of 12 places, it is that one."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _wrong(name, value)
    try:
        amount = _EXACT.create_decimal(str(value)[:64])
    except ArithmeticError:
        raise _wrong(name, value) from None
    if not (amount.is_finite() and 0 <= amount <= _MOST):
        raise _wrong(name, value)
    places = amount.as_tuple().exponent
    return amount if isinstance(places, int) and places >= -12 else amount.quantize(_PLACES, context=_EXACT)


def _amount(given: Mapping[str, Any], name: str) -> Decimal | None:
    value = given.get(name)
    return None if value is None else _decimal(name, value)


def _usage(given: Mapping[str, Any]) -> dict[str, int | Decimal]:
    found: dict[str, int | Decimal] = {}
    for name, value in given.items():
        if name.startswith(_USAGE) and _METER.fullmatch(name[len(_USAGE) :]):
            quantity = _decimal(name, value)
            found[name[len(_USAGE) :]] = int(quantity) if quantity == int(quantity) else quantity
    return found


def _moment(given: Mapping[str, Any]) -> datetime:
    value = given.get(s.GENOPS_LEDGER_STARTED_AT)
    try:
        found = datetime.fromisoformat(value)  # type: ignore[arg-type]  # what is no text raises
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise _wrong(s.GENOPS_LEDGER_STARTED_AT, value) from None


def _measured(given: Mapping[str, Any], field: str, *, required: bool = False) -> float | None:
    name = s.LEDGER_ATTRIBUTES[field]
    value = given.get(name)
    if value is None and not required:
        return None
    return float(_decimal(name, value))

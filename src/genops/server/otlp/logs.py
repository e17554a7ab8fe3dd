"""Log records: ledger entries of settled calls, budget alerts and evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from genops import semconv as s
from genops.core.ids import derived_id
from genops.core.ledger import plain
from genops.server.otlp.entries import Unreadable, attribution_of, entry_of
from genops.server.otlp.evaluations import evaluation_of, identified
from genops.server.otlp.signals import Taken
from genops.server.otlp.values import as_id, attributes, moment
from genops.stores.received import Batch, Kind, ReceivedCall

__all__ = ["read_logs"]

_EVENT_ATTRIBUTE = "event.name"  # where the name of an event was before OTLP 1.5


def read_logs(request: Any) -> tuple[Batch, Taken]:
    """What an `ExportLogsServiceRequest` tells, and how many of its records say that they are ours and are not."""
    batch = Batch()
    rejected, why = 0, ""
    scopes = (scope for resource in request.resource_logs for scope in resource.scope_logs)
    for record in (record for scope in scopes for record in scope.log_records):
        try:
            _read(record, batch)
        except Unreadable as problem:
            rejected += 1
            why = why or f"{record.event_name or 'log record'}: {problem}"
    return batch, Taken(rejected, why)


def _read(record: Any, batch: Batch) -> None:
    name = record.event_name or next(
        (each.value.string_value for each in record.attributes if each.key == _EVENT_ATTRIBUTE), ""
    )
    if name not in _EVENTS:
        return
    given = attributes(record.attributes)
    trace_id, span_id = as_id(record.trace_id, 16), as_id(record.span_id, 8)
    if name == s.EVENT_USAGE_RECORDED:
        batch.calls.append(ReceivedCall(entry_of(given, trace_id, span_id), Kind.RECORD))
        return
    at = moment(record.time_unix_nano) or moment(record.observed_time_unix_nano)
    if at is None:
        raise Unreadable("it has no time")
    if name == s.EVENT_BUDGET_ALERT:
        _take_alert(given, at, batch)
        return
    evaluation = evaluation_of(name, given)
    if evaluation is None:
        raise Unreadable("the evaluation has no name")
    call_id = given.get(s.GENOPS_CALL_ID)
    about: dict[str, Any] = {
        "trace_id": trace_id,
        "span_id": span_id,
        "call_id": call_id if isinstance(call_id, str) else None,
    }
    batch.evaluations.append(identified(replace(evaluation, evaluated_at=at, **about, **attribution_of(given, {}))))


def _take_alert(given: Mapping[str, Any], at: datetime, batch: Batch) -> None:
    said: dict[str, Any] = {"at": plain(at.astimezone(UTC))}
    for field, attribute in _ALERT.items():
        value = given.get(attribute)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            said[field] = value[:1024] if isinstance(value, str) else value
    if "budget" not in said:
        raise Unreadable(f"{s.GENOPS_BUDGET_NAME} is missing")
    said |= {field: value for field, value in attribution_of(given, {}).items() if value}
    batch.alerts[derived_id("alert", *(f"{name}={value}" for name, value in sorted(said.items())))] = said


_EVENTS = frozenset(
    {
        s.EVENT_USAGE_RECORDED,
        s.EVENT_BUDGET_ALERT,
        s.EVENT_EVALUATION_COMPLETE,
        s.EVENT_GEN_AI_EVALUATION_RESULT,
    }
)
_ALERT = {
    "budget": s.GENOPS_BUDGET_NAME,
    "threshold": s.GENOPS_BUDGET_THRESHOLD,
    "consumed": s.GENOPS_BUDGET_CONSUMED,
    "allocated": s.GENOPS_BUDGET_ALLOCATED,
    "period": s.GENOPS_BUDGET_PERIOD,
    "unit": s.GENOPS_ACCOUNTING_UNIT,
    "burn_rate": s.GENOPS_BUDGET_BURN_RATE,
    "exhausted_at": s.GENOPS_BUDGET_EXHAUSTED_AT,
}

"""Spans: the calls that they tell of, whoever wrote them, and what else is kept of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Status

from genops import semconv as s
from genops.core.cost import Cost, CostSource, CostStatus, Unpriced
from genops.core.ids import derived_id
from genops.core.ledger import LedgerEntry, Outcome, plain
from genops.core.pricing import PriceBook, PriceQuery
from genops.core.usage import Usage
from genops.providers._engine.dialects import Said, said, watches_frameworks
from genops.server.otlp.entries import Unreadable, attribution_of, entry_of
from genops.server.otlp.evaluations import evaluation_of, identified
from genops.server.otlp.signals import Taken
from genops.server.otlp.values import as_id, attributes, moment, number
from genops.stores.received import Batch, Kind, ReceivedCall

__all__ = ["read_spans"]

_CONTRACT = frozenset({CostSource.CONTRACT.value, CostSource.PROVIDER.value})
_RESOURCE = (s.GENOPS_TEAM, s.GENOPS_PROJECT, s.GENOPS_ENVIRONMENT)
_AMOUNTS = (
    (s.GENOPS_LEDGER_COST, s.GENOPS_COST_TOTAL),
    (s.GENOPS_LEDGER_LIST_COST, s.GENOPS_COST_LIST),
    (s.GENOPS_LEDGER_RESERVED, s.GENOPS_ACCOUNTING_RESERVED),
    (s.GENOPS_LEDGER_ACTUAL, s.GENOPS_ACCOUNTING_ACTUAL),
)
_TOTALS = {
    "input": s.GENOPS_TOKENS_INPUT,
    "cache_read": s.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS,
    "cache_write": s.GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS,
    "output": s.GENOPS_TOKENS_OUTPUT,
}


@dataclass(frozen=True, slots=True)
class _Span:
    """One span, with what its resource and its scope say."""

    trace_id: str
    span_id: str
    started_at: datetime
    duration_ms: float
    failed: bool
    scope: str
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]


def read_spans(request: Any, book: PriceBook) -> tuple[Batch, Taken]:
    """What an `ExportTraceServiceRequest` tells, and how many of its spans are none."""
    batch = Batch()
    rejected, why = 0, ""
    for resource, scope, span in _spans(request):
        try:
            _read(span, scope, resource, batch, book)
        except Unreadable as problem:
            rejected += 1
            why = why or f"span {span.name[:80]!r}: {problem}"
    return batch, Taken(rejected, why)


def _spans(request: Any) -> Iterator[tuple[Mapping[str, Any], str, Any]]:
    for resource in request.resource_spans:
        about = attributes(resource.resource.attributes)
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield about, scope.scope.name, span


def _read(span: Any, scope: str, resource: Mapping[str, Any], batch: Batch, book: PriceBook) -> None:
    trace_id, span_id = as_id(span.trace_id, 16), as_id(span.span_id, 8)
    started_at = moment(span.start_time_unix_nano)
    if trace_id is None or span_id is None or started_at is None:
        raise Unreadable("it has no valid trace id, span id or start time")
    parent = as_id(span.parent_span_id, 8)
    if parent is not None:
        batch.parents[trace_id, span_id] = parent
    found = attributes(span.attributes)
    told = _Span(
        trace_id=trace_id,
        span_id=span_id,
        started_at=started_at,
        duration_ms=max(span.end_time_unix_nano - span.start_time_unix_nano, 0) / 1e6,
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        scope=scope,
        attributes=found,
        resource=resource,
    )
    for event in span.events:
        _read_event(event, told, batch)
    call = _call(told, book)
    if call is not None:
        batch.calls.append(call)


def _read_event(event: Any, span: _Span, batch: Batch) -> None:
    evaluation = evaluation_of(event.name, attributes(event.attributes))
    if evaluation is None:
        return
    about = attribution_of(span.attributes, span.resource)
    evaluation = replace(
        evaluation,
        evaluated_at=moment(event.time_unix_nano) or span.started_at,
        trace_id=span.trace_id,
        span_id=span.span_id,
        call_id=call_id if isinstance(call_id := span.attributes.get(s.GENOPS_CALL_ID), str) else None,
        **about,
    )
    batch.evaluations.append(identified(evaluation))


def _call(span: _Span, book: PriceBook) -> ReceivedCall | None:
    given = span.attributes
    role, outcome = given.get(s.GENOPS_COST_ROLE), given.get(s.GENOPS_CALL_OUTCOME)
    identified, priced = s.GENOPS_CALL_ID in given, s.GENOPS_COST_TOTAL in given
    if identified and role != "account" and outcome != Outcome.BLOCKED and not priced:
        return None  # a part of a call that is told by another span
    if identified or priced:
        return _booked(span)
    told = said(span.scope, given)
    if told is None:
        return None
    kind = Kind.FRAMEWORK if watches_frameworks(span.scope) else Kind.FOREIGN
    return ReceivedCall(_priced(span, told, book), kind)


# -- spans that a GenOps SDK or Collector priced -----------------------------------------------------------------------


def _booked(span: _Span) -> ReceivedCall:
    """The call of a span that has its cost, by the attributes of the record that would carry it."""
    given = span.attributes
    told = said(span.scope, given)
    blocked = given.get(s.GENOPS_CALL_OUTCOME) == Outcome.BLOCKED
    fields: dict[str, Any] = {
        s.GENOPS_CALL_ID: call_id_of(span.trace_id, span.span_id),
        s.GEN_AI_PROVIDER_NAME: given.get(s.GENOPS_COST_PROVIDER),
        s.GENOPS_CALL_API: "span",
        s.GEN_AI_OPERATION_NAME: "chat",
        s.GENOPS_OPERATION_TYPE: "inference",
        s.GENOPS_CALL_OUTCOME: (Outcome.ERROR if span.failed else Outcome.COMPLETED).value,
        s.GENOPS_POLICY_RESULT: "ALLOWED",
        s.GENOPS_USAGE_SOURCE: None if blocked else "reported",
    }
    if told is not None:
        fields |= _facts(told)
    fields |= {name: resource for name in _RESOURCE if (resource := span.resource.get(name)) is not None}
    fields = {name: value for name, value in (fields | dict(given)).items() if value is not None}
    fields[s.GENOPS_LEDGER_STARTED_AT] = plain(span.started_at)
    fields[s.GENOPS_LEDGER_DURATION_MS] = span.duration_ms
    first = number(given, s.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK)
    if first is not None:
        fields[s.GENOPS_LEDGER_TIME_TO_FIRST_CHUNK_MS] = first * 1000
    _put_amounts(fields, given, blocked)
    if not any(name.startswith(f"{s.GENOPS_USAGE_QUANTITY}.") for name in given):
        fields |= {f"{s.GENOPS_USAGE_QUANTITY}.{meter}": count for meter, count in _quantities(given).items()}
    entry = entry_of(fields, span.trace_id, span.span_id)
    if given.get(s.GENOPS_COST_SOURCE) == CostSource.SPAN:
        return ReceivedCall(entry, Kind.FRAMEWORK if watches_frameworks(span.scope) else Kind.FOREIGN)
    return ReceivedCall(entry, Kind.BATCH if entry.operation_type == "batch" else Kind.SPAN)


def _facts(told: Said) -> dict[str, Any]:
    """What the dialect of a span says, for the attributes that the span has under other names."""
    facts, reading = told.facts, told.reading
    return {
        s.GEN_AI_PROVIDER_NAME: facts.provider,
        s.GEN_AI_OPERATION_NAME: facts.operation,
        s.GENOPS_OPERATION_TYPE: facts.operation_type,
        s.GEN_AI_REQUEST_MODEL: facts.request_model,
        s.GEN_AI_RESPONSE_MODEL: reading.response_model,
        s.GEN_AI_RESPONSE_ID: reading.response_id,
        s.GENOPS_SERVICE_TIER: reading.service_tier,
        s.GENOPS_REGION: facts.region,
    }


def _put_amounts(fields: dict[str, Any], given: Mapping[str, Any], blocked: bool) -> None:
    """Amounts, exact where they are on the span; a double of at most 12 places is that decimal."""
    for exact, nearest in _AMOUNTS:
        value = given.get(exact, given.get(nearest))
        if value is not None and not (blocked and exact == s.GENOPS_LEDGER_COST):
            fields[exact] = value
    contract = given.get(s.GENOPS_COST_SOURCE) in _CONTRACT
    if s.GENOPS_LEDGER_COST in fields and s.GENOPS_LEDGER_LIST_COST not in fields and not contract:
        fields[s.GENOPS_LEDGER_LIST_COST] = fields[s.GENOPS_LEDGER_COST]


def _quantities(given: Mapping[str, Any]) -> dict[str, int]:
    """The meters that the totals on a span of an SDK come from, as far as it tells them apart."""
    counts = {name: number(given, attribute) for name, attribute in _TOTALS.items()}
    found = {name: int(count) for name, count in counts.items() if count is not None}
    if "input" in found:
        found["input"] = max(found["input"] - found.get("cache_read", 0) - found.get("cache_write", 0), 0)
    return found


# -- spans of other instrumentations -----------------------------------------------------------------------------------


def _priced(span: _Span, told: Said, book: PriceBook) -> LedgerEntry:
    facts, reading = told.facts, told.reading
    priced: Cost | Unpriced = Unpriced(str(told.malformed), book.version)
    if told.malformed is None:
        priced = book.price(reading.usage or Usage(), _query(span, told), lines=False)
    money: dict[str, Any] = {"cost_status": CostStatus.UNPRICED.value, "price_data_version": priced.price_data_version}
    if isinstance(priced, Cost):
        money |= {
            "cost_status": priced.status.value,
            "cost_source": CostSource.SPAN.value,
            "cost": priced.amount,
            "list_cost": priced.list_amount,
            "currency": priced.currency,
            "priced_model": priced.priced_model,
            "missing_meters": priced.missing_meters,
        }
    else:
        money["unpriced_reason"] = priced.reason
    error_type = span.attributes.get(s.ERROR_TYPE)
    first = number(span.attributes, s.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK)
    return LedgerEntry(
        call_id=call_id_of(span.trace_id, span.span_id),
        trace_id=span.trace_id,
        span_id=span.span_id,
        started_at=span.started_at,
        duration_ms=span.duration_ms,
        time_to_first_chunk_ms=None if first is None else first * 1000,
        outcome=Outcome.ERROR if span.failed else Outcome.COMPLETED,
        error_type=error_type if isinstance(error_type, str) and span.failed else None,
        provider=facts.provider,
        api=facts.api,
        operation=facts.operation,
        operation_type=facts.operation_type,
        request_model=facts.request_model,
        response_model=reading.response_model,
        response_id=reading.response_id,
        service_tier=reading.service_tier,
        region=facts.region,
        server_address=facts.server_address,
        usage=reading.usage.quantities if reading.usage is not None else {},
        usage_source=reading.usage.source.value if reading.usage is not None else None,
        policy_result="ALLOWED",
        **attribution_of(span.attributes, span.resource),
        **money,
    )


def _query(span: _Span, told: Said) -> PriceQuery:
    facts, reading = told.facts, told.reading
    return PriceQuery(
        provider=facts.provider,
        at=span.started_at,
        api=facts.api,
        request_model=facts.request_model,
        response_model=reading.response_model,
        service_tier=reading.service_tier,
        region=facts.region,
        host=facts.server_address,
    )


def call_id_of(trace_id: str, span_id: str) -> str:
    """The id of the call that a span tells of, if nobody gave it one: the same as the Collector's."""
    return derived_id(f"{trace_id}/{span_id}")

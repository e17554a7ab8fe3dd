"""Telemetry: the only writer of governance attributes, events, metrics and log records.

Everything here is derived from a frame and its ledger entry and goes through the OpenTelemetry API, so it lands in
whatever providers the application has. Facts use the `gen_ai.*` names of OpenTelemetry, governance uses ours.

Source: spec/registry; the phases are those of the GenOps specification v0.1, "AI Workload Unit".
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry import _logs, metrics, trace
from opentelemetry import context as otel_context
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from genops import semconv as s
from genops._version import __version__
from genops.core._guarding import never_raises
from genops.core.attribution import Attribution
from genops.core.ledger import LedgerEntry, Outcome

if TYPE_CHECKING:
    from genops.core.frame import Frame

__all__ = ["Telemetry", "attribution_attributes"]

_FAILED = frozenset({Outcome.ERROR, Outcome.CANCELLED, Outcome.BLOCKED})
_DIMENSIONS = (
    (s.GENOPS_TEAM, "team"),
    (s.GENOPS_PROJECT, "project"),
    (s.GENOPS_ENVIRONMENT, "environment"),
    (s.GENOPS_CUSTOMER_ID, "customer_id"),
    (s.GENOPS_COST_CENTER, "cost_center"),
    (s.GENOPS_FEATURE, "feature"),
    (s.GEN_AI_PROVIDER_NAME, "provider"),
    (s.GEN_AI_REQUEST_MODEL, "request_model"),
    (s.GEN_AI_OPERATION_NAME, "operation"),
    (s.GENOPS_CALL_OUTCOME, "outcome"),
)


def attribution_attributes(attribution: Attribution) -> dict[str, Any]:
    """The attribution as span attributes; what is not given is absent."""
    attributes: dict[str, Any] = {
        name: value
        for name, value in (
            (s.GENOPS_TEAM, attribution.team),
            (s.GENOPS_PROJECT, attribution.project),
            (s.GENOPS_ENVIRONMENT, attribution.environment),
            (s.GENOPS_CUSTOMER_ID, attribution.customer_id),
            (s.GENOPS_COST_CENTER, attribution.cost_center),
            (s.GENOPS_FEATURE, attribution.feature),
            (s.GENOPS_SESSION_ID, attribution.session_id),
        )
        if value is not None
    }
    for key, value in attribution.tags.items():
        attributes[f"{s.GENOPS_TAG}.{key}"] = value
    return attributes


class Telemetry:
    """Writes what happened to a call as one span, its events, metrics and one log record.

    Providers left out are the application's global ones. `cardinality_limit` bounds the distinct attribute sets of the
    metrics; what is over it is counted under one overflow set, as OpenTelemetry's metrics SDK does.
    """

    def __init__(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
        logger_provider: _logs.LoggerProvider | None = None,
        with_metrics: bool = True,
        with_logs: bool = True,
        cardinality_limit: int = 2000,
    ) -> None:
        self._tracer = trace.get_tracer("genops", __version__, tracer_provider)
        self._logger = _logs.get_logger("genops", __version__, logger_provider) if with_logs else None
        self._metrics = Metrics(meter_provider, cardinality_limit) if with_metrics else None

    # -- spans ---------------------------------------------------------------------------------------------------------

    @never_raises
    def start(self, frame: Frame) -> None:
        """Open the span of a call that has been decided, with its pre-execution attributes and events."""
        facts, decision, reservation = frame.facts, frame.decision, frame.reservation
        assert decision is not None  # admit() decided
        span = self._tracer.start_span(
            f"{facts.operation} {facts.request_model}" if facts.request_model else facts.operation,
            kind=SpanKind.CLIENT,
            start_time=frame.started_ns,
        )
        frame.span = span
        if not span.is_recording():
            return
        attributes = attribution_attributes(frame.attribution)
        attributes[s.GEN_AI_OPERATION_NAME] = facts.operation
        attributes[s.GEN_AI_PROVIDER_NAME] = facts.provider
        attributes[s.GENOPS_CALL_ID] = frame.call_id
        attributes[s.GENOPS_SPEC_VERSION] = s.SPEC_VERSION
        attributes[s.GENOPS_OPERATION_NAME] = facts.operation_name
        attributes[s.GENOPS_OPERATION_TYPE] = facts.operation_type
        if facts.request_model is not None:
            attributes[s.GEN_AI_REQUEST_MODEL] = facts.request_model
        if facts.server_address is not None:
            attributes[s.SERVER_ADDRESS] = facts.server_address
        if facts.server_port is not None:
            attributes[s.SERVER_PORT] = facts.server_port
        if frame.output_bound is not None:
            attributes[s.GEN_AI_REQUEST_MAX_TOKENS] = frame.output_bound
        if frame.parent is not None:
            attributes[s.GENOPS_CALL_PARENT_ID] = frame.parent.call_id
        decided: dict[str, Any] = {s.GENOPS_POLICY_RESULT: decision.result.value}
        if decision.reason_code is not None:
            decided[s.GENOPS_POLICY_REASON_CODE] = decision.reason_code
        if decision.policy_name is not None:
            decided[s.GENOPS_POLICY_NAME] = decision.policy_name
        if decision.reason is not None:
            decided[s.GENOPS_POLICY_REASON] = decision.reason
        attributes.update(decided)
        span.add_event(s.EVENT_POLICY_EVALUATED, decided)
        if reservation is not None:
            reserved: dict[str, Any] = {
                s.GENOPS_ACCOUNTING_RESERVED: float(reservation.amount),
                s.GENOPS_ACCOUNTING_UNIT: reservation.unit,
                s.GENOPS_BUDGET_NAME: reservation.budget,
            }
            attributes.update(reserved)
            span.add_event(s.EVENT_BUDGET_RESERVATION, reserved)
        span.set_attributes(attributes)

    @never_raises
    def finish(self, frame: Frame, entry: LedgerEntry) -> None:
        """Close the span of a settled call."""
        span = frame.span
        if span is None or not span.is_recording():
            return
        attributes = _outcome_attributes(entry)
        if entry.actual is not None and entry.reserved is not None and entry.accounting_unit is not None:
            actual, reserved = float(entry.actual), float(entry.reserved)
            delta = float(entry.actual - entry.reserved)
            attributes[s.GENOPS_ACCOUNTING_ACTUAL] = actual
            attributes[s.GENOPS_ACCOUNTING_RECONCILIATION_DELTA] = delta
            span.add_event(
                s.EVENT_BUDGET_RECONCILIATION,
                {
                    s.GENOPS_ACCOUNTING_ACTUAL: actual,
                    s.GENOPS_ACCOUNTING_RESERVED: reserved,
                    s.GENOPS_ACCOUNTING_UNIT: entry.accounting_unit,
                    s.GENOPS_ACCOUNTING_RECONCILIATION_DELTA: delta,
                },
            )
        span.set_attributes(attributes)
        if entry.outcome in _FAILED:
            span.set_status(Status(StatusCode.ERROR, entry.error_type))
        span.end()

    @never_raises
    def record(self, span: Span | None, entry: LedgerEntry) -> None:
        """Publish the metrics and the log record of a ledger entry."""
        if self._metrics is not None:
            self._metrics.record(entry)
        if self._logger is not None:
            self._emit(span, entry)

    @never_raises
    def finish_mirror(self, frame: Frame, outcome: Outcome, error_type: str | None) -> None:
        """Close the span of a call whose cost is booked elsewhere: by a call inside it, or by an earlier layer."""
        span = frame.span
        if span is None or not span.is_recording():
            return
        role = "aggregate" if frame.child_accounted else "mirror"
        attributes: dict[str, Any] = {s.GENOPS_COST_ROLE: role, s.GENOPS_CALL_OUTCOME: outcome.value}
        reservation = frame.reservation
        if reservation is not None:
            settled = {
                s.GENOPS_ACCOUNTING_ACTUAL: 0.0,
                s.GENOPS_ACCOUNTING_RECONCILIATION_DELTA: -float(reservation.amount),
            }
            attributes.update(settled)
            span.add_event(
                s.EVENT_BUDGET_RECONCILIATION,
                {
                    **settled,
                    s.GENOPS_ACCOUNTING_RESERVED: float(reservation.amount),
                    s.GENOPS_ACCOUNTING_UNIT: reservation.unit,
                },
            )
        if error_type is not None:
            attributes[s.ERROR_TYPE] = error_type
        span.set_attributes(attributes)
        span.end()

    def ids(self, span: Span | None) -> tuple[str | None, str | None]:
        """Trace id and span id of `span` in hexadecimal; None for both if there is no valid one."""
        if span is None:
            return None, None
        context = span.get_span_context()
        if not context.is_valid:
            return None, None
        return format(context.trace_id, "032x"), format(context.span_id, "016x")

    def attach(self, span: Span | None) -> object | None:
        """Make `span` the current one; give what is returned to `detach`, in the same context."""
        return None if span is None else otel_context.attach(trace.set_span_in_context(span))

    def detach(self, token: Any) -> None:
        """Make the span current again that was before `attach`."""
        if token is not None:
            otel_context.detach(token)

    def open_scope(self, name: str, attributes: dict[str, Any]) -> Span:
        """Open the span of a block that groups calls. It is no AI Workload Unit: it decides and spends nothing."""
        return self._tracer.start_span(name, attributes=attributes)

    def close_scope(self, span: Span, error: BaseException | None) -> None:
        """Close the span of a block; an error that ends the block is recorded."""
        if error is not None:
            span.set_attribute(s.ERROR_TYPE, type(error).__qualname__)
            span.set_status(Status(StatusCode.ERROR, type(error).__qualname__))
        span.end()

    # -- logs ----------------------------------------------------------------------------------------------------------

    def _emit(self, span: Span | None, entry: LedgerEntry) -> None:
        logger = self._logger
        enabled = getattr(logger, "enabled", None)  # absent before OpenTelemetry 1.40
        if logger is None or (enabled is not None and not enabled()):
            return
        attributes = _record_attributes(entry)
        logger.emit(
            LogRecord(
                timestamp=time.time_ns(),
                context=trace.set_span_in_context(span) if span is not None else None,
                severity_number=SeverityNumber.INFO,
                event_name=s.EVENT_USAGE_RECORDED,
                attributes=attributes,
            )
        )


def _outcome_attributes(entry: LedgerEntry) -> dict[str, Any]:
    stated = (
        (s.GENOPS_COST_ROLE, "account" if entry.outcome is not Outcome.BLOCKED else None),
        (s.GENOPS_COST_STATUS, entry.cost_status),
        (s.ERROR_TYPE, entry.error_type),
        (s.GEN_AI_RESPONSE_MODEL, entry.response_model),
        (s.GEN_AI_RESPONSE_ID, entry.response_id),
        (s.GENOPS_SERVICE_TIER, entry.service_tier),
        (s.GENOPS_REGION, entry.region),
        (s.GENOPS_COST_SOURCE, entry.cost_source),
        (s.GENOPS_COST_PRICE_DATA_VERSION, entry.price_data_version),
        (s.GENOPS_COST_UNPRICED_REASON, entry.unpriced_reason),
        (s.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS, entry.reasoning_tokens),
        (s.GEN_AI_USAGE_INPUT_TOKENS, entry.input_tokens),
        (s.GEN_AI_USAGE_OUTPUT_TOKENS, entry.output_tokens),
        (s.GENOPS_TOKENS_INPUT, entry.input_tokens),
        (s.GENOPS_TOKENS_OUTPUT, entry.output_tokens),
        (s.GENOPS_USAGE_SOURCE, entry.usage_source),
    )
    attributes: dict[str, Any] = {name: value for name, value in stated if value is not None}
    attributes[s.GENOPS_CALL_OUTCOME] = entry.outcome.value
    usage = entry.usage
    if "cache_read" in usage:
        attributes[s.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS] = usage["cache_read"]
    if "cache_write" in usage:
        attributes[s.GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS] = usage["cache_write"]
    if entry.cost is not None:
        attributes[s.GENOPS_COST_TOTAL] = float(entry.cost)
        attributes[s.GENOPS_COST_CURRENCY] = entry.currency
        attributes[s.GENOPS_COST_PROVIDER] = entry.provider
        attributes[s.GENOPS_COST_MODEL] = entry.priced_model or entry.request_model or entry.operation
        if entry.list_cost is not None and entry.list_cost != entry.cost:
            attributes[s.GENOPS_COST_LIST] = float(entry.list_cost)
    if entry.missing_meters:
        attributes[s.GENOPS_COST_MISSING_METERS] = entry.missing_meters
    if entry.usage_flags:
        attributes[s.GENOPS_USAGE_FLAGS] = entry.usage_flags
    if entry.time_to_first_chunk_ms is not None:
        attributes[s.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK] = entry.time_to_first_chunk_ms / 1000
    return attributes


def _record_attributes(entry: LedgerEntry) -> dict[str, Any]:
    """The ledger entry as the attributes of its log record; where a field is a mapping, its name prefixes the keys."""
    attributes: dict[str, Any] = {}
    for name, value in entry.to_dict().items():
        attribute = s.LEDGER_ATTRIBUTES.get(name)
        if attribute is None:
            continue  # trace and span id: the record carries them by itself
        if isinstance(value, Mapping):
            attributes |= {f"{attribute}.{key}": item for key, item in value.items()}
        else:
            attributes[attribute] = value
    return attributes


class Metrics:
    """The counters and histograms of settled calls."""

    def __init__(self, meter_provider: metrics.MeterProvider | None, cardinality_limit: int) -> None:
        meter = metrics.get_meter("genops", __version__, meter_provider)
        self._cost = meter.create_counter(s.METRIC_COST, unit="{currency}", description="Cost of settled calls.")
        self._tokens = meter.create_counter(s.METRIC_TOKENS, unit="{token}", description="Tokens of settled calls.")
        self._calls = meter.create_counter(s.METRIC_CALLS, unit="{call}", description="Governed calls, by outcome.")
        self._duration = meter.create_histogram(s.METRIC_CALL_DURATION, unit="s", description="Duration of calls.")
        self._first_chunk = meter.create_histogram(
            s.METRIC_CALL_TIME_TO_FIRST_CHUNK, unit="s", description="Time from request to the first streamed chunk."
        )
        self._limit = cardinality_limit
        self._sets: dict[tuple[Any, ...], _AttributeSet] = {}
        self._overflow = _AttributeSet({"otel.metric.overflow": True})
        self._lock = threading.Lock()

    def record(self, entry: LedgerEntry) -> None:
        dimensions = self._dimensions(entry)
        self._calls.add(1, dimensions.call)
        self._duration.record(entry.duration_ms / 1000, dimensions.call)
        if entry.time_to_first_chunk_ms is not None:
            self._first_chunk.record(entry.time_to_first_chunk_ms / 1000, dimensions.call)
        if entry.cost is not None:
            self._cost.add(float(entry.cost), dimensions.cost(entry.currency))
        if entry.input_tokens is not None:
            self._tokens.add(entry.input_tokens, dimensions.input)
        if entry.output_tokens is not None:
            self._tokens.add(entry.output_tokens, dimensions.output)

    def _dimensions(self, entry: LedgerEntry) -> _AttributeSet:
        key = (
            entry.team,
            entry.project,
            entry.environment,
            entry.customer_id,
            entry.cost_center,
            entry.feature,
            entry.provider,
            entry.request_model,
            entry.operation,
            entry.outcome.value,
        )
        found = self._sets.get(key)
        if found is not None:
            return found
        with self._lock:
            if len(self._sets) >= self._limit:
                return self._overflow
            names = [name for name, _ in _DIMENSIONS]
            made = _AttributeSet({name: value for name, value in zip(names, key, strict=True) if value is not None})
            return self._sets.setdefault(key, made)


class _AttributeSet:
    """The attributes of one combination of dimensions, made once."""

    __slots__ = ("_costs", "call", "input", "output")

    def __init__(self, call: dict[str, Any]) -> None:
        self.call = call
        self.input = call | {s.GENOPS_TOKEN_TYPE: "input"}
        self.output = call | {s.GENOPS_TOKEN_TYPE: "output"}
        self._costs: dict[str, dict[str, Any]] = {}

    def cost(self, currency: str) -> dict[str, Any]:
        found = self._costs.get(currency)
        if found is None:
            found = self._costs[currency] = self.call | {s.GENOPS_COST_CURRENCY: currency}
        return found

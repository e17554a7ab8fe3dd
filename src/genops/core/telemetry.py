"""Telemetry: the only writer of governance attributes, events, metrics and log records.

Everything here is derived from a frame and its ledger entry and goes through the OpenTelemetry API, so it lands in
whatever providers the application has. Facts use the `gen_ai.*` names of OpenTelemetry, governance uses ours.

Source: spec/registry; the phases are those of the GenOps specification v0.1, "AI Workload Unit".
"""

from __future__ import annotations

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
from genops.core.budgets.alerts import BudgetAlert
from genops.core.budgets.engine import BudgetReservation
from genops.core.cost import CostStatus
from genops.core.decision import ALLOWED, Decision, Result
from genops.core.ledger import LedgerEntry, Outcome, plain
from genops.core.metrics import Metrics

if TYPE_CHECKING:
    from genops.core.frame import Frame
    from genops.core.plan import CallFacts, Ending

__all__ = ["Telemetry", "attribution_attributes", "closing_attributes", "log_attributes", "opening_attributes"]

_FAILED = frozenset({Outcome.ERROR, Outcome.CANCELLED, Outcome.BLOCKED})
_ALLOWED: dict[str, Any] = {s.GENOPS_POLICY_RESULT: Result.ALLOWED.value}


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


def opening_attributes(facts: CallFacts, attribution: Attribution) -> dict[str, Any]:
    """The attributes that all calls of a kind start with."""
    attributes = attribution_attributes(attribution)
    attributes[s.GEN_AI_OPERATION_NAME] = facts.operation
    attributes[s.GEN_AI_PROVIDER_NAME] = facts.provider
    attributes[s.GENOPS_SPEC_VERSION] = s.SPEC_VERSION
    attributes[s.GENOPS_OPERATION_NAME] = facts.operation_name
    attributes[s.GENOPS_OPERATION_TYPE] = facts.operation_type
    if facts.request_model is not None:
        attributes[s.GEN_AI_REQUEST_MODEL] = facts.request_model
    if facts.server_address is not None:
        attributes[s.SERVER_ADDRESS] = facts.server_address
    if facts.server_port is not None:
        attributes[s.SERVER_PORT] = facts.server_port
    return attributes


def closing_attributes(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of the end of a call that follow from what its ledger entry shares with others."""
    outcome = fields["outcome"]
    attributes: dict[str, Any] = {s.GENOPS_CALL_OUTCOME: outcome.value}
    if outcome is not Outcome.BLOCKED:
        attributes[s.GENOPS_COST_ROLE] = "account"
    for attribute, field in _CLOSING:
        value = fields.get(field)
        if value is not None and value != ():
            attributes[attribute] = value
    if fields.get("cost_status") not in (None, CostStatus.UNPRICED):
        attributes[s.GENOPS_COST_CURRENCY] = fields["currency"]
        attributes[s.GENOPS_COST_PROVIDER] = fields["provider"]
        attributes[s.GENOPS_COST_MODEL] = fields["priced_model"] or fields["request_model"] or fields["operation"]
    return attributes


# Attributes of the end that are fields of the entry as they are.
_CLOSING = (
    (s.GENOPS_COST_STATUS, "cost_status"),
    (s.ERROR_TYPE, "error_type"),
    (s.GEN_AI_RESPONSE_MODEL, "response_model"),
    (s.GENOPS_SERVICE_TIER, "service_tier"),
    (s.GENOPS_REGION, "region"),
    (s.GENOPS_COST_SOURCE, "cost_source"),
    (s.GENOPS_COST_PRICE_DATA_VERSION, "price_data_version"),
    (s.GENOPS_COST_UNPRICED_REASON, "unpriced_reason"),
    (s.GENOPS_USAGE_SOURCE, "usage_source"),
    (s.GENOPS_COST_MISSING_METERS, "missing_meters"),
    (s.GENOPS_USAGE_FLAGS, "usage_flags"),
)


def log_attributes(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Ledger fields as attributes of the log record; where a field is a mapping, its name prefixes the keys."""
    attributes: dict[str, Any] = {}
    for name, value in fields.items():
        attribute = s.LEDGER_ATTRIBUTES.get(name)  # none for trace and span id: the record carries them by itself
        if attribute is None or value is None or value == ():
            continue
        if isinstance(value, Mapping):
            attributes |= {f"{attribute}.{key}": plain(item) for key, item in value.items()}
        else:
            attributes[attribute] = plain(value)
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
        decision, reservation = frame.decision, frame.reservation
        assert decision is not None  # admit() decided
        decided = _decision_attributes(decision)
        attributes = {**frame.plan.attributes, **decided}
        attributes[s.GENOPS_CALL_ID] = frame.call_id
        if frame.output_bound is not None:
            attributes[s.GEN_AI_REQUEST_MAX_TOKENS] = frame.output_bound
        if frame.parent is not None:
            attributes[s.GENOPS_CALL_PARENT_ID] = frame.parent.call_id
        reserved: dict[str, Any] | None = None
        if reservation is not None:
            reserved = {
                s.GENOPS_ACCOUNTING_RESERVED: float(reservation.amount),
                s.GENOPS_ACCOUNTING_UNIT: reservation.unit,
                s.GENOPS_BUDGET_NAME: reservation.budget,
            }
            attributes.update(reserved)
            if reservation.held is not None:
                reserved |= _budget_attributes(reservation.held)
        span = frame.span = self._tracer.start_span(
            frame.plan.span_name, kind=SpanKind.CLIENT, attributes=attributes, start_time=frame.started_ns
        )
        if span.is_recording():
            span.add_event(s.EVENT_POLICY_EVALUATED, decided)
            if reserved is not None:
                span.add_event(s.EVENT_BUDGET_RESERVATION, reserved)

    @never_raises
    def finish(self, frame: Frame, entry: LedgerEntry) -> None:
        """Close the span of a settled call."""
        span = frame.span
        if span is None or not span.is_recording():
            return
        ending = frame.ending
        assert ending is not None  # made with the entry
        attributes = {**ending.attributes, **_measured_attributes(entry)}
        if entry.actual is not None and entry.reserved is not None:
            reconciled = {
                s.GENOPS_ACCOUNTING_ACTUAL: float(entry.actual),
                s.GENOPS_ACCOUNTING_RECONCILIATION_DELTA: float(entry.actual - entry.reserved),
            }
            attributes.update(reconciled)
            reconciled[s.GENOPS_ACCOUNTING_RESERVED] = float(entry.reserved)
            reconciled[s.GENOPS_ACCOUNTING_UNIT] = entry.accounting_unit  # type: ignore[assignment]  # given with them
            span.add_event(s.EVENT_BUDGET_RECONCILIATION, reconciled)
        span.set_attributes(attributes)
        if entry.outcome in _FAILED:
            span.set_status(Status(StatusCode.ERROR, entry.error_type))
        span.end()

    @never_raises
    def record(self, frame: Frame, entry: LedgerEntry) -> None:
        """Publish the metrics and the log record of a ledger entry."""
        ending = frame.ending
        assert ending is not None  # made with the entry
        if self._metrics is not None:
            self._metrics.record(entry, ending)
        if self._logger is not None:
            self._emit(frame.span, entry, ending)

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

    # -- budgets -------------------------------------------------------------------------------------------------------

    @never_raises
    def budget_alert(self, alert: BudgetAlert) -> None:
        """Publish a threshold that was passed: a log record and a count."""
        attributes: dict[str, Any] = {
            s.GENOPS_BUDGET_NAME: alert.budget,
            s.GENOPS_BUDGET_THRESHOLD: alert.threshold,
            s.GENOPS_BUDGET_CONSUMED: float(alert.consumed),
            s.GENOPS_BUDGET_ALLOCATED: float(alert.allocated),
            s.GENOPS_BUDGET_PERIOD: alert.period,
            s.GENOPS_ACCOUNTING_UNIT: alert.unit,
        }
        attributes |= {_OF_FIELD[name]: value for name, value in alert.group.items() if name in _OF_FIELD and value}
        if self._metrics is not None:
            self._metrics.count_alert(alert.budget, alert.threshold)
        if self._logger is not None:
            severity = SeverityNumber.ERROR if alert.threshold >= 100 else SeverityNumber.WARN
            record = LogRecord(
                timestamp=int(alert.at * 1e9),
                severity_number=severity,
                event_name=s.EVENT_BUDGET_ALERT,
                attributes=attributes,
            )
            self._logger.emit(record)

    # -- logs ----------------------------------------------------------------------------------------------------------

    def _emit(self, span: Span | None, entry: LedgerEntry, ending: Ending) -> None:
        logger = self._logger
        enabled = getattr(logger, "enabled", None)  # absent before OpenTelemetry 1.40
        if logger is None or (enabled is not None and not enabled()):
            return
        logger.emit(
            LogRecord(
                timestamp=time.time_ns(),
                context=trace.set_span_in_context(span) if span is not None else None,
                severity_number=SeverityNumber.INFO,
                event_name=s.EVENT_USAGE_RECORDED,
                attributes={**ending.log_attributes, **log_attributes(entry.own_fields())},
            )
        )


def _budget_attributes(held: BudgetReservation) -> dict[str, Any]:
    """Where the tightest budget of a call stands, with the call's reservation counted."""
    return {
        s.GENOPS_BUDGET_ALLOCATED: float(held.budget.limit),
        s.GENOPS_BUDGET_CONSUMED: float(held.consumed),
        s.GENOPS_BUDGET_REMAINING: float(held.remaining),
        s.GENOPS_BUDGET_PERIOD: held.period,
    }


_OF_FIELD = {
    "team": s.GENOPS_TEAM,
    "project": s.GENOPS_PROJECT,
    "environment": s.GENOPS_ENVIRONMENT,
    "customer_id": s.GENOPS_CUSTOMER_ID,
    "cost_center": s.GENOPS_COST_CENTER,
    "feature": s.GENOPS_FEATURE,
    "session_id": s.GENOPS_SESSION_ID,
    "provider": s.GEN_AI_PROVIDER_NAME,
    "model": s.GEN_AI_REQUEST_MODEL,
    "operation": s.GEN_AI_OPERATION_NAME,
}


def _decision_attributes(decision: Decision) -> dict[str, Any]:
    if decision is ALLOWED:
        return _ALLOWED
    decided: dict[str, Any] = {s.GENOPS_POLICY_RESULT: decision.result.value}
    if decision.reason_code is not None:
        decided[s.GENOPS_POLICY_REASON_CODE] = decision.reason_code
    if decision.policy_name is not None:
        decided[s.GENOPS_POLICY_NAME] = decision.policy_name
    if decision.reason is not None:
        decided[s.GENOPS_POLICY_REASON] = decision.reason
    return decided


def _measured_attributes(entry: LedgerEntry) -> dict[str, Any]:
    """The ids, quantities and amounts of one call."""
    attributes: dict[str, Any] = {}
    if entry.response_id is not None:
        attributes[s.GEN_AI_RESPONSE_ID] = entry.response_id
    if (tokens := entry.input_tokens) is not None:
        attributes[s.GEN_AI_USAGE_INPUT_TOKENS] = attributes[s.GENOPS_TOKENS_INPUT] = tokens
    if (tokens := entry.output_tokens) is not None:
        attributes[s.GEN_AI_USAGE_OUTPUT_TOKENS] = attributes[s.GENOPS_TOKENS_OUTPUT] = tokens
    if entry.reasoning_tokens is not None:
        attributes[s.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS] = entry.reasoning_tokens
    usage = entry.usage
    if "cache_read" in usage:
        attributes[s.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS] = usage["cache_read"]
    if "cache_write" in usage:
        attributes[s.GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS] = usage["cache_write"]
    if entry.cost is not None:
        attributes[s.GENOPS_COST_TOTAL] = float(entry.cost)
        if entry.list_cost is not None and entry.list_cost != entry.cost:
            attributes[s.GENOPS_COST_LIST] = float(entry.list_cost)
    if entry.time_to_first_chunk_ms is not None:
        attributes[s.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK] = entry.time_to_first_chunk_ms / 1000
    return attributes

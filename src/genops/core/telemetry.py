"""Telemetry: the only writer of governance attributes, events, metrics and log records.

Everything here is derived from a frame and its ledger entry and goes through the OpenTelemetry API, so it lands in
whatever providers the application has. Facts use the `gen_ai.*` names of OpenTelemetry, governance uses ours.

Source: spec/registry; the phases are those of the GenOps specification v0.1, "AI Workload Unit".
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from opentelemetry import _logs, metrics, trace
from opentelemetry import context as otel_context
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from genops import semconv as s
from genops._version import __version__
from genops.core._guarding import never_raises
from genops.core.attributes import (
    OF_FIELD,
    budget_attributes,
    decision_attributes,
    log_attributes,
    measured_attributes,
    note_attributes,
    redaction_attributes,
)
from genops.core.budgets.alerts import BudgetAlert
from genops.core.content import input_messages
from genops.core.decision import NO_NOTES
from genops.core.ledger import LedgerEntry, Outcome
from genops.core.metrics import Metrics

if TYPE_CHECKING:
    from genops.core.frame import Frame
    from genops.core.plan import Ending

__all__ = ["Telemetry"]

_USAGE = "gen_ai.usage."
_FAILED = frozenset({Outcome.ERROR, Outcome.CANCELLED, Outcome.BLOCKED})


class Telemetry:
    """Writes what happened to a call as one span, its events, metrics and one log record.

    Providers left out are the application's global ones. `cardinality_limit` bounds the distinct attribute sets of the
    metrics; what is over it is counted under one overflow set, as OpenTelemetry's metrics SDK does. `content` redacts
    messages before they are put on spans; without it, no content is.
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
        content: Callable[[Any], Any] | None = None,
    ) -> None:
        self.content = content
        self._tracer = trace.get_tracer("genops", __version__, tracer_provider)
        self._logger = _logs.get_logger("genops", __version__, logger_provider) if with_logs else None
        self._metrics = Metrics(meter_provider, cardinality_limit) if with_metrics else None

    # -- spans ---------------------------------------------------------------------------------------------------------

    @never_raises
    def start(self, frame: Frame) -> None:
        """Open the span of a call that has been decided, with its pre-execution attributes and events."""
        decision, reservation = frame.decision, frame.reservation
        assert decision is not None  # admit() decided
        decided = decision_attributes(decision)
        attributes = {**frame.plan.attributes, **decided}
        attributes[s.GENOPS_CALL_ID] = frame.call_id
        if decision.notes is not NO_NOTES:
            attributes |= note_attributes(decision.notes)
            if frame.plan.original_model is not None:
                attributes[s.GENOPS_POLICY_ORIGINAL_MODEL] = frame.plan.original_model
        if frame.redacted is not None:
            attributes |= redaction_attributes(frame.redacted)
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
                reserved |= budget_attributes(reservation.held)
        span = frame.span = self._tracer.start_span(
            frame.plan.span_name, kind=SpanKind.CLIENT, attributes=attributes, start_time=frame.started_ns
        )
        if span.is_recording():
            if self.content is not None:
                messages = input_messages({**frame.request, **frame.changes})
                span.set_attribute(s.GEN_AI_INPUT_MESSAGES, _as_json(self.content(messages)))
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
        attributes = {**ending.attributes, **measured_attributes(entry)}
        if entry.actual is not None and entry.reserved is not None:
            reconciled = {
                s.GENOPS_ACCOUNTING_ACTUAL: float(entry.actual),
                s.GENOPS_ACCOUNTING_RECONCILIATION_DELTA: float(entry.actual - entry.reserved),
            }
            attributes.update(reconciled)
            reconciled[s.GENOPS_ACCOUNTING_RESERVED] = float(entry.reserved)
            reconciled[s.GENOPS_ACCOUNTING_UNIT] = entry.accounting_unit  # type: ignore[assignment]  # given with them
            span.add_event(s.EVENT_BUDGET_RECONCILIATION, reconciled)
        if self.content is not None and frame.answer:
            attributes[s.GEN_AI_OUTPUT_MESSAGES] = _as_json(self.content(frame.answer))
        if frame.mirrored:  # backends add up what spans say was used: one of the spans of a call says it
            attributes = {name: value for name, value in attributes.items() if not name.startswith(_USAGE)}
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
        if alert.per_hour is not None:
            attributes[s.GENOPS_BUDGET_BURN_RATE] = float(alert.per_hour)
        if alert.exhausted_at is not None:
            attributes[s.GENOPS_BUDGET_EXHAUSTED_AT] = int(alert.exhausted_at * 1000)
        attributes |= {OF_FIELD[name]: value for name, value in alert.group.items() if name in OF_FIELD and value}
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


def _as_json(messages: Any) -> str:
    return json.dumps(messages, ensure_ascii=False, default=str)

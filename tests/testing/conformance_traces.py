"""Spans that conform, and ways to take one thing away or change one thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from genops import semconv as s
from genops.testing.conformance import Event, Span

START = 1_764_000_000_000_000_000
TRACE = "0af7651916cd43dd8448eb211c80319c"

ATTRIBUTION: Mapping[str, Any] = {
    s.GENOPS_TEAM: "search",
    s.GENOPS_PROJECT: "assistant",
    s.GENOPS_ENVIRONMENT: "production",
    s.GENOPS_CUSTOMER_ID: "acme-4711",
}
WORK: Mapping[str, Any] = {
    s.GENOPS_SPEC_VERSION: "0.1.0",
    s.GENOPS_OPERATION_NAME: "chat gpt-4o-mini",
    s.GENOPS_OPERATION_TYPE: "inference",
    s.GENOPS_CALL_ID: "01JDC7Z5Q2W8V1B3N4M5K6H7G8",
    f"{s.GENOPS_TAG}.experiment": "b",
}
ALLOWED: Mapping[str, Any] = {s.GENOPS_POLICY_RESULT: "ALLOWED"}
BLOCKED: Mapping[str, Any] = {s.GENOPS_POLICY_RESULT: "BLOCKED", s.GENOPS_POLICY_REASON_CODE: "POLICY_DENY_MODEL"}
RESERVED: Mapping[str, Any] = {s.GENOPS_ACCOUNTING_RESERVED: 0.3, s.GENOPS_ACCOUNTING_UNIT: "USD"}
SETTLED: Mapping[str, Any] = {s.GENOPS_ACCOUNTING_ACTUAL: 0.1, s.GENOPS_ACCOUNTING_RECONCILIATION_DELTA: -0.2}
COST: Mapping[str, Any] = {s.GENOPS_COST_TOTAL: 0.1, s.GENOPS_COST_CURRENCY: "USD"}
SLA: Mapping[str, Any] = {
    s.GENOPS_SLA_TIER: "gold",
    s.GENOPS_SLA_LATENCY_TARGET_MS: 2000,
    s.GENOPS_SLA_ACTUAL_LATENCY_MS: 2000,
    s.GENOPS_SLA_MET: True,
}
# Not ours to judge.
FOREIGN: Mapping[str, Any] = {"gen_ai.operation.name": "chat", "gen_ai.conversation.id": "", "peer.service": "unknown"}


def executed() -> Span:
    """Work that was allowed and done, with every kind of event."""
    return Span(
        trace_id=TRACE,
        span_id="b7ad6b7169203331",
        name="chat gpt-4o-mini",
        start_ns=START,
        end_ns=START + 900,
        attributes={
            **ATTRIBUTION,
            **WORK,
            **ALLOWED,
            **RESERVED,
            **SETTLED,
            **COST,
            **SLA,
            **FOREIGN,
            s.GENOPS_TOKENS_INPUT: 12,
        },
        events=(
            Event("exception", START + 50, {"exception.message": ""}),
            Event(s.EVENT_POLICY_EVALUATED, START + 100, ALLOWED),
            Event(s.EVENT_BUDGET_RESERVATION, START + 200, {**RESERVED, s.GENOPS_BUDGET_NAME: "default"}),
            Event(s.EVENT_BUDGET_RECONCILIATION, START + 800, {**RESERVED, **SETTLED}),
            Event(s.EVENT_COST_CALCULATED, START + 800, COST),
            Event(
                s.EVENT_BUDGET_ALERT,
                START + 800,
                {s.GENOPS_BUDGET_NAME: "q", s.GENOPS_BUDGET_CONSUMED: 9.0, s.GENOPS_BUDGET_ALLOCATED: 10.0},
            ),
            Event(s.EVENT_EVALUATION_COMPLETE, START + 850, {s.GENOPS_EVAL_METRIC: "f1", s.GENOPS_EVAL_SCORE: 0.5}),
        ),
    )


def refused() -> Span:
    """Work that a policy refused: pre-execution telemetry only."""
    return Span(
        trace_id=TRACE,
        span_id="00f067aa0ba902b7",
        name="chat o3",
        start_ns=START,
        end_ns=START + 200,
        attributes={**ATTRIBUTION, **WORK, **BLOCKED, s.GENOPS_CALL_ID: "01JDC7Z5Q2AAAAAAAAAAAAAAAA"},
        events=(Event(s.EVENT_POLICY_EVALUATED, START + 100, BLOCKED),),
    )


def having(span: Span, changes: Mapping[str, Any]) -> Span:
    """`span` with these attributes."""
    return replace(span, attributes={**span.attributes, **changes})


def lacking(span: Span, *names: str) -> Span:
    """`span` without these attributes."""
    return replace(span, attributes={name: value for name, value in span.attributes.items() if name not in names})


def with_event(span: Span, name: str, changes: Mapping[str, Any], at: int | None = None) -> Span:
    """`span` with these attributes on its event called `name`, and the event at this time."""
    return replace(
        span,
        events=tuple(
            Event(name, event.time_ns if at is None else at, {**event.attributes, **changes})
            if event.name == name
            else event
            for event in span.events
        ),
    )


def with_event_lacking(span: Span, name: str, attribute: str) -> Span:
    """`span` without this attribute on its event called `name`."""
    return replace(
        span,
        events=tuple(
            Event(name, event.time_ns, {key: value for key, value in event.attributes.items() if key != attribute})
            if event.name == name
            else event
            for event in span.events
        ),
    )


def without_event(span: Span, name: str) -> Span:
    """`span` without the event called `name`."""
    return replace(span, events=tuple(event for event in span.events if event.name != name))


def with_one_more(span: Span, name: str, changes: Mapping[str, Any]) -> Span:
    """`span` with a second event called `name`, right after the first one and with these attributes changed."""
    ((index, event),) = [(index, event) for index, event in enumerate(span.events) if event.name == name]
    second = Event(name, event.time_ns, {**event.attributes, **changes})
    return replace(span, events=(*span.events[: index + 1], second, *span.events[index + 1 :]))


def decided(span: Span, decision: Mapping[str, Any]) -> Span:
    """`span` with this decision, as attributes and as event."""
    for name in (s.GENOPS_POLICY_RESULT, s.GENOPS_POLICY_REASON_CODE):
        span = with_event_lacking(lacking(span, name), s.EVENT_POLICY_EVALUATED, name)
    return with_event(having(span, decision), s.EVENT_POLICY_EVALUATED, decision)

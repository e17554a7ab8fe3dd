"""One call as everybody tells it, in OTLP."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf.message import Message

from genops.server.otlp.bodies import parse
from genops.server.otlp.signals import SIGNALS

STARTED_NS = 1_795_186_800_000_000_000  # 2026-11-20T15:00:00Z
OPENAI, LANGCHAIN = "opentelemetry.instrumentation.openai", "opentelemetry.instrumentation.langchain"
KINDS = {str: "stringValue", int: "intValue", float: "doubleValue", bool: "boolValue"}
USED = {
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-5.4",
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 350,
}
COST = "0.00825"  # of that usage, at list price


def attributes(given: dict[str, Any]) -> list[dict[str, Any]]:
    """Attributes as OTLP JSON has them."""
    return [{"key": key, "value": {KINDS[type(value)]: value}} for key, value in given.items()]


def span(
    number: int, given: dict[str, Any], *, trace: int = 1, parent: int | None = None, began: int = 0, ended: int = 10
) -> dict[str, Any]:
    """A span; `began` and `ended` are in milliseconds after the start of all."""
    made = {
        "traceId": f"{trace:032x}",
        "spanId": f"{number:016x}",
        "name": "call",
        "kind": 3,
        "startTimeUnixNano": str(STARTED_NS + began * 1_000_000),
        "endTimeUnixNano": str(STARTED_NS + ended * 1_000_000),
        "attributes": attributes(given),
    }
    return made if parent is None else {**made, "parentSpanId": f"{parent:016x}"}


def traces(*spans: dict[str, Any], scope: str = OPENAI, resource: dict[str, Any] | None = None) -> dict[str, Any]:
    """A request with spans of one scope."""
    scoped = [{"scope": {"name": scope}, "spans": list(spans)}]
    return {"resourceSpans": [{"resource": {"attributes": attributes(resource or {})}, "scopeSpans": scoped}]}


def logs(*records: dict[str, Any]) -> dict[str, Any]:
    """A request with log records."""
    return {"resourceLogs": [{"scopeLogs": [{"scope": {"name": "genops"}, "logRecords": list(records)}]}]}


def record(call_id: str, given: dict[str, Any] | None = None, *, number: int = 1, trace: int = 1) -> dict[str, Any]:
    """The record of a settled call, as the SDK writes it."""
    said = {
        "genops.call.id": call_id,
        "genops.ledger.started_at": "2026-11-20T15:00:00Z",
        "genops.ledger.duration_ms": 812.4,
        "genops.call.outcome": "completed",
        "gen_ai.provider.name": "openai",
        "genops.call.api": "chat_completions",
        "gen_ai.operation.name": "chat",
        "genops.operation.type": "inference",
        "gen_ai.request.model": "gpt-5.4",
        "genops.usage.quantity.input": 1200,
        "genops.usage.quantity.output": 350,
        "genops.usage.source": "reported",
        "genops.cost.status": "priced",
        "genops.cost.source": "list",
        "genops.ledger.cost": COST,
        "genops.ledger.list_cost": COST,
        "genops.cost.currency": "USD",
        "genops.policy.result": "ALLOWED",
        "genops.team": "search",
        **(given or {}),
    }
    return {
        "eventName": "genops.usage.recorded",
        "timeUnixNano": str(STARTED_NS),
        "traceId": f"{trace:032x}",
        "spanId": f"{number:016x}",
        "attributes": attributes({name: value for name, value in said.items() if value is not None}),
    }


def sdk_span(call_id: str, given: dict[str, Any] | None = None, *, number: int = 1, **where: Any) -> dict[str, Any]:
    """The span of the same call, as the SDK writes it."""
    said = {
        **USED,
        "gen_ai.provider.name": "openai",
        "genops.call.id": call_id,
        "genops.cost.role": "account",
        "genops.call.outcome": "completed",
        "genops.cost.status": "priced",
        "genops.cost.source": "list",
        "genops.cost.total": float(COST),
        "genops.cost.currency": "USD",
        "genops.cost.provider": "openai",
        "genops.tokens.input": 1200,
        "genops.tokens.output": 350,
        "genops.operation.type": "inference",
        "genops.policy.result": "ALLOWED",
        "genops.team": "search",
        **(given or {}),
    }
    return span(number, {name: value for name, value in said.items() if value is not None}, **where)


def message(request: dict[str, Any]) -> tuple[str, Message]:
    """A request as the server parses it, and its signal."""
    signal = "traces" if "resourceSpans" in request else "logs"
    return signal, parse(json.dumps(request).encode(), "application/json", SIGNALS[signal].request)

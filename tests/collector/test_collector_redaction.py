"""Personal data and secrets through the built Collector: they are in no byte that it writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from tests.collector.conftest import Collector, attributes, call

SECRETS = {
    "mail": "jane@example.com",
    "key": "ghp_p04fwsz1tu1i7zbem1a6zl6jmkvapysnfimz",
    "card": "4111 1111 1111 1111",
    "iban": "DE89 3704 0044 0532 0130 00",
    "password": "hunter2x",
}
TEXT = "write to {mail}, the key is {key}, pay with {card} or {iban}; the password is {password}".format(**SECRETS)
CONFIG = """
receivers:
  otlp: {protocols: {http: {endpoint: "${env:GENOPS_OTLP_HTTP}"}}}
processors:
  genops_cost:
  genops_redaction: {actions: {EMAIL: hash}, hash_key: "${env:GENOPS_REDACTION_KEY}"}
exporters:
  file/spans: {path: "${env:GENOPS_OUT}/spans.jsonl", flush_interval: 100ms}
  file/logs: {path: "${env:GENOPS_OUT}/logs.jsonl", flush_interval: 100ms}
  file/metrics: {path: "${env:GENOPS_OUT}/metrics.jsonl", flush_interval: 100ms}
service:
  telemetry: {logs: {level: info}, metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], processors: [genops_cost, genops_redaction], exporters: [file/spans]}
    logs: {receivers: [otlp], processors: [genops_cost, genops_redaction], exporters: [file/logs]}
    metrics: {receivers: [otlp], processors: [genops_cost, genops_redaction], exporters: [file/metrics]}
"""


def _hidden() -> list[dict[str, Any]]:
    """The secrets as a text, deep in maps and lists, as a name, and in JSON in JSON."""
    inner = json.dumps({"arguments": json.dumps({"to": SECRETS["mail"], "password": SECRETS["password"]})})
    nested = {"key": "list", "value": {"arrayValue": {"values": [{"stringValue": TEXT}]}}}
    named = {"key": SECRETS["mail"], "value": {"stringValue": "a name"}}
    return [
        *attributes(
            {"note": TEXT, "gen_ai.input.messages": json.dumps([{"content": TEXT}]), "gen_ai.tool.call": inner}
        ),
        {"key": "nested", "value": {"kvlistValue": {"values": [nested, named]}}},
    ]


def _send(running: Collector, signal: str, body: dict[str, Any]) -> None:
    assert 200 == httpx.post(f"{running.url}/v1/{signal}", json=body, timeout=30).status_code


def test_nothing_leaks_in_what_is_written(collector: Callable[..., Collector], tmp_path: Path) -> None:
    """Spans with events, links and a status, log bodies, attributes of metrics, wherever the secrets are in them."""
    config = tmp_path / "redaction.yaml"
    config.write_text(CONFIG)
    running = collector(config, GENOPS_REDACTION_KEY="0123456789abcdef")
    resource, scope = {"attributes": _hidden()}, {"name": "app", "attributes": _hidden()}
    event = {"name": TEXT, "timeUnixNano": "1795186800000000000", "attributes": _hidden()}
    link = {"traceId": "1" * 32, "spanId": "2" * 16, "attributes": _hidden()}
    span = call(1) | {
        "name": f"GET /{SECRETS['mail']}",
        "events": [event],
        "links": [link],
        "status": {"message": TEXT},
    }
    span["attributes"] += _hidden()
    record = {"body": {"kvlistValue": {"values": _hidden()}}, "attributes": _hidden()}
    point = {"asInt": "1", "timeUnixNano": "1795186800000000000", "attributes": _hidden()}
    point["exemplars"] = [{"asInt": "1", "filteredAttributes": _hidden()}]
    metric = {"name": "calls", "gauge": {"dataPoints": [point]}}
    spans = {"resource": resource, "scopeSpans": [{"scope": scope, "spans": [span]}]}
    logs = {
        "resource": resource,
        "scopeLogs": [{"scope": scope, "logRecords": [record, {"body": {"stringValue": TEXT}}]}],
    }
    _send(running, "traces", {"resourceSpans": [spans]})
    _send(running, "logs", {"resourceLogs": [logs]})
    _send(
        running,
        "metrics",
        {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"scope": scope, "metrics": [metric]}]}]},
    )
    running.stop()

    written = {path.name: path.read_bytes() for path in running.out.iterdir()}
    assert {"spans.jsonl", "logs.jsonl", "metrics.jsonl", "collector.log"} == written.keys()
    for name, data in written.items():
        assert [] == [what for what, secret in SECRETS.items() if secret.encode() in data], name
    (found,) = running.spans()
    assert "priced" == found["attributes"]["genops.cost.status"]
    assert found["attributes"]["genops.redaction.count"] > 20
    assert found["name"].startswith("GET /[EMAIL:")
    (content,) = json.loads(found["attributes"]["gen_ai.input.messages"])
    assert content["content"].endswith("pay with [CREDIT_CARD] or [IBAN]; the password is [SECRET]")

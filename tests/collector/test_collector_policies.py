"""Policy files in the built Collector: it decides as the SDK does, sets aside, alerts, reads changed files again."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from tests.collector.conftest import ROOT, Collector, attributes, call, free_port, plain

import genops
from genops.config.policies import read_policy_file, rule_set
from genops.core.errors import PolicyBlocked
from genops.testing.capture import capture
from genops.testing.replay import ReplayServer, load_recordings

POLICIES = """
variables:
  frontier: model.startsWith("o3") || model == "gpt-5.4-pro"
rules:
  - name: no-frontier-models
    match: {team: search}
    condition: frontier && environment != "production"
    reason_code: POLICY_DENY_MODEL
    message: "{model} is for production; {team} asked in {environment}"
  - {name: long-answers, condition: max_output_tokens > 500, decision: WARNING}
  - {name: tools, condition: "tools.exists(tool, tool == 'shell')", approval: true}
  - {name: previews, condition: "model.contains('preview')", mode: shadow}
  - {name: gold-only, condition: "tags['tier'] != 'gold'", match: {model: o1*}, on_error: warn}
  - {name: eu-only, condition: "!region.startsWith('eu')", match: {model: o1*}, on_unknown: warn}
"""
SHELL = {"type": "function", "function": {"name": "shell", "parameters": {"type": "object"}}}
CALLS: list[dict[str, Any]] = [
    {"model": "gpt-5.4", "max_tokens": 100},
    {"model": "gpt-5.4", "max_tokens": 900},
    {"model": "o3-preview", "max_tokens": 900},
    {"model": "o4-mini-preview", "max_tokens": 1},
    {"model": "gpt-5.4", "max_tokens": 9, "tools": [SHELL]},
    {"model": "o1-pro", "max_tokens": 9},
    {"model": "gpt-5.4-pro", "max_tokens": 9, "tools": [SHELL]},
]
DECIDED = ("result", "reason_code", "name", "reason", "rules_violated", "version", "shadow", "errors")


def _openllmetry(asked: dict[str, Any]) -> dict[str, Any]:
    tools = {f"llm.request.functions.{i}.name": "shell" for i, _ in enumerate(asked.get("tools", ()))}
    return {"gen_ai.request.model": asked["model"], "gen_ai.request.max_tokens": asked["max_tokens"], **tools}


def _openinference(asked: dict[str, Any]) -> dict[str, Any]:
    parameters = {"max_tokens": asked["max_tokens"]}
    tools = {f"llm.tools.{i}.tool.json_schema": json.dumps(tool) for i, tool in enumerate(asked.get("tools", ()))}
    return {
        "openinference.span.kind": "LLM",
        "llm.provider": "openai",
        "llm.model_name": asked["model"],
        "llm.invocation_parameters": json.dumps(parameters),
        "llm.token_count.prompt": 10,
        **tools,
    }


def _opentelemetry(asked: dict[str, Any]) -> dict[str, Any]:
    tools = {"gen_ai.tool.definitions": json.dumps(asked["tools"])} if "tools" in asked else {}
    return {
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": asked["model"],
        "gen_ai.request.max_tokens": asked["max_tokens"],
        **tools,
    }


DIALECTS = {
    "opentelemetry.instrumentation.openai": _openllmetry,
    "openinference.instrumentation.openai": _openinference,
    "opentelemetry.instrumentation.openai_v2": _opentelemetry,
}


def _decision(told: dict[str, Any]) -> dict[str, Any]:
    """What a span says was decided, lists as lists."""
    found = {}
    for name in DECIDED:
        value = told.get(f"genops.policy.{name}")
        if isinstance(value, dict):  # OTLP JSON
            value = [each["stringValue"] for each in value["values"]]
        found[name] = list(value) if isinstance(value, tuple) else value
    return found


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    path = tmp_path / "policies.yaml"
    path.write_text(POLICIES)
    return path


@pytest.fixture
def judging(binary: Path, tmp_path: Path, policies: Path) -> Iterator[Callable[[], Collector]]:
    """Starts deploy/collector/quarantine.yaml with everything that it sends on in files."""
    local = tmp_path / "local.yaml"
    local.write_text(
        "exporters:\n"
        + "".join(
            f'  file/{name}: {{path: "${{env:GENOPS_OUT}}/{name}.jsonl", flush_interval: 50ms}}\n'
            for name in ("spans", "ledger", "alerts")
        )
        + "processors: {genops_policy: {reload_interval: 50ms}}\n"
        "service:\n  pipelines:\n"
        "    traces/kept: {receivers: [forward/kept], processors: [filter/kept], exporters: [file/spans]}\n"
        "    logs/ledger: {receivers: [genops_ledger], exporters: [file/ledger]}\n"
        "    logs/alerts: {receivers: [genops_ledger/alerts], exporters: [file/alerts]}\n"
    )
    started: list[Collector] = []

    def start() -> Collector:
        files = [ROOT / "deploy/collector/quarantine.yaml", local]
        quarantine = str(tmp_path / "quarantine.jsonl")
        started.append(Collector(binary, files, tmp_path, GENOPS_POLICIES=str(policies), GENOPS_QUARANTINE=quarantine))
        return started[-1]

    yield start
    for each in started:
        each.stop(signal.SIGKILL)


def _in_the_sdk(policies: Path) -> list[dict[str, Any]]:
    """What GenOps' own SDK decides about the calls, by the attributes of their spans."""
    answer = next(each for each in load_recordings(ROOT / "tests/recordings") if each.id.startswith("openai-chat-once"))
    rules = rule_set([read_policy_file(policies)])
    with (
        ReplayServer(choose=lambda _: answer, unique_ids=True) as server,
        openai.OpenAI(api_key="test", base_url=f"{server.url}/v1", max_retries=0) as client,
        capture(adapters=["openai"], policy_rules=rules) as captured,
        genops.attribution(team="search", project="shop", environment="staging"),
    ):
        for asked in CALLS:
            try:
                client.chat.completions.create(messages=[{"role": "user", "content": "hello"}], **asked)
            except PolicyBlocked:
                continue
    return [_decision(dict(span.attributes or {})) for span in captured.spans]


def test_collector_decides_as_the_sdk_does(judging: Callable[[], Collector], policies: Path, tmp_path: Path) -> None:
    """The same file and the same calls, told by three instrumentations: the same results, rules, words and version."""
    running, number = judging(), 0
    for scope, told in DIALECTS.items():
        for asked in CALLS:
            span = call(number)
            number += 1
            given = {"genops.environment": "staging", **told(asked)}
            if "openinference.span.kind" not in given:
                given["gen_ai.operation.name"] = "chat"
                given.setdefault("gen_ai.system", "openai")
            span["attributes"] = attributes(given)
            assert 200 == running.send(span, scope=scope).status_code
    running.stop()

    expected = _in_the_sdk(policies)
    assert len(CALLS) == len(expected)
    assert {"ALLOWED", "WARNING", "BLOCKED"} == {each["result"] for each in expected}
    found = {span["spanId"]: span for span in [*running.spans(), *_quarantined(tmp_path)]}
    assert number == len(found)
    decisions = [_decision(found[f"{place + 1:016x}"]["attributes"]) for place in range(number)]
    assert expected * len(DIALECTS) == decisions


def _quarantined(folder: Path) -> list[dict[str, Any]]:
    file = folder / "quarantine.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return [
        span | {"attributes": plain(span)}
        for line in lines
        for resource in line["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def _alerts(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "alerts.jsonl").read_text().splitlines()]
    return [
        record | {"attributes": plain(record)}
        for line in lines
        for resource in line["resourceLogs"]
        for scope in resource["scopeLogs"]
        for record in scope["logRecords"]
    ]


def test_what_a_rule_refuses_is_set_aside_booked_and_alerted_on(
    judging: Callable[[], Collector], tmp_path: Path
) -> None:
    """It is in the quarantine alone; the ledger has it, since it was paid for; the alert says rule, model and team."""
    running = judging()
    staging = {"genops.environment": "staging"}
    running.send(call(0, **staging), call(1, **staging, **{"gen_ai.request.model": "o3"}))
    running.send(call(2, **staging, **{"gen_ai.request.max_tokens": 900}))
    running.stop()

    assert {f"{1:016x}", f"{3:016x}"} == {span["spanId"] for span in running.spans()}
    (refused,) = _quarantined(tmp_path)
    assert (f"{2:016x}", "quarantine") == (refused["spanId"], refused["attributes"]["genops.policy.route"])
    assert ["genops.policy.evaluated"] == [event["name"] for event in refused["events"]]
    assert ["ALLOWED", "BLOCKED", "WARNING"] == sorted(entry["genops.policy.result"] for entry in running.ledger())
    alerts = {alert["attributes"]["genops.policy.name"]: alert for alert in _alerts(tmp_path)}
    assert {"no-frontier-models", "long-answers"} == set(alerts)
    assert ("genops.policy.violation", 17) == (
        alerts["no-frontier-models"]["eventName"],
        alerts["no-frontier-models"]["severityNumber"],
    )
    assert 13 == alerts["long-answers"]["severityNumber"]
    told = alerts["no-frontier-models"]["attributes"]
    assert ("search", "o3") == (told["genops.team"], told["gen_ai.request.model"])


def test_call_without_a_team_is_found(judging: Callable[[], Collector], tmp_path: Path) -> None:
    """Whatever instrumentation it comes from."""
    running = judging()
    nobody = {"resourceSpans": [{"scopeSpans": [{"spans": [call(0)]}]}]}
    assert 200 == httpx.post(f"{running.url}/v1/traces", json=nobody, timeout=30).status_code
    running.stop()

    (span,) = running.spans()
    assert "attribution.team" == span["attributes"]["genops.policy.name"]
    assert "team is required and not set." == span["attributes"]["genops.policy.reason"]


def test_changed_file_takes_effect_and_a_mistake_does_not(
    judging: Callable[[], Collector], policies: Path, tmp_path: Path
) -> None:
    """In the running Collector, which says what is wrong."""
    running = judging()
    policies.write_text("rules: [{name: renamed, condition: \"modell == 'x'\"}]\n")
    _until(lambda: "is no input of a rule. Did you mean 'model'?" in running.log.read_text())
    policies.write_text("rules: [{name: renamed, condition: model == 'gpt-5.4', decision: WARNING}]\n")
    _until(lambda: "The policies were read again." in running.log.read_text())
    running.send(call(0))
    running.stop()

    (span,) = running.spans()
    assert "renamed" == span["attributes"]["genops.policy.name"]
    assert "policies.yaml:1, column 1" in running.log.read_text()


def _until(happened: Callable[[], bool]) -> None:
    for _ in range(600):
        if happened():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen within 30 s")


def test_mistake_in_a_file_stops_the_collector_at_start(binary: Path, tmp_path: Path, policies: Path) -> None:
    """With the place and what to type; nothing runs by rules that nobody meant."""
    policies.write_text("rules:\n  - name: a\n    condition: 'true'\n    reason_cod: X\n")
    result = subprocess.run(
        [str(binary), f"--config={ROOT}/deploy/collector/quarantine.yaml"],
        env={
            "GENOPS_POLICIES": str(policies),
            "GENOPS_QUARANTINE": str(tmp_path / "q"),
            "GENOPS_STATE": str(tmp_path / "state"),
            "GENOPS_OTLP_HTTP": f"127.0.0.1:{free_port()}",
            "GENOPS_OTLP_GRPC": f"127.0.0.1:{free_port()}",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert 0 != result.returncode
    assert f"{policies}:4: unknown key 'reason_cod' in rules[0]. Did you mean 'reason_code'?" in result.stderr

"""`genops conformance`: exit codes, and what a person and a program read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from genops import semconv as s
from genops.cli.commands.conformance import register


@pytest.fixture
def run():
    """Run the command in an application of its own."""
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return lambda *arguments: CliRunner().invoke(app, ["conformance", *map(str, arguments)])


def refusal(**changes: Any) -> dict[str, Any]:
    """A refused unit, as OTLP JSON; a change to None leaves the attribute out."""
    decision = {s.GENOPS_POLICY_RESULT: "BLOCKED", s.GENOPS_POLICY_REASON_CODE: "POLICY_DENY_MODEL"}
    attributes = {
        s.GENOPS_TEAM: "search",
        s.GENOPS_PROJECT: "assistant",
        s.GENOPS_ENVIRONMENT: "production",
        s.GENOPS_OPERATION_NAME: "chat o3",
        s.GENOPS_OPERATION_TYPE: "inference",
        s.GENOPS_SPEC_VERSION: "0.1.0",
        **decision,
        **{f"{s.NAMESPACE}.{name}": value for name, value in changes.items()},
    }
    return {
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": "00f067aa0ba902b7",
        "name": "chat [bold]o3",
        "startTimeUnixNano": "10",
        "endTimeUnixNano": "30",
        "attributes": pairs(attributes),
        "events": [{"name": s.EVENT_POLICY_EVALUATED, "timeUnixNano": "20", "attributes": pairs(decision)}],
    }


def pairs(attributes: dict[str, str | None]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items() if value is not None]


def written(path: Path, *spans: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}), encoding="utf-8")
    return path


def test_conformant_telemetry_exits_0_and_says_so(run, tmp_path):
    """One line: the claim that holds, and what was counted."""
    result = run(written(tmp_path / "t.json", refusal()))

    assert result.exit_code == 0
    assert result.stdout.startswith("conforms to GenOps v0.1.0: 1 governed of 1 spans, 31 rules, violations: 0")


def test_the_partial_claim_is_called_partial(run, tmp_path):
    """The specification reserves the plain name for the full level."""
    result = run(written(tmp_path / "t.json", refusal()), "--level", "partial")

    assert result.exit_code == 0
    assert "conforms to GenOps v0.1.0 - partial: " in result.stdout


def test_violations_exit_1_grouped_by_rule_with_span_found_and_expected(run, tmp_path):
    """Each rule once with its text, below it the spans by name and ids; a name is never taken for markup."""
    spans = [{**refusal(team=None, project="todo"), "spanId": f"{number:016x}"} for number in range(1, 8)]
    result = run(written(tmp_path / "t.json", *spans))

    assert result.exit_code == 1
    assert "AWU002  Every unit carries the required attributes.  7 x" in result.stdout
    assert result.stdout.count("AWU003") == 1
    assert "chat [bold]o3  trace 0af7651916cd43dd8448eb211c80319c span 0000000000000005" in result.stdout
    assert "span 0000000000000006" not in result.stdout
    assert "and 2 more; --json lists them all" in result.stdout
    assert "found     genops.project='todo'" in result.stdout
    assert "does not conform to GenOps v0.1.0: 7 governed of 7 spans, 31 rules, violations: 14" in result.stdout


def test_nothing_governed_exits_1(run, tmp_path):
    """A file without governed spans conforms to nothing."""
    result = run(written(tmp_path / "t.json"))

    assert result.exit_code == 1
    assert "no governed spans found" in result.stdout


def test_json_has_every_violation_with_its_parts(run, tmp_path):
    """A program reads verdict, level, counts, and rule, text, span, found and expected of each violation."""
    result = run(written(tmp_path / "t.json", refusal(team=None)), "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout) == {
        "ok": False,
        "spec_version": "0.1.0",
        "level": "full",
        "spans": 1,
        "governed": 1,
        "rules": 31,
        "violations": [
            {
                "rule": "AWU002",
                "text": "Every unit carries the required attributes.",
                "span_name": "chat [bold]o3",
                "trace_id": "0af7651916cd43dd8448eb211c80319c",
                "span_id": "00f067aa0ba902b7",
                "found": "no genops.team",
                "expected": "genops.team on every unit",
            }
        ],
    }


@pytest.mark.parametrize("content", [None, "no telemetry", '{"resourceSpans": [7]}'])
def test_an_unreadable_file_exits_2_with_a_fix_and_no_report(run, tmp_path, content):
    """That nothing could be checked is told from what was checked and failed."""
    path = tmp_path / "t.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    result = run(path, "--json")

    assert result.exit_code == 2
    assert result.stdout == ""
    assert "fix: give OTLP JSON" in result.stderr

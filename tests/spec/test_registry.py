"""The registry: well formed, free of contradictions, and what the generated files are made from."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from genops import semconv
from genops.core.cost import CostSource, CostStatus
from genops.core.decision import Result
from genops.core.ledger import LedgerEntry, Outcome

ROOT = Path(__file__).resolve().parents[2]
REGISTRY = ROOT / "spec" / "registry"
FILES = sorted(REGISTRY.glob("*.yaml"))
GROUPS = [group for path in FILES for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]]
ATTRIBUTES = {item["id"]: item for group in GROUPS for item in group["attributes"] if "id" in item}

# Every name that the specification publishes, with its type: GenOps Governance Specification v0.1.0.
PUBLISHED = {
    "string": """team project environment operation.name operation.type spec.version policy.result policy.reason_code
        accounting.unit budget.name budget.period policy.name policy.reason cost.currency cost.provider cost.model
        eval.metric sla.tier customer_id feature session_id cost_center""",
    "double": """accounting.reserved accounting.actual accounting.reconciliation_delta budget.allocated budget.consumed
        budget.remaining cost.total eval.score eval.threshold""",
    "int": "policy.timestamp tokens.input tokens.output tokens.total sla.latency_target_ms sla.actual_latency_ms",
    "boolean": "eval.passed sla.met",
}
EVENTS = {
    "policy.evaluated": ["policy.result"],
    "budget.reservation": ["accounting.reserved", "accounting.unit"],
    "budget.reconciliation": ["accounting.actual", "accounting.reserved", "accounting.unit"],
    "cost.calculated": ["cost.total", "cost.currency"],
    "budget.alert": ["budget.name", "budget.consumed", "budget.allocated"],
    "evaluation.complete": ["eval.metric", "eval.score"],
}


def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / "generate.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_keep_to_the_format(path):
    """Each file is of the semantic-convention format, as far as it is used here; every entry has a brief."""
    schema = json.loads((REGISTRY / "schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    errors = Draft202012Validator(schema).iter_errors(yaml.safe_load(path.read_text(encoding="utf-8")))

    assert [error.message for error in errors] == []


@pytest.mark.parametrize(
    "names",
    [
        [group["id"] for group in GROUPS],
        [item["id"] for group in GROUPS for item in group["attributes"] if "id" in item],
        [group["name"] for group in GROUPS if group["type"] == "event"],
        [group["metric_name"] for group in GROUPS if group["type"] == "metric"],
    ],
    ids=["groups", "attributes", "events", "metrics"],
)
def test_names_are_unique(names):
    """One name is defined once."""
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in PUBLISHED.items() for name in names.split()]
)
def test_published_attributes_have_the_published_type(kind, name):
    """An attribute of the specification is not changed by this project, and not called an addition."""
    attribute = ATTRIBUTES[f"genops.{name}"]
    stated = "string" if isinstance(attribute["type"], dict) else attribute["type"]

    assert (stated, attribute["stability"]) == (kind, "beta")


def test_everything_else_of_ours_is_an_addition():
    """A name that the specification does not publish has stability development."""
    published = {f"genops.{name}" for names in PUBLISHED.values() for name in names.split()}
    additions = {name for name in ATTRIBUTES if name.startswith("genops.")} - published

    assert {ATTRIBUTES[name]["stability"] for name in additions} == {"development"}


@pytest.mark.parametrize(("name", "required"), EVENTS.items())
def test_published_events_require_what_is_published(name, required):
    """Name and required attributes are those of the specification."""
    (event,) = [group for group in GROUPS if group.get("name") == f"genops.{name}"]
    stated = [item["ref"] for item in event["attributes"] if item["requirement_level"] == "required"]

    assert stated == [f"genops.{attribute}" for attribute in required]


def test_constants_are_the_names_in_upper_case():
    """Every name has its constant, and every constant its entry with a brief."""
    expected = {name.upper().replace(".", "_"): name for name in ATTRIBUTES}
    for group in GROUPS:
        for key, prefix in (("name", "EVENT_"), ("metric_name", "METRIC_")):
            if key in group:
                constant = prefix + group[key].removeprefix("genops.").upper().replace(".", "_")
                expected[constant] = group[key]
    expected |= {"NAMESPACE": "genops", "SPEC_VERSION": "0.1.0"}
    constants = {name: getattr(semconv, name) for name in semconv.__all__ if isinstance(getattr(semconv, name), str)}

    assert constants == expected


@pytest.mark.parametrize(
    ("stated", "ours"),
    [
        (semconv.POLICY_RESULTS, Result),
        (semconv.CALL_OUTCOMES, Outcome),
        (semconv.COST_STATUSES, CostStatus),
        (semconv.COST_SOURCES, CostSource),
    ],
    ids=["results", "outcomes", "cost statuses", "cost sources"],
)
def test_closed_sets_are_those_of_the_code(stated, ours):
    """What the code can say is what the registry says it can."""
    assert stated == {member.value for member in ours}


def test_the_reason_codes_are_the_published_ones():
    """The set is closed; extensions are told by their prefix."""
    published = """BUDGET_EXCEEDED BUDGET_RESERVATION_FAILED POLICY_DENY_MODEL POLICY_DENY_REGION POLICY_DENY_CONTENT
        RATE_LIMITED SLA_LATENCY_VIOLATION PROVIDER_ERROR_UPSTREAM ACCOUNTING_INVARIANT_VIOLATION"""

    assert frozenset(published.split()) == semconv.REASON_CODES


def test_the_usage_event_carries_every_field_of_a_ledger_entry():
    """A field that is added to the ledger must be given an attribute; the ids of the trace are the record's own."""
    assert {field.name for field in fields(LedgerEntry)} - {"trace_id", "span_id"} == set(semconv.LEDGER_ATTRIBUTES)
    assert len(set(semconv.LEDGER_ATTRIBUTES.values())) == len(semconv.LEDGER_ATTRIBUTES)


def test_names_of_opentelemetry_are_its_own():
    """Names outside our namespace are in its conventions; one was renamed after the release that is installed."""
    from opentelemetry.semconv._incubating.attributes import (
        error_attributes,
        gen_ai_attributes,
        openai_attributes,
        server_attributes,
    )

    known = {
        value
        for module in (error_attributes, gen_ai_attributes, openai_attributes, server_attributes)
        for value in vars(module).values()
        if isinstance(value, str)
    }
    renamed = {"gen_ai.usage.cache_write.input_tokens"}  # was cache_creation: semantic-conventions-genai, PR 440

    assert {name for name in ATTRIBUTES if not name.startswith("genops.")} - known <= renamed


def test_the_reference_page_has_every_name():
    """What can be emitted can be looked up."""
    page = (ROOT / "docs" / "reference" / "telemetry.md").read_text(encoding="utf-8")
    missing = [name for name in ATTRIBUTES if not re.search(rf"`{re.escape(name)}(\.<key>)?`", page)]
    names = [group.get("name") or group.get("metric_name") for group in GROUPS if group["type"] != "attribute_group"]

    assert missing == []
    assert [name for name in names if f"### {name}\n" not in page] == []


def test_generated_files_are_as_generated():
    """A change to the registry without `make generate` is told, and one by hand to a generated file too."""
    result = generate("--check")

    assert (result.returncode, result.stdout) == (0, "")


def test_generate_writes_what_is_absent_and_check_lists_what_differs(tmp_path):
    """--check exits 1 with the list of files and writes nothing; without it they are written, then all is well."""
    before = generate("--check", "--root", str(tmp_path))
    wrote = generate("--root", str(tmp_path))
    constants = tmp_path / "src" / "genops" / "semconv.py"
    after = generate("--check", "--root", str(tmp_path))
    constants.write_text(constants.read_text(encoding="utf-8") + "X = 1\n", encoding="utf-8")
    edited = generate("--check", "--root", str(tmp_path))

    assert before.returncode == 1
    assert "differs: src/genops/semconv.py" in before.stdout
    assert wrote.returncode == after.returncode == 0
    assert (edited.returncode, edited.stdout) == (1, "differs: src/genops/semconv.py\n  fix: make generate\n")
    assert constants.read_text(encoding="utf-8").startswith("# Generated by tools/generate.py from spec/registry")

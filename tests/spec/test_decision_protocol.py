"""The decision protocol: its two descriptions and the generated code say the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROTO = (ROOT / "spec/decision/decision.proto").read_text()
OPENAPI: dict[str, Any] = yaml.safe_load((ROOT / "spec/decision/openapi.yaml").read_text())
GENERATED = (ROOT / "collector/internal/decisionpb/decision.pb.go").read_text()
FIELD = re.compile(r"^  (?:repeated |optional )?(?:map<string, string>|[\w.]+) (\w+) = (\d+);", re.M)
MESSAGES = {
    name: dict(FIELD.findall(body)) for name, body in re.findall(r"^message (\w+) \{\n(.*?)^\}", PROTO, re.M | re.S)
}
SCHEMAS = OPENAPI["components"]["schemas"]
INLINE = {
    "Reservation": SCHEMAS["ReserveResponse"]["properties"]["reservation"],
    "Usage": SCHEMAS["SettleRequest"]["properties"]["usage"],
}
ELSEWHERE = {"BudgetsRequest": "the query", "ReleaseRequest": "the path"}


@pytest.mark.parametrize("name", sorted(MESSAGES.keys() - ELSEWHERE.keys()))
def test_openapi_and_proto_have_the_same_fields(name: str) -> None:
    """A message is a schema with the same properties."""
    schema = INLINE.get(name) or SCHEMAS[name]

    assert MESSAGES[name].keys() == schema["properties"].keys()


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_generated_code_is_that_of_the_proto(name: str) -> None:
    """Every field with its number; `go generate ./internal/decisionpb` makes it anew."""
    body = re.search(rf"^type {name} struct {{\n(.*?)^}}", GENERATED, re.M | re.S)
    assert body is not None
    found = {field: number for number, field in re.findall(r'protobuf:"\w+,(\d+),\w+,name=(\w+)', body[1])}

    assert MESSAGES[name] == found


def test_schemas_are_schemas() -> None:
    """Each one is valid, and every reference leads somewhere."""
    for schema in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for reference in re.findall(r"#/components/(\w+)/(\w+)", (ROOT / "spec/decision/openapi.yaml").read_text()):
        assert reference[1] in OPENAPI["components"][reference[0]]

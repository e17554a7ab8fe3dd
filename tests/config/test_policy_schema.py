"""The published schema of policy files is what the loader reads."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from genops.config.files import parse
from genops.config.policies import POLICY_FILE
from genops.config.shapes import ListOf, Table

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "spec/schema/policy.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def _target(schema: dict) -> dict:
    return SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def test_keys_are_the_same():
    """Every key of the schema is read, and no other, at every level."""

    def compare(table: Table, schema: dict, path: str) -> None:
        assert set(table.keys) == set(schema["properties"]), path
        assert set(table.required) == set(schema.get("required", ())), path
        for key, shape in table.keys.items():
            inner = _target(schema["properties"][key])
            if isinstance(shape, ListOf) and isinstance(shape.item, Table):
                compare(shape.item, _target(inner["items"]), f"{path}.{key}")
            elif isinstance(shape, Table):
                compare(shape, inner, f"{path}.{key}")

    compare(POLICY_FILE, SCHEMA, "")


@pytest.mark.parametrize("file", sorted((ROOT / "examples/policies").glob("*.yaml")), ids=lambda file: file.stem)
def test_cookbook_fits_the_schema(file):
    """Editors that use it find nothing wrong."""
    VALIDATOR.validate(json.loads(json.dumps(parse(file.read_text(), name=file.name).values, default=float)))

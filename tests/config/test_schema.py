"""spec/schema/genops.schema.json is the list of keys, and the loader agrees with it."""

from __future__ import annotations

import copy
import importlib.util
import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genops.config.environment import VARIABLES
from genops.config.files import Document, parse
from genops.config.keys import SETTINGS
from genops.config.shapes import Table, Value
from genops.core.errors import ConfigurationError

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "spec" / "schema" / "genops.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

# Values of every kind, right for some keys and wrong for others.
VALUES = st.one_of(
    st.sampled_from(
        ["search", " ", "", "warn", "block", "allow", "enforce", "info", "team", "0.50", "1e3", "-1", "eu", "USD"]
    ),
    st.sampled_from([None, True, False, 0, 1, -1, 90]),
    st.sampled_from([[], ["a"], ["team"], ["a", 1], [None], [{}], [[]], [" "]]),
    st.sampled_from([{}, {"a": "b"}, {"a": None}, {" ": "b"}]),
)
FITTING = {
    "boolean": st.booleans(),
    "integer": st.integers(1, 400),
    "string": st.sampled_from(["search", "gpt-*", "0042"]),
    "array": st.just([]),
    "object": st.just({}),
}


def documents(schema: dict, *, fitting: bool) -> st.SearchStrategy:
    """Documents of the known keys: with values that fit, or with values of every kind as well."""
    schema = _target(schema)
    kinds = schema.get("type", ())
    kind = kinds if isinstance(kinds, str) else next(iter(kinds), None)
    required = schema.get("required", [])
    if "properties" in schema:
        keys = {key: documents(each, fitting=fitting) for key, each in schema["properties"].items()}
        likely = [each["required"][0] for each in schema.get("anyOf", [])][:1]
        always = [*required, *likely] if fitting else []
        strategy = st.fixed_dictionaries(
            {key: keys[key] for key in always}, optional={key: keys[key] for key in keys if key not in always}
        )
    elif "properties" in _target(schema.get("items", {})):
        strategy = st.lists(documents(schema["items"], fitting=fitting), max_size=2)
    elif "enum" in schema:
        strategy = st.sampled_from(schema["enum"])
    elif "oneOf" in schema:
        strategy = st.one_of(*(documents(each, fitting=fitting) for each in schema["oneOf"]))
    elif "examples" in schema:
        strategy = st.sampled_from(schema["examples"])
    elif kind == "array" and schema.get("minItems"):
        strategy = st.just(["search"])
    else:
        strategy = FITTING[kind]
    return strategy if fitting or schema is SCHEMA else st.one_of(strategy, VALUES)


def _target(schema: dict) -> dict:
    return SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def accepts(values: dict) -> bool:
    try:
        SETTINGS.read(Value(values, Document("genops.yaml", values)))
    except ConfigurationError:
        return False
    return True


def test_the_schema_is_a_schema():
    """The file is valid JSON Schema."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@given(document=documents(SCHEMA, fitting=True))
def test_what_fits_the_schema_is_read(document):
    """Documents of right keys and values are valid for the schema and for the loader."""
    assert (VALIDATOR.is_valid(document), accepts(copy.deepcopy(document))) == (True, True)


@given(document=documents(SCHEMA, fitting=False))
def test_loader_and_schema_agree(document):
    """Whatever the values, a document is read exactly when the schema allows it."""
    assert VALIDATOR.is_valid(document) == accepts(copy.deepcopy(document))


@given(
    document=documents(SCHEMA, fitting=True),
    key=st.sampled_from(sorted(SCHEMA["properties"])),
    value=VALUES,
)
def test_loader_and_schema_agree_on_one_wrong_value(document, key, value):
    """One value of any kind in an otherwise right document is judged alike."""
    document = {**document, key: value}
    assert VALIDATOR.is_valid(document) == accepts(copy.deepcopy(document))


def test_the_keys_are_the_same():
    """Every key of the schema is read, and no other."""

    def compare(table: Table, schema: dict, path: str) -> None:
        assert set(table.keys) == set(schema["properties"]), path
        for key, shape in table.keys.items():
            if isinstance(shape, Table):
                compare(shape, _target(schema["properties"][key]), f"{path}.{key}")

    compare(SETTINGS, SCHEMA, "")


@pytest.mark.parametrize("name", ["genops.example.yaml"])
def test_the_example_file_fits_the_schema(name):
    """What we show is valid for editors that use the schema, too."""
    VALIDATOR.validate(parse((ROOT / name).read_text(encoding="utf-8"), name=name).values)


def test_defaults_in_the_schema_are_those_of_the_settings(tmp_path):
    """What the reference page calls a default is what an empty configuration gives."""
    from genops.config.settings import load

    settings = load(environ={}, cwd=tmp_path)
    for section in ("ledger", "telemetry", "adapters"):
        for key, given_schema in SCHEMA["properties"][section]["properties"].items():
            if "default" not in given_schema:
                continue
            expected, found = given_schema["default"], getattr(getattr(settings, section), key)
            found = list(found) if isinstance(found, tuple) else found
            assert (Path(expected).expanduser() if key == "dir" else expected) == found, f"{section}.{key}"
    assert SCHEMA["properties"]["log_level"]["default"] == settings.log_level


def test_the_reference_page_has_every_key_and_every_variable():
    """Nothing that can be set is missing from docs/reference/configuration.md, and the page is up to date."""
    path = ROOT / "tools" / "_configuration_reference.py"
    spec = importlib.util.spec_from_file_location("configuration_reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = module.render_configuration_reference()
    for name in (*SCHEMA["properties"], "ledger.fsync", "policies[].allow_regions", *VARIABLES):
        assert f"`{name}`" in page
    assert (ROOT / module.PATH).read_text(encoding="utf-8") == page

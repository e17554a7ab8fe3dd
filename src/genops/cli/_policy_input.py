"""The inputs of a call on the command line: name=value, or a YAML or JSON document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from genops.config.files import Document, parse
from genops.config.policies import read_given
from genops.config.shapes import Value
from genops.core.errors import ConfigurationError
from genops.core.rules.inputs import INPUTS, Kind

__all__ = ["parse_input", "parse_pairs"]


def parse_input(pairs: Iterable[str], text: str = "") -> dict[str, Any]:
    """Read the inputs of a call; what every call has is filled in. Raises `ConfigurationError`."""
    document = parse(text, name="the inputs") if text.strip() else Document("--input", {})
    values = dict(document.values)
    for name, value in parse_pairs(pairs, "--input").items():
        kind = INPUTS[name].kind if name in INPUTS else Kind.STRING
        values[name] = value if kind in (Kind.STRING, Kind.TIMESTAMP) else _read(value)
    return read_given(Value(values, document))


def parse_pairs(pairs: Iterable[str], option: str) -> dict[str, str]:
    """Read name=value options. Raises `ConfigurationError`."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise ConfigurationError(f"{option} {pair}: expected name=value.", fix=f"{option} team=search")
        found[name.strip()] = value.strip()
    return found


def _read(value: str) -> Any:
    """A number, a flag, a list or a map, as YAML has it."""
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        return value

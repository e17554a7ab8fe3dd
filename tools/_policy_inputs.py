"""The inputs of policy rules as data: the file that other runtimes declare them from."""

from __future__ import annotations

import json

from genops.core.matching import MATCH_KEYS
from genops.core.rules.inputs import INPUTS

__all__ = ["render_policy_inputs"]


def render_policy_inputs() -> str:
    """Every input with its type, in order, and the keys of a match."""
    inputs = [
        {
            "name": name,
            "type": given.kind.value,
            "brief": given.brief,
            "optional": given.optional,
            "dynamic": given.dynamic,
        }
        for name, given in INPUTS.items()
    ]
    note = "Generated from src/genops/core/rules/inputs.py by tools/generate.py. Do not edit."
    return json.dumps({"note": note, "inputs": inputs, "match": list(MATCH_KEYS)}, indent=1) + "\n"

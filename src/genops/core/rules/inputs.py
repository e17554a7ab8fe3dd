"""The inputs of a rule: every fact of a call that a condition may read, its type, and when it is known.

Facts are flat and typed, so that a misspelt name or a comparison of text with a number is refused when the file is
read. A fact that is optional has a companion `has_<name>`: a rule that reads an unknown fact without asking for it
is undecided, and says so; it is neither true nor false.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from genops.core.attribution_values import ATTRIBUTION_FIELDS, REQUIRED_FIELDS

__all__ = ["HAS", "INPUTS", "Input", "Kind", "Lookup", "plain_input", "tool_names"]

HAS = "has_"
Lookup = Callable[[str], Any]
"""Gives the value of an input by name; None if it is not known."""


class Kind(StrEnum):
    """The types of CEL that inputs have."""

    STRING = "string"
    BOOL = "bool"
    INT = "int"
    DOUBLE = "double"
    TIMESTAMP = "timestamp"
    STRINGS = "list(string)"
    TEXTS = "map(string, string)"
    FLAGS = "map(string, bool)"


@dataclass(frozen=True, slots=True)
class Input:
    """One fact of a call. A `dynamic` one differs between calls of the same kind for the same payer."""

    kind: Kind
    brief: str
    optional: bool = False
    dynamic: bool = False


_ATTRIBUTION = {
    name: Input(Kind.STRING, f"The {name} of the call's attribution.", optional=name not in REQUIRED_FIELDS)
    for name in ATTRIBUTION_FIELDS
}
INPUTS: Mapping[str, Input] = {
    **_ATTRIBUTION,
    "tags": Input(Kind.TEXTS, "The tags of the call's attribution."),
    "data_classification": Input(
        Kind.STRING, "The tag `data_classification`: public, internal, confidential, restricted.", optional=True
    ),
    "provider": Input(Kind.STRING, "Who sends the bill: openai, anthropic, azure.ai.openai."),
    "operation": Input(Kind.STRING, "What is asked for: chat, embeddings, image_generation."),
    "operation_type": Input(Kind.STRING, "The kind of work of the specification: inference, embedding."),
    "model": Input(Kind.STRING, "The model that is asked for.", optional=True),
    "region": Input(Kind.STRING, "Where the call runs, as far as the endpoint says it.", optional=True),
    "host": Input(Kind.STRING, "The server that the call goes to.", optional=True),
    "streamed": Input(Kind.BOOL, "Whether the answer comes in pieces."),
    "flags": Input(Kind.FLAGS, "The switches under `flags` of the policy files."),
    "estimated_cost": Input(Kind.DOUBLE, "The upper bound of the cost, in USD.", optional=True, dynamic=True),
    "input_tokens": Input(Kind.INT, "The estimated tokens of the request.", dynamic=True),
    "max_output_tokens": Input(Kind.INT, "The most tokens of output that the call may have.", dynamic=True),
    "tools": Input(Kind.STRINGS, "The names of the tools that the model is offered.", dynamic=True),
    "entities": Input(
        Kind.STRINGS, "The kinds of personal data and secrets found in the request: EMAIL, API_KEY.", dynamic=True
    ),
    "budget_used": Input(
        Kind.DOUBLE, "The share used of the fullest budget about the call: 0.8 is 80 %.", optional=True, dynamic=True
    ),
    "now": Input(Kind.TIMESTAMP, "The time of the call.", dynamic=True),
}


def tool_names(request: Mapping[str, Any]) -> list[str]:
    """The names of the tools in a request of any provider; of a tool without a name, its type."""
    tools = request.get("tools")
    found = []
    for tool in tools if isinstance(tools, list | tuple) else ():
        given = tool if isinstance(tool, Mapping) else getattr(tool, "__dict__", {})
        function = given.get("function")
        inner = function.get("name") if isinstance(function, Mapping) else None
        name = inner or given.get("name") or given.get("type")
        if isinstance(name, str):
            found.append(name)
    return found


def plain_input(value: Lookup) -> dict[str, Any]:
    """Every known input as plain JSON values: what an engine outside this process is asked about."""
    known = {name: value(name) for name in INPUTS}
    return {name: _plain(each) for name, each in known.items() if each is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value

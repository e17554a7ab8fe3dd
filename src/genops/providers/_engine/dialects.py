"""Dialects: what a span of another instrumentation says about a call. The names are data (spec/dialects)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from genops.core.frame import CallFacts
from genops.core.usage import Reading, Usage
from genops.providers._engine.reading import provider_of, region_of

__all__ = [
    "Said",
    "is_inference",
    "provider_named",
    "provider_of_model",
    "said",
    "watches_frameworks",
    "watches_models",
]

_JSON = "langfuse.observation.usage_details"
_COUNTS = ("input", "output", "cache_read", "cache_write", "cache_write_1h")
_MOST = 10**12  # tokens: no request has a trillion of them
_SHOWN = 40  # characters of a value that is no count


class Said(NamedTuple):
    """One call as a span tells it. `malformed` says which count is none: such a call has no price."""

    facts: CallFacts
    reading: Reading
    malformed: str | None = None


@cache
def _table() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(resources.files("genops.data").joinpath("dialects.json").read_bytes())
    return document


def watches_models(scope: str) -> bool:
    """Whether an instrumentation of that scope writes spans of calls to models."""
    name = scope.lower()
    return any(part in name for part in _table()["scopes"])


def watches_frameworks(scope: str) -> bool:
    """Whether an instrumentation of that scope writes spans of what a framework does."""
    name = scope.lower()
    return any(part in name for part in _table()["frameworks"])


def is_inference(attributes: Mapping[str, Any]) -> str | None:
    """What kind of request a span stands for: `inference`, `embedding`, or None for what is no request."""
    kind: str | None = _table()["operations"].get(str(_find("operation", attributes)))
    return kind


def said(scope: str, attributes: Mapping[str, Any]) -> Said | None:
    """The call that a span stands for; None if it stands for none, or does not say what was used."""
    kind = is_inference(attributes)
    if kind is None:
        return None
    given = _spread(attributes)
    usage, provider, malformed = _usage(scope, given), _provider(given), _malformed(given)
    if provider is None or (usage is None and malformed is None):
        return None
    host = _text("server_address", given)
    facts = CallFacts(
        provider=provider if host is None else provider_of(host, provider),
        api="span",
        operation="embeddings" if kind == "embedding" else "chat",
        operation_type=kind,
        operation_name=f"span.{kind}",
        request_model=_text("request_model", given),
        server_address=host,
        region=None if host is None else region_of(host),
    )
    reading = Reading(
        usage=usage,
        response_id=_text("response_id", given),
        response_model=_text("response_model", given),
        service_tier=_text("service_tier", given),
    )
    return Said(facts, reading, malformed)


def _spread(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attributes, with usage that is kept as JSON among them."""
    kept = attributes.get(_JSON)
    try:
        details = json.loads(kept) if isinstance(kept, str) else {}
    except ValueError:
        details = {}
    if not isinstance(details, dict) or not details:
        return attributes
    return {**attributes, **{f"{_JSON}.{name}": amount for name, amount in details.items()}}


def _usage(scope: str, attributes: Mapping[str, Any]) -> Usage | None:
    total, output = _count("input", attributes), _count("output", attributes)
    if total is None and output is None:
        return None
    parts = {name: _count(name, attributes) or 0 for name in ("cache_read", "cache_write", "cache_write_1h")}
    parts["cache_write"] = max(parts["cache_write"] - parts["cache_write_1h"], 0)
    inside = 0 if _counts_apart(scope, attributes) else sum(parts.values())
    found: dict[str, int | Decimal] = {"input": max((total or 0) - inside, 0)}
    found |= {name: amount for name, amount in parts.items() if amount}
    if output is not None:
        found["output"] = output
    return Usage(found)


def _counts_apart(scope: str, attributes: Mapping[str, Any]) -> bool:
    provider = _provider(attributes)
    return any(fnmatchcase(scope, pattern) and provider == of for pattern, of in _table()["exclusive_input"])


def _provider(attributes: Mapping[str, Any]) -> str | None:
    name = _text("provider", attributes)
    # Langfuse does not say; the name of a model does, for those of OpenAI and Anthropic.
    return provider_named(name) if name is not None else provider_of_model(_text("request_model", attributes) or "")


def provider_named(name: str) -> str:
    """The provider that others call `name`."""
    known: str = _table()["providers"].get(name.lower(), name.lower())
    return known


def provider_of_model(model: str) -> str | None:
    """Whose a model is, as far as its name says; None if it does not."""
    if model.startswith("claude"):
        return "anthropic"
    return "openai" if model.startswith(("gpt-", "o1", "o3", "o4", "text-embedding")) else None


def _find(fact: str, attributes: Mapping[str, Any]) -> Any:
    for name in _table()["attributes"][fact]:
        value = attributes.get(name)
        if value is not None:
            return value
    return None


def _text(fact: str, attributes: Mapping[str, Any]) -> str | None:
    value = _find(fact, attributes)
    return value if isinstance(value, str) and value else None


def _count(fact: str, attributes: Mapping[str, Any]) -> int | None:
    value = _find(fact, attributes)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= _MOST else None


def _malformed(attributes: Mapping[str, Any]) -> str | None:
    for fact in _COUNTS:
        value = _find(fact, attributes)
        if value is not None and _count(fact, attributes) is None:
            name = next(name for name in _table()["attributes"][fact] if attributes.get(name) is not None)
            return f"{name} is {str(value)[:_SHOWN]!r}, no count of tokens"
    return None

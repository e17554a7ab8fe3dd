"""Reading: what a vendor's answer says about usage, as disjoint meters.

The shapes are data (spec/usage/shapes.yaml); here is the one algorithm that reads them, for whole answers and for
streams, in which the last value of a field wins and nothing is added up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache, lru_cache, partial
from importlib import resources
from typing import Any, NamedTuple

from genops.core.searches import implied_search, search_meter
from genops.core.usage import Reading, Usage
from genops.providers._engine._paths import Getter, compile_path, fields_of, get

__all__ = ["provider_of", "read", "region_of", "stream_fields"]

_NOTHING: Mapping[str, Any] = {}
_MODELS = ("modelVersion", "model_version", "model_id")
_IDENTITIES = ("responseId", "response_id", "generation_id")
_LONG_RETENTION = "12h"


@cache
def _shapes() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(resources.files("genops.data").joinpath("usage_shapes.json").read_bytes())
    return document


@lru_cache(maxsize=256)
def _host(host: str) -> tuple[str, str | None] | None:
    for pattern, (provider, region) in _shapes()["hosts"].items():
        if fnmatchcase(host, pattern):
            return provider, region
    return None


def provider_of(host: str, default: str) -> str:
    """Who sends the bill for calls to `host`; `default` for a host nobody knows."""
    known = _host(host)
    return known[0] if known is not None else default


def region_of(host: str) -> str | None:
    """The region a host stands for, None where the host does not say."""
    known = _host(host)
    if known is None:
        return None
    provider, region = known
    if region is None and provider == "gcp.vertex_ai":
        return host.removesuffix("-aiplatform.googleapis.com")
    if region is None and provider == "aws.bedrock":
        return host.split(".")[1]
    return region


class StreamFields(NamedTuple):
    """What counts in the chunks of an API: fields to keep, lists to gather, and text, each by its paths."""

    fields: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]
    lists: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]
    texts: tuple[tuple[str, ...], ...]


@lru_cache(maxsize=256)
def stream_fields(api: str) -> StreamFields | None:
    """How the chunks of `api` are read; None for those whose chunks have a reader of their own."""
    found = _shapes()["streams"].get(api)
    if found is None:
        return None
    fields = tuple((name, _alternatives(paths)) for name, paths in found["fields"].items())
    lists = tuple((name, _alternatives(paths)) for name, paths in found.get("lists", _NOTHING).items())
    return StreamFields(fields, lists, _alternatives(found["text"]))


def _alternatives(paths: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(path.split(".")) for path in paths.split("|"))


@lru_cache(maxsize=256)
def _shape(provider: str, api: str) -> Shape | None:
    document = _shapes()
    name = document["providers"].get(provider, _NOTHING).get(api) or document["apis"].get(api)
    return Shape(document["shapes"][name]) if name is not None else None


class Shape:
    """One compiled shape."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._usage: Getter | None = compile_path(facts["usage"]) if facts["usage"] else None
        self._input = _optional(facts.get("input"))
        self._inclusive: bool = facts.get("inclusive", False)
        self._parts = _getters(facts.get("parts"))
        self._within = [(meter, outer, compile_path(path)) for meter, (outer, path) in facts.get("within", {}).items()]
        self._uncached: Mapping[str, str] = facts.get("uncached", {})
        self._additional = _optional(facts.get("additional_input"))
        self._output = _optional(facts.get("output"))
        self._output_parts = _getters(facts.get("output_parts"))
        self._output_default: str = facts.get("output_default", "output")
        self._reasoning = _optional(facts.get("reasoning"))
        self._reasoning_is: str = facts.get("reasoning_is", "subset")
        self._total = _optional(facts.get("total"))
        self._meters = _getters(facts.get("meters"))
        self._cost = _optional(facts.get("cost"))
        self._cost_per_usd = Decimal(facts.get("cost_per_usd", "1"))

    def usage(self, response: Any, request: Mapping[str, Any]) -> tuple[Usage | None, Decimal | None]:
        """The usage an answer states, and the cost if the provider states it; None for what is not stated."""
        stated = fields_of(response if self._usage is None else self._usage(response, response, request))
        found: dict[str, int | Decimal] = {}
        flags: list[str] = []
        self._read_input(found, flags, stated, response, request)
        reasoning = self._read_output(found, flags, stated, response, request)
        for meter, getter in self._meters:
            quantity = getter(stated, response, request)
            if isinstance(quantity, int | float | Decimal) and quantity:
                found[meter] = quantity if isinstance(quantity, int) else Decimal(str(quantity))
        if not found:
            return None, self._reported(stated, response, request)
        usage = Usage(found, reasoning_tokens=reasoning, flags=tuple(flags))
        return usage, self._reported(stated, response, request)

    def _read_input(
        self, found: dict[str, int | Decimal], flags: list[str], stated: Any, response: Any, request: Mapping[str, Any]
    ) -> None:
        total = _count(self._input, stated, response, request)
        if total is None:
            return
        parts: dict[str, int] = {}
        for meter, getter in self._parts:
            quantity = getter(stated, response, request)
            if quantity:
                parts[meter] = int(quantity)
        for meter, outer, getter in self._within:
            inner = min(int(getter(stated, response, request) or 0), parts.get(outer, 0))
            if inner:
                parts[meter] = inner
                parts[outer] -= inner
        for cached, uncached in self._uncached.items():
            if cached in parts:
                parts[uncached] = max(parts.get(uncached, 0) - parts[cached], 0)
        rest = total - sum(parts.values()) if self._inclusive else total
        if rest < 0:
            flags.append("input_parts_exceed_total")
            rest = 0
        found["input"] = rest + (_count(self._additional, stated, response, request) or 0)
        found.update({meter: quantity for meter, quantity in parts.items() if quantity})

    def _read_output(
        self,
        found: dict[str, int | Decimal],
        flags: list[str],
        stated: Any,
        response: Any,
        request: Mapping[str, Any],
    ) -> int | None:
        """Add the output meters; return the reasoning tokens, which are among them."""
        reasoning = _count(self._reasoning, stated, response, request)
        total = _count(self._output, stated, response, request)
        if total is None and not reasoning:
            return reasoning
        total = total or 0
        stated_total = _count(self._total, stated, response, request)
        total_input = sum(int(quantity) for quantity in found.values())
        if self._reasoning_is == "additive":
            total += reasoning or 0
        elif self._reasoning_is == "identity" and reasoning and stated_total == total_input + total + reasoning:
            total += reasoning
        if stated_total is not None and stated_total != total_input + total:
            flags.append("total_mismatch")
        parts: dict[str, int] = {}
        for meter, getter in self._output_parts:
            parts[meter] = int(getter(stated, response, request) or 0)
        rest = total - sum(parts.values()) if parts else total
        if rest < 0:
            flags.append("output_parts_exceed_total")
            parts, rest = {}, total
        if rest or not any(parts.values()):
            parts[self._output_default] = parts.get(self._output_default, 0) + rest
        found.update(
            {meter: quantity for meter, quantity in parts.items() if quantity or meter == self._output_default}
        )
        return reasoning

    def _reported(self, stated: Any, response: Any, request: Mapping[str, Any]) -> Decimal | None:
        amount = self._cost(stated, response, request) if self._cost is not None else None
        if isinstance(amount, Mapping) or amount is None:
            return None
        if not isinstance(amount, int | float | Decimal):
            amount = get(amount, "total_cost")
        return Decimal(str(amount)) / self._cost_per_usd if amount is not None else None


def _optional(path: str | None) -> Getter | None:
    return compile_path(path) if path else None


def _getters(paths: Mapping[str, str] | None) -> list[tuple[str, Getter]]:
    return [(meter, compile_path(path)) for meter, path in (paths or {}).items()]


def _count(getter: Getter | None, stated: Any, response: Any, request: Mapping[str, Any]) -> int | None:
    value = getter(stated, response, request) if getter is not None else None
    if type(value) is int:
        return value
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def read(
    provider: str,
    api: str,
    response: Any,
    request: Mapping[str, Any] | None = None,
    context: Mapping[str, Any] | None = None,
) -> Reading:
    """Return what `response` says about itself; `usage` is None where it states none.

    `response` is the vendor's object or its JSON. An unknown provider is read like the API it speaks, an unknown api
    not at all. `context` may hold `processing: batch`.
    """
    request = request or _NOTHING
    shape, answer = _shape(provider, api), fields_of(response)
    usage, cost = shape.usage(answer, request) if shape is not None else (None, None)
    if usage is not None:
        usage = _refined(provider, api, usage, answer, request)
    elif api == "invoke_model":
        usage = _reranked(answer, request)
    look = answer.get if type(answer) is dict else partial(get, answer)
    stated = fields_of(look("usage"))
    tier = look("service_tier") or get(stated, "service_tier") or get(look("serviceTier"), "type")
    if get(stated, "speed") == "fast":
        tier = "fast"
    region = get(stated, "inference_geo")
    model = look("model") or next(filter(None, map(look, _MODELS)), None)
    identity = (
        look("id") or next(filter(None, map(look, _IDENTITIES)), None) or get(look("ResponseMetadata"), "RequestId")
    )
    return Reading(
        usage=usage,
        response_id=identity if isinstance(identity, str) else None,
        response_model=model if isinstance(model, str) else None,
        service_tier=tier.lower() if isinstance(tier, str) else (context or _NOTHING).get("service_tier"),
        region=region if isinstance(region, str) and region != "not_available" else None,
        reported_cost=cost,
    )


def _refined(provider: str, api: str, usage: Usage, response: Any, request: Mapping[str, Any]) -> Usage:
    """What one figure of the answer means only in the light of another, or of the request."""
    changed: dict[str, int | Decimal] | None = None
    if "cache_write" in usage.quantities and request.get("prompt_cache_retention") in (_LONG_RETENTION, "24h"):
        changed = dict(usage.quantities)
        changed["cache_write_12h"] = changed.pop("cache_write")
    if "pages" in usage.quantities and request.get("document_annotation_format") is not None:
        changed = dict(changed or usage.quantities)
        changed["pages_annotated"] = changed.pop("pages")
    searches = _grounding(response) if provider in ("gcp.gemini", "gcp.vertex_ai") else 0
    if searches:
        changed = dict(changed or usage.quantities)
        changed["web_searches"] = searches
    if "web_searches" in usage.quantities:
        changed = dict(changed or usage.quantities)
        count = changed.pop("web_searches")
        changed[search_meter(request)] = min(count, 1) if _is_billed_once(provider, response) else count
    elif api == "chat_completions":
        meter = implied_search(provider, str(get(response, "model") or request.get("model") or ""))
        changed = {**(changed or usage.quantities), meter: 1} if meter is not None else changed
    if changed is None:
        return usage
    return Usage(changed, reasoning_tokens=usage.reasoning_tokens, source=usage.source, flags=usage.flags)


def _reranked(response: Any, request: Mapping[str, Any]) -> Usage | None:
    """The search units of a rerank model on Bedrock, which states none: one for every 100 documents begun.

    Source: Amazon Bedrock pricing, "Cohere Rerank 3.5", checked 2026-11-24.
    """
    documents, results = request.get("documents"), get(response, "results")
    if not isinstance(documents, list) or not isinstance(results, list) or "query" not in request:
        return None
    return Usage({"search_units": -(-len(documents) // 100)})


def _grounding(response: Any) -> int:
    """Searches of a grounded Gemini answer: one a prompt up to Gemini 2.5, one a distinct query since Gemini 3.

    A page that the prompt names is read for its tokens alone: it grounds an answer, but there are no queries and no
    suggestions to search for. Of a stream, what its candidates said is kept beside the usage.
    """
    queries: set[str] = set()
    grounded = False
    for candidate in get(response, "candidates") or ():
        metadata = get(candidate, "groundingMetadata") or get(candidate, "grounding_metadata")
        grounded = _searched(metadata, queries) or grounded
    grounded = _searched(response, queries) or grounded
    return int(grounded) if _is_billed_once("gcp.gemini", response) else len(queries)


def _is_billed_once(provider: str, response: Any) -> bool:
    """Whether the model is one of Gemini up to 2.5, which have one fee for all searches of a prompt."""
    model = str(get(response, "modelVersion") or get(response, "model") or "")
    return provider.startswith("gcp.") and any(part in model for part in ("gemini-1", "gemini-2"))


def _searched(told: Any, queries: set[str]) -> bool:
    """Whether an answer is grounded in searches; what was searched for is added to the queries."""
    found = get(told, "webSearchQueries") or get(told, "web_search_queries") or ()
    queries.update(query for query in found if query)
    return bool(found) or bool(get(told, "searchEntryPoint") or get(told, "search_entry_point"))

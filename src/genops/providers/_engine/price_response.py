"""Pricing one raw provider response: reading and the price book, joined."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from genops.core.cost import Cost, Unpriced
from genops.core.pricing import PriceBook, PriceQuery
from genops.core.rates import Rates
from genops.core.usage import Reading, Usage
from genops.providers._engine.chunks import read_chunks
from genops.providers._engine.reading import provider_of, read, region_of

__all__ = ["price_response", "query_for"]


def price_response(
    provider: str,
    api: str,
    response: Any,
    *,
    model: str | None = None,
    request: Mapping[str, Any] | None = None,
    at: datetime | None = None,
    context: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
) -> Cost | Unpriced:
    """Return what one response cost, with its price lines.

    `response` is the vendor's object or its JSON, of a stream `{"chunks": [...]}`; `model` the requested one; `at` the
    time of the request (now if left out); `context` may hold `processing: batch` or `service_tier`; `config` takes the
    price keys of `genops.yaml`.
    Raises `ConfigurationError` for a config that is not understood.
    """
    request, context = request or {}, context or {}
    chunks = response.get("chunks") if isinstance(response, Mapping) else None
    if chunks is not None:
        reading = read_chunks(provider, api, chunks, request)
    else:
        reading = read(provider, api, response, request, context)
    query = query_for(provider, api, reading, model=model, request=request, at=at, context=context)
    cost = _book(json.dumps(config or {}, default=str)).price(reading.usage or Usage(), query)
    if reading.usage is None and isinstance(cost, Cost) and cost.status not in ("free", "provider_reported"):
        return Unpriced("the response states no usage", cost.price_data_version)
    return cost


@lru_cache(maxsize=16)
def _book(config: str) -> PriceBook:
    return PriceBook.default(Rates.parse(json.loads(config)))


def query_for(
    provider: str,
    api: str,
    reading: Reading,
    *,
    model: str | None,
    request: Mapping[str, Any],
    at: datetime | None,
    context: Mapping[str, Any],
) -> PriceQuery:
    """What decides the price of `reading`, from everything that is known around it."""
    host = urlsplit(str(request.get("base_url") or "")).hostname
    region = reading.region or context.get("region") or request.get("location")
    if host is not None:
        provider = provider_of(host, provider)
        region = region or region_of(host)
    tier = reading.service_tier or context.get("service_tier") or request.get("service_tier") or request.get("speed")
    return PriceQuery(
        provider=provider,
        api=api,
        request_model=model,
        response_model=reading.response_model,
        at=at or datetime.now(UTC),
        service_tier=tier.lower() if isinstance(tier, str) else None,
        processing=context.get("processing"),
        region=region,
        host=host,
        deployment_type=context.get("deployment_type"),
        reported_cost=reading.reported_cost,
    )

"""Ledger entries priced as a governed call is."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from tests.analytics.ledgers import entry

from genops.core.cost import Cost
from genops.core.ledger import LedgerEntry
from genops.core.pricing import PriceBook, PriceQuery
from genops.core.rates import Rates
from genops.core.usage import Usage

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
BOOK = PriceBook.default()


def priced(
    call_id: str,
    usage: dict[str, int | Decimal],
    *,
    provider: str = "openai",
    model: str = "gpt-4o",
    at: datetime = NOON,
    tier: str | None = None,
    region: str | None = None,
    rates: Rates | None = None,
    **more: object,
) -> LedgerEntry:
    """An entry with the cost that the price book gives its usage."""
    book = BOOK if rates is None else PriceBook.default(rates)
    processing = "batch" if more.get("operation_type") == "batch" else None
    query = PriceQuery(
        provider=provider, at=at, request_model=model, service_tier=tier, region=region, processing=processing
    )
    cost = book.price(Usage(usage), query, lines=False)
    known = isinstance(cost, Cost)
    facts: dict[str, object] = {
        "provider": provider,
        "request_model": model,
        "started_at": at,
        "service_tier": tier,
        "region": region,
        "usage": usage,
        "cost": cost.amount if known else None,
        "list_cost": cost.list_amount if known else None,
        "cost_status": cost.status.value if known else "unpriced",
        "cost_source": cost.source.value if known else None,
        "priced_model": cost.priced_model if known else None,
        "unpriced_reason": None if known else cost.reason,
        "price_data_version": cost.price_data_version,
    }
    return entry(call_id, **(facts | more))

"""What if: the calls of a span at another model's prices, as a range, with what the range comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from genops.analytics.filters import Filters
from genops.analytics.source import Source
from genops.core.comparing import CACHE_METERS, TokenRatios, cost_at, uncached
from genops.core.errors import ConfigurationError
from genops.core.pricing import PriceBook, PriceQuery
from genops.core.repricing import EXACT
from genops.core.usage import OUTPUT_METERS

__all__ = ["ModelUsage", "WhatIf", "WhatIfRow", "read_usage", "what_if"]

_OUTPUT = frozenset(OUTPUT_METERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUsage:
    """What one model did over a span: priced calls, what they used by meter, and what they cost in USD."""

    provider: str
    model: str
    calls: int
    cost: Decimal
    usage: Mapping[str, Decimal] = field(default_factory=dict)
    unpriced: int = 0

    @property
    def per_call(self) -> dict[str, int | Decimal]:
        """The usage of an average call; a price with a threshold on the input is the one for that."""
        return {meter: EXACT.divide(quantity, self.calls) for meter, quantity in self.usage.items() if quantity}


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIfRow:
    """One model, moved: what it cost and what it would, between `low` and `high`; None where it cannot be said."""

    source: ModelUsage
    low: Decimal | None
    high: Decimal | None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """The calls of a span at another model. `reasons` say what the range comes from and what it leaves out."""

    provider: str
    model: str
    rows: tuple[WhatIfRow, ...]
    reasons: tuple[str, ...]
    price_data_version: str

    @property
    def moved(self) -> tuple[WhatIfRow, ...]:
        return tuple(row for row in self.rows if row.low is not None)

    @property
    def cost(self) -> Decimal:
        """What the calls that can be moved cost."""
        return sum((row.source.cost for row in self.moved), Decimal(0))

    @property
    def low(self) -> Decimal:
        return sum((row.low for row in self.moved if row.low is not None), Decimal(0))

    @property
    def high(self) -> Decimal:
        return sum((row.high for row in self.moved if row.high is not None), Decimal(0))


def read_usage(source: Source, filters: Filters) -> list[ModelUsage]:
    """What every model did in the calls of `filters`, the dearest first."""
    usage: dict[tuple[str, str | None], dict[str, Decimal]] = {}
    for row in source.query("usage_by_model", filters):
        usage.setdefault((row["provider"], row["model"]), {})[row["meter"]] = Decimal(row["quantity"])
    return [
        ModelUsage(
            provider=row["provider"],
            model=row["model"] or row["provider"],
            calls=row["calls"],
            cost=row["cost"],
            usage=usage.get((row["provider"], row["model"]), {}),
            unpriced=row["unpriced"],
        )
        for row in source.query("spend_by", filters, by=("provider", "model"))
        if row["calls"]
    ]


def what_if(
    found: list[ModelUsage],
    target: tuple[str, str],
    *,
    book: PriceBook,
    ratios: TokenRatios | None = None,
    at: datetime | None = None,
) -> WhatIf:
    """Price what each model used at `target`, a provider and a model, today's prices (or those at `at`).

    Raises `ConfigurationError` for a target without a price.
    """
    provider, model = target
    query = PriceQuery(provider=provider, at=at or datetime.now(UTC), request_model=model)
    reason = book.row(query).reason
    if reason is not None:
        raise ConfigurationError(
            f"{reason} at {provider}.", fix="genops prices show MODEL --provider PROVIDER finds what has one"
        )
    rows = tuple(_moved(each, query, book, ratios) for each in found)
    return WhatIf(
        provider=provider,
        model=model,
        rows=rows,
        reasons=tuple(_reasons(rows, provider, ratios)),
        price_data_version=book.version,
    )


def _moved(source: ModelUsage, query: PriceQuery, book: PriceBook, ratios: TokenRatios | None) -> WhatIfRow:
    if (source.provider, source.model) == (query.provider, query.request_model):
        return WhatIfRow(source=source, low=None, high=None, reason="is this model")
    usage = source.per_call
    if _OUTPUT.isdisjoint(usage):
        return WhatIfRow(source=source, low=None, high=None, reason="wrote no tokens: embeddings, speech, moderation")
    if source.unpriced:
        return WhatIfRow(source=source, low=None, high=None, reason=f"has {source.unpriced} calls without a price")
    applied = ratios or TokenRatios.between(source.provider, query.provider)
    cached = cost_at(book, query, usage, source.calls, applied)
    if cached.low is None or cached.high is None:
        return WhatIfRow(source=source, low=None, high=None, reason=cached.reason)
    if cached.missing_meters:
        return WhatIfRow(
            source=source, low=None, high=None, reason=f"has no price there for {', '.join(cached.missing_meters)}"
        )
    low, high = cached.low, cached.high
    if source.provider != query.provider and not set(CACHE_METERS).isdisjoint(usage):
        without = cost_at(book, query, uncached(usage), source.calls, applied)
        low, high = min(low, without.low or low), max(high, without.high or high)
    return WhatIfRow(source=source, low=low, high=high)


def _reasons(rows: tuple[WhatIfRow, ...], provider: str, ratios: TokenRatios | None) -> list[str]:
    moved = [row.source for row in rows if row.low is not None]
    reasons = []
    if moved and ratios is not None:
        ends = ", ".join(
            f"{name} {low}-{high}" for name, (low, high) in (("input", ratios.input), ("output", ratios.output))
        )
        reasons.append(f"tokens per token, as given: {ends}")
    elif moved:
        reasons.append("answers of another model may be 0.8 to 1.3 times as long")
        if any(source.provider != provider for source in moved):
            reasons.append("another provider's tokenizer counts 0.8 to 1.3 times the tokens")
    if any(source.provider != provider and not set(CACHE_METERS).isdisjoint(source.usage) for source in moved):
        reasons.append("prompt caching may hit as often there, or never")
    if moved:
        reasons.append("prices with a threshold are those of an average call; tiers and batch are not carried over")
    reasons += [f"left out: {row.source.model}, which {row.reason}" for row in rows if row.low is None]
    return reasons

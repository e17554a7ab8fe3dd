"""Savings: what a call would have cost more without the cache, and at the standard tier, at list prices.

Worked out once, when a call is loaded, so that SQL only adds up. Both sides of a difference come from the same price
book, so a price that was corrected since does not show up as a saving.

    without cache, standard tier   - cache - batch, tier ->   the list price   - negotiated ->   what was paid
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, NamedTuple

from genops.core._price_rows import Meter
from genops.core.pricing import ListPrices, PriceBook, PriceQuery
from genops.core.usage import INPUT_METERS, OUTPUT_METERS

__all__ = ["CACHE_METERS", "SAVINGS", "STANDARD_TIERS", "Savings", "SavingsRow"]

SAVINGS = ("saved_cache", "saved_batch", "saved_tier")
STANDARD_TIERS = ("default", "standard", "auto", "on_demand", "standard_only", "scale")
# Without the cache, tokens that were read from it or written to it are input of the same modality.
CACHE_METERS = {
    meter: "input" + meter.removeprefix("cache_read") if meter.startswith("cache_read") else "input"
    for meter in INPUT_METERS
    if meter.startswith("cache_")
}
_TOKENS = frozenset(INPUT_METERS + OUTPUT_METERS)
_INPUT = frozenset(INPUT_METERS)
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_PLACES, _ZERO = Decimal("0.000000000001"), Decimal(0)
_REMEMBERED = 8192


class SavingsRow(NamedTuple):
    """What of a call decides its savings. `started_at` is UTC without a zone, as DuckDB gives it.

    `request_model` is the row of the price book, where one was found: it is known here without the user's aliases.
    """

    seq: int
    provider: str
    request_model: str | None
    response_model: str | None
    service_tier: str | None
    region: str | None
    started_at: datetime
    usage: Mapping[str, Decimal]


class Savings:
    """Works out savings with the list prices of a book, resolving each price once per model, tier, region and day."""

    def __init__(self, book: PriceBook | None = None) -> None:
        self._book = book if book is not None else PriceBook.default()
        self._known: dict[tuple[Any, ...], _Prices] = {}

    def of(self, rows: Iterable[SavingsRow]) -> list[tuple[int, Decimal, Decimal, Decimal]]:
        """`seq` and the amounts of `SAVINGS` for each row, in USD, exact to 12 places; negative where it cost more.

        The rows were booked in USD, as list prices are: amounts of two currencies have no difference.
        """
        return [(row.seq, *self._amounts(row)) for row in rows]

    def _amounts(self, row: SavingsRow) -> tuple[Decimal, Decimal, Decimal]:
        standard = self._prices(row, None)
        if standard.reason is not None:
            return _ZERO, _ZERO, _ZERO
        usage, cache = row.usage, _ZERO
        if not CACHE_METERS.keys().isdisjoint(usage):
            uncached, cached = _swapped(usage) if standard.flat else (_uncached(usage), usage)
            cache = _rounded(_EXACT.subtract(_amount(uncached, standard), _amount(cached, standard)))
        tier = row.service_tier
        if tier is None or tier in STANDARD_TIERS:
            return cache, _ZERO, _ZERO
        own = self._prices(row, tier)
        if own.reason is not None:
            return cache, _ZERO, _ZERO
        saved = _rounded(_EXACT.subtract(_amount(usage, standard), _amount(usage, own)))
        return (cache, saved, _ZERO) if tier == "batch" else (cache, _ZERO, saved)

    def _prices(self, row: SavingsRow, tier: str | None) -> _Prices:
        key = (row.provider, row.request_model, row.response_model, tier, row.region)
        found = self._known.get((*key, row.started_at.date()))
        if found is None or found.within_day:
            query = PriceQuery(
                provider=row.provider,
                at=row.started_at.replace(tzinfo=UTC),
                request_model=row.request_model,
                response_model=row.response_model,
                service_tier=tier,
                region=row.region,
            )
            found = _Prices.of(self._book.row(query))
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[*key, row.started_at.date()] = found
        return found


class _Prices(NamedTuple):
    """List prices, with that of one token of each meter worked out; `flat` where no price depends on the amount."""

    meters: Mapping[str, Meter]
    each: Mapping[str, Decimal]
    factor: Decimal
    reason: str | None
    within_day: bool
    flat: bool

    @classmethod
    def of(cls, listed: ListPrices) -> _Prices:
        tokens = {name: meter for name, meter in listed.meters.items() if name in _TOKENS}
        each = {
            name: _EXACT.divide(_EXACT.multiply(meter.price, listed.factor), meter.per)
            for name, meter in tokens.items()
        }
        flat = not any(meter.tiers for meter in tokens.values())
        return cls(tokens, each, listed.factor, listed.reason, listed.within_day, flat)


def _amount(usage: Mapping[str, Decimal], prices: _Prices) -> Decimal:
    """What the tokens cost at these prices; meters without a price are left out, on both sides of a difference."""
    amount = _ZERO
    if prices.flat:
        for name, quantity in usage.items():
            if name in prices.each:
                amount = _EXACT.fma(prices.each[name], quantity, amount)
        return amount
    total_input = int(sum((count for name, count in usage.items() if name in _INPUT), _ZERO))
    for name, quantity in usage.items():
        meter = prices.meters.get(name)
        if meter is not None:
            cost = _EXACT.divide(_EXACT.multiply(meter.price_at(total_input), quantity), meter.per)
            amount = _EXACT.fma(cost, prices.factor, amount)
    return amount


def _swapped(usage: Mapping[str, Decimal]) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """The cached tokens alone, as input and as what they are: where prices are flat, the rest makes no difference."""
    cached = {name: quantity for name, quantity in usage.items() if name in CACHE_METERS}
    return _uncached(cached), cached


def _uncached(usage: Mapping[str, Decimal]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for name, quantity in usage.items():
        meter = CACHE_METERS.get(name, name)
        found[meter] = found.get(meter, _ZERO) + quantity
    return found


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(_PLACES, context=_EXACT)

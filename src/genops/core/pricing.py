"""The price book: from disjoint usage to exact money.

One plain algorithm over data that the Collector reads, too: find the row, take the price in force at the time of the
request, lay tier variants and region factors over it, multiply, add.

Source: spec/prices/README.md; vectors in spec/vectors/cost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from genops.core._price_rows import (
    FALLBACKS,
    Meter,
    Row,
    changes_within_day,
    factor_of,
    fees_of,
    find_model,
    price_in_force,
    variant_in_force,
)
from genops.core.cost import Cost, CostSource, CostStatus, PriceLine, Unpriced
from genops.core.rates import Alias, Rates
from genops.core.searches import NONE, Searches
from genops.core.usage import INPUT_METERS, OUTPUT_METERS, Usage, UsageSource

__all__ = ["ListPrices", "PriceBook", "PriceQuery"]

_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_PLACES = Decimal("0.000000000001")
_ONE, _ZERO = Decimal(1), Decimal(0)
_INPUT = frozenset(INPUT_METERS)
_TOKENS = frozenset(INPUT_METERS + OUTPUT_METERS)
_STANDARD = frozenset({None, "default", "standard", "auto", "on_demand", "standard_only", "scale"})
_CACHE_LIMIT = 4096
_POWERS_OF_TEN = frozenset({1, 1000, 1_000_000})  # dividing a price by one of them is exact


class PriceQuery(NamedTuple):
    """What besides usage decides a price. Models and tiers are in the provider's words; `at` is aware."""

    provider: str
    at: datetime
    api: str | None = None
    request_model: str | None = None
    response_model: str | None = None
    service_tier: str | None = None
    processing: str | None = None  # batch
    region: str | None = None
    host: str | None = None
    deployment_type: str | None = None
    reported_cost: Decimal | None = None


class ListPrices(NamedTuple):
    """The row that prices a query, before anything of the user's: its model, its meters, and why there is none.

    Tokens cost `factor` times what their meter says. `within_day`: some price of the row holds for part of a day.
    """

    model: str | None
    meters: Mapping[str, Meter]
    reason: str | None
    factor: Decimal
    within_day: bool


@dataclass(slots=True)
class _Resolved:
    """A row with everything but the usage applied to it."""

    model: str | None = None
    meters: dict[str, Meter] = field(default_factory=dict)
    factor: Decimal = _ONE
    minimum: Mapping[str, int] = field(default_factory=dict)
    custom: dict[str, tuple[Decimal, int]] = field(default_factory=dict)
    discount: Decimal = _ONE
    free: bool = False
    reason: str | None = None  # why there is no price
    within_day: bool = False
    plain: dict[str, Decimal] = field(default_factory=dict)  # price of one, for meters without tiers or minimum


@cache
def _bundled() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(resources.files("genops.data").joinpath("prices.json").read_bytes())
    return document


class PriceBook:
    """Prices usage at the list price in force, with the user's rates over it."""

    def __init__(self, document: Mapping[str, Any], rates: Rates | None = None) -> None:
        self._providers: Mapping[str, Any] = document["providers"]
        self.version: str = document["version"]
        self._currency: str = document["currency"]
        self._rates = rates or Rates({})
        self._resolved: dict[tuple[Any, ...], _Resolved] = {}

    @classmethod
    def default(cls, rates: Rates | None = None) -> PriceBook:
        """The book with the prices this distribution ships."""
        return cls(_bundled(), rates)

    def price(self, usage: Usage, query: PriceQuery, *, lines: bool = True) -> Cost | Unpriced:
        """Return what `usage` cost, exact to 12 places, in USD.

        A model without a price gives `Unpriced`, never a guess; a meter without one is listed in `missing_meters`.
        Without `lines` the amounts are the same and how they came about is left out, in a third of the time.
        """
        resolved = self._resolved_for(query)
        cost = (None if lines else self._plain_cost(usage, resolved)) or self._cost(usage, resolved)
        if query.reported_cost is not None:
            return self._reported(query.reported_cost, cost, resolved)
        return cost

    def bound(
        self,
        query: PriceQuery,
        input_tokens: int,
        output_tokens: int,
        cached: str | None = None,
        searches: Searches = NONE,
    ) -> Decimal | None:
        """Return what so many tokens and searches cost, in USD; None without a price for the tokens.

        With `cached`, a meter of cache writes, each input token counts at the dearest way it can be billed.
        """
        prices = self._resolved_for(query).plain
        fees = _EXACT.multiply(prices.get(searches.meter, _ZERO), searches.most)
        price_in, price_out = prices.get("input"), prices.get("output") if output_tokens else _ZERO
        if price_in is not None and price_out is not None:
            if cached is not None:
                price_in = max(price_in, *(prices.get(meter, price_in) for meter in ("cache_write", cached)))
            return _rounded(_EXACT.fma(price_in, input_tokens, _EXACT.fma(price_out, output_tokens, fees)))
        quantities = {"input": input_tokens} | ({"output": output_tokens} if output_tokens else {})
        amounts = [self._amount(quantities, query)]
        if cached is not None:
            amounts += [self._amount({**quantities, "input": 0, cached: input_tokens}, query)]
        return max((_EXACT.add(amount, fees) for amount in amounts if amount is not None), default=None)

    def _amount(self, quantities: Mapping[str, int], query: PriceQuery) -> Decimal | None:
        cost = self.price(Usage(quantities), query, lines=False)
        return cost.amount if isinstance(cost, Cost) and cost.currency == "USD" and not cost.missing_meters else None

    def _resolved_for(self, query: PriceQuery) -> _Resolved:
        key = (
            query.provider,
            query.response_model,
            query.request_model,
            query.service_tier,
            query.processing,
            query.region,
            query.deployment_type,
            query.at.timestamp() // 60,  # no price changes within a minute
        )
        resolved = self._resolved.get(key)
        if resolved is None:
            resolved = self._resolve(query)
            if len(self._resolved) >= _CACHE_LIMIT:
                self._resolved.clear()
            self._resolved[key] = resolved
        return resolved

    def _plain_cost(self, usage: Usage, resolved: _Resolved) -> Cost | None:
        """The cost of usage of which every meter has one list price, as most have; None for any other."""
        prices, amount = resolved.plain, _ZERO
        if not prices:
            return None
        for name, quantity in usage.quantities.items():
            price = prices.get(name)
            if price is None:
                return None
            amount = _EXACT.fma(price, quantity, amount)
        amount = _rounded(amount)
        estimated = usage.source is UsageSource.ESTIMATED
        return Cost(
            amount,
            amount,
            CostStatus.ESTIMATED if estimated else CostStatus.PRICED,
            CostSource.LIST,
            priced_model=resolved.model,
            price_data_version=self.version,
        )

    def _reported(self, amount: Decimal, table: Cost | Unpriced, resolved: _Resolved) -> Cost:
        listed = table if isinstance(table, Cost) else None
        return Cost(
            _rounded(amount),
            listed.list_amount if listed is not None else None,
            CostStatus.PROVIDER_REPORTED,
            CostSource.PROVIDER,
            lines=listed.lines if listed is not None else (),
            priced_model=resolved.model,
            price_data_version=self.version,
        )

    def _cost(self, usage: Usage, resolved: _Resolved) -> Cost | Unpriced:
        if resolved.free:
            return Cost(
                _ZERO,
                _ZERO,
                CostStatus.FREE,
                CostSource.LIST,
                priced_model=resolved.model,
                price_data_version=self.version,
            )
        if resolved.reason is not None and not resolved.custom:
            return Unpriced(resolved.reason, self.version)
        lines, listed, amount, missing = self._lines(usage, resolved)
        if missing and not lines:
            return Unpriced(f"no price for {', '.join(missing)} of {resolved.model}", self.version)
        contract = bool(resolved.custom) or resolved.discount != _ONE
        status = CostStatus.PARTIAL if missing else CostStatus.PRICED
        if usage.source is UsageSource.ESTIMATED:
            status = CostStatus.ESTIMATED
        return Cost(
            _rounded(_EXACT.multiply(amount, resolved.discount)),
            None if resolved.reason is not None else _rounded(listed),
            status,
            CostSource.CONTRACT if contract else CostSource.LIST,
            lines=tuple(lines),
            missing_meters=tuple(missing),
            priced_model=resolved.model,
            price_data_version=self.version,
        )

    def _lines(self, usage: Usage, resolved: _Resolved) -> tuple[list[PriceLine], Decimal, Decimal, list[str]]:
        """The lines, their sum at the list price, their sum with the user's rates, and the meters without a price."""
        lines: list[PriceLine] = []
        missing: list[str] = []
        listed = amount = _ZERO
        quantities = usage.quantities
        by_the_hour = "compute_seconds" in resolved.custom
        total_input = sum(quantity for meter, quantity in quantities.items() if meter in _INPUT)
        for name, quantity in quantities.items():
            custom = resolved.custom.get(name)
            meter = resolved.meters.get(name)
            if meter is None and custom is None:
                if quantity and name != "compute_seconds" and not (by_the_hour and name in _TOKENS):
                    missing.append(name)
                continue
            if meter is not None:
                line = self._line(name, quantity, meter, resolved, total_input)
                listed = _EXACT.add(listed, line.amount)
            if custom is not None:
                line = PriceLine(name, quantity, custom[0], custom[1], _product(quantity, custom[0], custom[1], _ONE))
            amount = _EXACT.add(amount, line.amount)
            lines.append(line)
        if "requests" in resolved.meters and "requests" not in quantities and quantities:
            line = self._line("requests", 1, resolved.meters["requests"], resolved, total_input)
            lines.append(line)
            listed, amount = _EXACT.add(listed, line.amount), _EXACT.add(amount, line.amount)
        return lines, listed, amount, missing

    def _line(
        self, name: str, quantity: int | Decimal, meter: Meter, resolved: _Resolved, total_input: int | Decimal
    ) -> PriceLine:
        minimum = resolved.minimum.get(name)
        billed = max(quantity, minimum) if minimum is not None else quantity
        unit = meter.price_at(total_input) if meter.tiers else meter.price
        factor = resolved.factor if name in _TOKENS else _ONE
        return PriceLine(name, billed, unit, meter.per, _product(billed, unit, meter.per, factor), factor)

    # -- resolving -----------------------------------------------------------------------------------------------------

    def row(self, query: PriceQuery) -> ListPrices:
        """The list prices in force for a query."""
        found = self._resolve(query)
        return ListPrices(found.model, found.meters, found.reason, found.factor, found.within_day)

    def discount(self, query: PriceQuery) -> Decimal:
        """What the user's discounts leave of an amount: 1 without one, 0.85 with 15 percent."""
        return self._resolved_for(query).discount

    def _resolve(self, query: PriceQuery) -> _Resolved:
        rates, provider = self._rates, query.provider
        alias = rates.alias(provider, query.request_model) or rates.alias(provider, query.response_model)
        named = alias.model if alias is not None else None
        models = (query.response_model, named, query.request_model)
        day = query.at.astimezone(UTC).date()
        resolved = _Resolved()
        self._apply_contract(resolved, provider, models, day)
        if self._is_free(query, alias, models, day) and not resolved.custom:
            resolved.free = True
            resolved.model = named or query.request_model
            return resolved
        row, owner = self._find(provider, models)
        if row is None:
            name = query.request_model or query.response_model
            resolved.reason = f"no price for {name}" if name else "the request names no model"
            resolved.model = name
            return resolved
        self._apply_row(resolved, row, owner, query, alias)
        return resolved

    def _is_free(self, query: PriceQuery, alias: Alias | None, models: Iterable[str | None], day: date) -> bool:
        if alias is not None and (alias.deployment_type or "").startswith(("provisioned", "ptu")):
            return True
        if (query.deployment_type or "").startswith(("provisioned", "ptu")):
            return True
        scopes = (*self._rates.free, *self._rates.provisioned)
        if any(scope.covers(query.provider, models, day) for scope in scopes):
            return True
        free = self._providers.get(query.provider, {}).get("free", ())
        return any(fnmatchcase(model, pattern) for model in models if model for pattern in free)

    def _apply_contract(self, resolved: _Resolved, provider: str, models: Iterable[str | None], day: date) -> None:
        for rate in self._rates.custom:
            if rate.scope.covers(provider, models, day):
                for meter in rate.meters:
                    resolved.custom.setdefault(meter, (rate.price, rate.per))
        resolved.discount = self._rates.discount(provider, models, day)

    def _find(self, provider: str, models: Iterable[str | None]) -> tuple[Row | None, str]:
        """The row of the first model that is known: at the provider, then at those whose models it resells."""
        facts = self._providers.get(provider)
        owners = [provider, *(facts["fallback"] if facts is not None else ())]
        for model in dict.fromkeys(name for name in models if name):
            for owner in owners:
                row = find_model(self._providers.get(owner, {}).get("models", ()), model, owner)
                if row is not None:
                    return row, owner
        return None, provider

    def _apply_row(self, resolved: _Resolved, row: Row, owner: str, query: PriceQuery, alias: Alias | None) -> None:
        facts = self._providers.get(query.provider, {})
        resolved.model = row["id"]
        resolved.minimum = facts.get("minimum", {})
        resolved.within_day = changes_within_day(row)
        meters = dict(price_in_force(row, query.at))
        for tier in dict.fromkeys((query.service_tier, query.processing)):
            if tier in _STANDARD:
                continue
            overlay = variant_in_force(row, str(tier), query.at)
            factor = factor_of(facts, "tier", str(tier), row["id"])
            if overlay is not None:
                meters |= overlay
            elif factor is not None:
                resolved.factor *= factor
            else:
                resolved.reason = f"no price for service tier {tier!r} of {row['id']}"
        for _, meter, price, per in fees_of((facts, self._providers.get(owner, {})), row["id"]):
            meters.setdefault(meter, Meter(Decimal(price), per))
        for meter, others in FALLBACKS.items():
            if meter not in meters:
                found = next((meters[other] for other in others if other in meters), None)
                if found is not None:
                    meters[meter] = found
        resolved.meters = meters
        deployment = query.deployment_type or (alias.deployment_type if alias is not None else None)
        for what, value in (("region", query.region), ("deployment", deployment)):
            factor = factor_of(facts, what, value, row["id"]) if value is not None else None
            if factor is not None:
                resolved.factor *= factor
        resolved.plain = _plain_prices(resolved)


def _plain_prices(resolved: _Resolved) -> dict[str, Decimal]:
    """The price of one of each meter that has a single one; none where the user's rates or a fee change the sum."""
    if resolved.custom or resolved.discount != _ONE or resolved.reason is not None or "requests" in resolved.meters:
        return {}
    return {
        name: _product(1, meter.price, meter.per, resolved.factor if name in _TOKENS else _ONE)
        for name, meter in resolved.meters.items()
        if not meter.tiers and name not in resolved.minimum and meter.per in _POWERS_OF_TEN
    }


def _product(quantity: int | Decimal, price: Decimal, per: int, factor: Decimal) -> Decimal:
    amount = _EXACT.multiply(price, quantity)
    if factor is not _ONE:
        amount = _EXACT.multiply(amount, factor)
    return amount if per == 1 else _EXACT.divide(amount, per)


def _rounded(amount: Decimal) -> Decimal:
    """Half-even at 12 places, the precision of the ledger, without trailing zeros."""
    return _EXACT.normalize(amount.quantize(_PLACES, context=_EXACT))

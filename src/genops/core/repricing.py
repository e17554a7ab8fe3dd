"""Repricing: how the amount of a settled call came about, line by line, worked out again from its ledger entry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache, reduce

from genops.core.cost import Cost, CostStatus, PriceLine
from genops.core.ledger import LedgerEntry, Outcome
from genops.core.pricing import PriceBook, PriceQuery
from genops.core.rates import Rates
from genops.core.usage import Usage, UsageSource

__all__ = ["EXACT", "LedgerPrices", "PricedLine", "exact_sum", "query_of", "usage_of"]

EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_HALF_A_UNIT = Decimal("5E-13")  # a ledger amount is rounded at 12 places
_PRICE_PLACES = -18  # a unit price with more decimals is not written out
_OWN_AMOUNT = frozenset({CostStatus.PROVIDER_REPORTED.value})


@dataclass(frozen=True, slots=True)
class PricedLine:
    """One meter of one call.

    `quantity` was used and `billed` is charged for, both in the meter's unit; prices are for one unit. `list_price` x
    `billed` and `contract_price` x `billed` are the amounts, exactly. `meter` is None for a call priced as a whole.
    """

    meter: str | None
    quantity: int | Decimal
    billed: int | Decimal
    list_price: Decimal
    contract_price: Decimal

    @property
    def list_amount(self) -> Decimal:
        return EXACT.multiply(self.list_price, Decimal(self.billed))

    @property
    def contract_amount(self) -> Decimal:
        return EXACT.multiply(self.contract_price, Decimal(self.billed))


def query_of(entry: LedgerEntry) -> PriceQuery:
    """What besides its usage decided the price of a settled call."""
    return PriceQuery(
        provider=entry.provider,
        at=entry.started_at,
        api=entry.api,
        request_model=entry.request_model,
        response_model=entry.response_model,
        service_tier=entry.service_tier,
        processing="batch" if entry.operation_type == "batch" else None,
        region=entry.region,
        host=entry.server_address,
    )


def usage_of(entry: LedgerEntry) -> Usage:
    """The usage of a settled call. Meters that this version does not know are left out."""
    source = UsageSource.ESTIMATED if entry.usage_source == UsageSource.ESTIMATED.value else UsageSource.REPORTED
    try:
        return Usage(entry.usage, reasoning_tokens=entry.reasoning_tokens, source=source)
    except ValueError:  # written by a later version
        return Usage()


class LedgerPrices:
    """The price lines of ledger entries, by the price data of this distribution and the user's rates."""

    def __init__(self, rates: Rates | None = None) -> None:
        rates = rates or Rates({})
        self._book = PriceBook.default(rates)
        self._listed = self._book
        if rates.custom or rates.discounts:
            self._listed = PriceBook.default(replace(rates, custom=(), discounts=()))

    def lines(self, entry: LedgerEntry) -> tuple[PricedLine, ...]:
        """The lines whose amounts come to what the ledger says the call cost, up to its rounding at 12 places.

        Where they do not (the provider or the application stated the cost, prices have changed since, a price has no
        finite decimal for one unit) there is one line for the whole call. None for a call without a cost or free of
        any usage.
        """
        if entry.outcome is Outcome.BLOCKED or entry.cost is None:
            return ()
        listed = entry.list_cost if entry.list_cost is not None else entry.cost
        if entry.cost_status not in _OWN_AMOUNT and entry.cost_source not in ("manual", "provider"):
            lines = self._by_meter(entry)
            if lines and _comes_to(lines, listed, entry.cost):
                return lines
        if not entry.cost and not listed and not entry.usage:
            return ()
        return (PricedLine(None, 1, 1, listed, entry.cost),)

    def _by_meter(self, entry: LedgerEntry) -> tuple[PricedLine, ...]:
        usage, query = usage_of(entry), query_of(entry)
        cost = self._book.price(usage, query)
        if not isinstance(cost, Cost):
            return ()
        if cost.status is CostStatus.FREE:
            nothing = Decimal(0)
            return tuple(
                PricedLine(meter, quantity, quantity, nothing, nothing) for meter, quantity in usage.quantities.items()
            )
        listed = cost if self._listed is self._book else self._listed.price(usage, query)
        list_lines = {line.meter: line for line in listed.lines} if isinstance(listed, Cost) else {}
        discount = self._book.discount(query)
        lines = tuple(_line(line, list_lines, discount, usage.quantities) for line in cost.lines)
        return tuple(line for line in lines if line is not None) if None not in lines else ()


def _line(
    line: PriceLine, listed: Mapping[str, PriceLine], discount: Decimal, used: Mapping[str, int | Decimal]
) -> PricedLine | None:
    """A line at both prices; None if one of them has no finite decimal, or the two bill different quantities."""
    price = _unit_price(line.unit_price, line.multiplier, line.per)
    found = listed.get(line.meter, line)
    list_price = _unit_price(found.unit_price, found.multiplier, found.per)
    if price is None or list_price is None or found.quantity != line.quantity:
        return None
    contract = price if discount == 1 else EXACT.multiply(price, discount)
    return PricedLine(line.meter, used.get(line.meter, line.quantity), line.quantity, list_price, contract)


@lru_cache(maxsize=4096)
def _unit_price(unit_price: Decimal, multiplier: Decimal, per: int) -> Decimal | None:
    """The price of one, for `unit_price` for `per`; None if it has no finite decimal of 18 places."""
    price = EXACT.divide(EXACT.multiply(unit_price, multiplier), Decimal(per))
    normal = EXACT.normalize(price)
    exponent = normal.as_tuple().exponent
    return normal if isinstance(exponent, int) and exponent >= _PRICE_PLACES else None


def _comes_to(lines: tuple[PricedLine, ...], listed: Decimal, cost: Decimal) -> bool:
    list_total = exact_sum(line.list_amount for line in lines)
    total = exact_sum(line.contract_amount for line in lines)
    return abs(list_total - listed) <= _HALF_A_UNIT and abs(total - cost) <= _HALF_A_UNIT


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    """The sum of amounts, exact to 60 digits: the interpreter's own context has 28, and 18 of them are decimals."""
    return reduce(EXACT.add, amounts, Decimal(0))

"""Cost: what a call was worth in money, line by line, and how sure we are of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

__all__ = ["Cost", "CostSource", "CostStatus", "PriceLine", "Unpriced"]


class CostStatus(StrEnum):
    """How far an amount can be trusted. Unknown is never zero: an unpriced call has no amount."""

    PRICED = "priced"
    PARTIAL = "partial"  # some reported meter has no price
    ESTIMATED = "estimated"  # the usage was estimated
    PROVIDER_REPORTED = "provider_reported"
    FREE = "free"
    UNPRICED = "unpriced"


class CostSource(StrEnum):
    """Which layer the amount comes from."""

    LIST = "list"  # the price book
    CONTRACT = "contract"  # a rate card or discount of the user's
    PROVIDER = "provider"  # the provider said so
    MANUAL = "manual"  # the application said so
    SPAN = "span"  # priced from another instrumentation's span


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One meter of one call: `amount` = `quantity` x `unit_price` / `per` x `multiplier`, exact."""

    meter: str
    quantity: int | Decimal
    unit_price: Decimal
    per: int
    amount: Decimal
    multiplier: Decimal = Decimal(1)


class Cost(NamedTuple):
    """What a call cost.

    `amount` is what the user pays (contract rates applied), `list_amount` the list price of the same usage, None if
    there is no list price. Both are exact decimals in `currency` (ISO 4217). `missing_meters` have usage but no price.
    """

    amount: Decimal
    list_amount: Decimal | None
    status: CostStatus
    source: CostSource
    currency: str = "USD"
    lines: tuple[PriceLine, ...] = ()
    missing_meters: tuple[str, ...] = ()
    priced_model: str | None = None  # the row of the price book
    price_data_version: str | None = None


@dataclass(frozen=True, slots=True)
class Unpriced:
    """There is no price, and why."""

    reason: str
    price_data_version: str | None = None

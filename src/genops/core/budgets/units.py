"""Units of budgets as whole numbers: nano-units of a currency, tokens, requests, milliseconds of compute.

Counters add whole numbers only. What is not whole in the counter's unit is rounded up, so that a sum of reservations is
never below what they stand for. Numbers stay under 2^53: Redis scripts compare them as doubles, exact below it.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Context, Decimal

from genops.core.errors import ConfigurationError

__all__ = [
    "COMPUTE_SECONDS",
    "CONCURRENT",
    "LARGEST",
    "REQUESTS",
    "TOKENS",
    "amount_of",
    "as_counted",
    "is_money",
    "is_unit",
    "scale_of",
]

TOKENS, REQUESTS, COMPUTE_SECONDS = "tokens", "requests", "compute_seconds"
CONCURRENT = "concurrent"  # calls in flight: reserved by each call, settled as nothing
LARGEST = 2**53 - 1
_PLACES = {TOKENS: 0, REQUESTS: 0, CONCURRENT: 0, COMPUTE_SECONDS: 3}  # decimal places counted; money has 9
_MONEY_PLACES = 9
_CURRENCY = re.compile(r"[A-Z]{3}")
_EXACT = Context(prec=60, rounding=ROUND_CEILING)


def is_money(unit: str) -> bool:
    """Whether `unit` is a currency (ISO 4217)."""
    return unit not in _PLACES


def is_unit(unit: str) -> bool:
    """Whether `unit` is one that a budget may have."""
    return unit in _PLACES or _CURRENCY.fullmatch(unit) is not None


def scale_of(unit: str) -> int:
    """How many counted units one `unit` has: 10^9 for money."""
    return int(10 ** _PLACES.get(unit, _MONEY_PLACES))


def as_counted(amount: Decimal | int, unit: str) -> int:
    """Return `amount` as counted: a whole number of nano-USD, tokens, ..., rounded up.

    Raises `ConfigurationError` for what no counter can hold: below 0, not finite, or 2^53 and more.
    """
    places = _PLACES.get(unit, _MONEY_PLACES)
    if type(amount) is int:
        counted = amount * 10**places if places else amount
    else:
        value = Decimal(amount)
        if not value.is_finite():
            raise ConfigurationError(f"{amount} {unit} is no amount.", fix="give a finite amount of 0 or more")
        counted = int(_EXACT.scaleb(value, places).to_integral_value(ROUND_CEILING))
    if not 0 <= counted <= LARGEST:
        raise _out_of_range(amount, unit, counted)
    return counted


def amount_of(counted: int, unit: str) -> Decimal:
    """Return what a counter's number stands for, in `unit`. Exact."""
    return _EXACT.scaleb(Decimal(counted), -_PLACES.get(unit, _MONEY_PLACES))


def _out_of_range(amount: Decimal | int, unit: str, counted: int) -> ConfigurationError:
    if counted < 0:
        return ConfigurationError(f"{amount} {unit} is below 0.", fix="give an amount of 0 or more")
    most = amount_of(LARGEST, unit)
    return ConfigurationError(
        f"{amount} {unit} is more than one counter holds exactly ({most:,.0f} {unit}, 2^53 counted units).",
        fix="give the budget a shorter window, or split it with group_by",
    )

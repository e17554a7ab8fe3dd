"""Accounts: where a call reserves an upper bound before it runs, and settles what it used.

The accounting invariant of the GenOps specification: no execution without a reservation. Without a configured budget a
call reserves against `Unlimited`, which always grants and keeps no count.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple, Protocol

__all__ = ["Account", "Reservation", "Unlimited"]


class Reservation(NamedTuple):
    """A granted upper bound: `amount` in `unit` (USD, tokens, requests) against the budget named `budget`."""

    amount: Decimal
    unit: str
    budget: str


class Account(Protocol):
    """Grants reservations and takes settlements."""

    def reserve(self, call_id: str, amount: Decimal, unit: str) -> Reservation:
        """Return the reservation; raises `BudgetBlocked` when it does not fit."""

    def settle(self, call_id: str, reservation: Reservation, actual: Decimal) -> None:
        """Replace the reservation by what was used."""


class Unlimited:
    """The account in force when no budget is configured."""

    name = "unlimited"

    def reserve(self, call_id: str, amount: Decimal, unit: str) -> Reservation:
        return Reservation(amount, unit, self.name)

    def settle(self, call_id: str, reservation: Reservation, actual: Decimal) -> None:
        return None

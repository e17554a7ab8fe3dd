"""Amounts: what a call used, in the units of its reservation and of budgets."""

from __future__ import annotations

from decimal import Decimal

from genops.core.budget import Reservation
from genops.core.cost import Cost, Unpriced
from genops.core.estimate import tokens_of_characters
from genops.core.usage import Reading, Usage, UsageSource

__all__ = ["actual_of", "estimated_usage", "used_by"]


def estimated_usage(operation_type: str, input_tokens: int, characters: int) -> Usage | None:
    """The usage of a call whose provider states none: what went in, and the text that came out; None for no tokens."""
    if operation_type not in ("inference", "embedding"):
        return None
    quantities: dict[str, int | Decimal] = {"input": input_tokens}
    if operation_type == "inference":
        quantities["output"] = tokens_of_characters(characters)
    return Usage(quantities, source=UsageSource.ESTIMATED)


def used_by(reading: Reading, cost: Cost | Unpriced) -> dict[str, Decimal | int]:
    """What a call used, by the units of budgets; what is not known is left out."""
    used: dict[str, Decimal | int] = {"requests": 1}
    if isinstance(cost, Cost):
        used[cost.currency] = cost.amount
    if reading.usage is not None:
        used["tokens"] = (reading.usage.input_tokens or 0) + (reading.usage.output_tokens or 0)
        if "compute_seconds" in reading.usage.quantities:
            used["compute_seconds"] = reading.usage.quantities["compute_seconds"]
    return used


def actual_of(reservation: Reservation, priced: Cost | Unpriced | None, usage: Usage | None) -> Decimal:
    """What the call used, in the unit of its reservation. An unknown amount stands at what was reserved, and the entry
    says `unpriced`: the accounting invariant wants a figure, and the bound is the one that cannot be too low."""
    if isinstance(priced, Cost) and reservation.unit == priced.currency:
        return priced.amount
    if reservation.unit == "tokens":
        return Decimal((usage.input_tokens or 0) + (usage.output_tokens or 0)) if usage is not None else Decimal(0)
    return reservation.amount

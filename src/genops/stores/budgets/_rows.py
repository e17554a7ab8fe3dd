"""Reservations as text: the form in which SQLite and Redis keep them. Amounts are decimal strings."""

from __future__ import annotations

import json
from collections.abc import Sequence

from genops.core.budgets.model import Leg

__all__ = ["legs_from_text", "legs_to_text", "numbers_from_text", "numbers_to_text"]

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def legs_to_text(legs: Sequence[Leg]) -> str:
    """The legs, without what only a reservation in the making needs: the limit and whether it is hard."""
    return _encode(
        [[leg.key, leg.unit, [str(each) for each in leg.thresholds], leg.also, leg.end or 0] for leg in legs]
    )


def legs_from_text(text: str) -> tuple[Leg, ...]:
    """What `legs_to_text` made; the limits are 0."""
    return tuple(
        Leg(key, unit, 0, False, tuple(int(each) for each in thresholds), tuple(also), end or None)
        for key, unit, thresholds, also, end in json.loads(text)
    )


def numbers_to_text(numbers: Sequence[int]) -> str:
    return " ".join(map(str, numbers))


def numbers_from_text(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split()))

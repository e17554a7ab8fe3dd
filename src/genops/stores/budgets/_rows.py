"""Reservations as text: the form in which SQLite and Redis keep them. Amounts are decimal strings."""

from __future__ import annotations

import json
from collections.abc import Sequence

from genops.core.budgets.model import Leg
from genops.core.budgets.store import kept_until

__all__ = ["KEPT_S", "legs_from_text", "legs_to_text", "numbers_from_text", "numbers_to_text"]

KEPT_S = 400 * 86_400  # counters after their window: a year, for reports, and some
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def legs_to_text(legs: Sequence[Leg]) -> str:
    """The legs, without what only a reservation in the making needs, and with the end of their counters."""
    return _encode(
        [[leg.key, leg.unit, [str(each) for each in leg.thresholds], leg.also, kept_until(leg, KEPT_S)] for leg in legs]
    )


def legs_from_text(text: str) -> tuple[Leg, ...]:
    """What `legs_to_text` made; the limits are 0."""
    return tuple(
        Leg(key, unit, 0, False, tuple(int(each) for each in thresholds), tuple(also), until or None)
        for key, unit, thresholds, also, until in json.loads(text)
    )


def numbers_to_text(numbers: Sequence[int]) -> str:
    return " ".join(map(str, numbers))


def numbers_from_text(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split()))

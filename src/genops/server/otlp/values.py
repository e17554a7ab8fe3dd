"""Attributes of OTLP as Python has them, and what identifies spans."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["as_id", "attributes", "moment", "number"]

_SCALARS = frozenset({"string_value", "bool_value", "int_value", "double_value"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_NS = 253_402_300_799 * 10**9  # the end of the year 9999


def attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    """Key-value pairs as a dictionary: texts, numbers and lists of them. We read no bytes and no mappings."""
    found: dict[str, Any] = {}
    for pair in pairs:
        value = pair.value
        kind = value.WhichOneof("value")
        if kind in _SCALARS:
            found[pair.key] = getattr(value, kind)
        elif kind == "array_value":
            items = [(each, each.WhichOneof("value")) for each in value.array_value.values]
            found[pair.key] = tuple(getattr(each, kind) for each, kind in items if kind in _SCALARS)
    return found


def as_id(given: bytes, length: int) -> str | None:
    """A trace id (16 bytes) or span id (8 bytes) in hexadecimal; None for what is none."""
    return given.hex() if len(given) == length and any(given) else None


def moment(unix_ns: int) -> datetime | None:
    """A time of OTLP, to the microsecond; None for one that was not set, or is none of this calendar."""
    return _EPOCH + timedelta(microseconds=unix_ns // 1000) if 0 < unix_ns <= _LATEST_NS else None


def number(found: Mapping[str, Any], name: str) -> float | None:
    """A finite number of at least 0; None for anything else."""
    value = found.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None

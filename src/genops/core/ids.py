"""Call ids: ULIDs, sortable by time, made without coordination."""

from __future__ import annotations

import hashlib
import random

__all__ = ["derived_id", "new_id"]

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]


def new_id(unix_ms: int) -> str:
    """Return a ULID for a call that starts at `unix_ms`: 26 characters, 48 bits of time and 80 of randomness.

    Source: github.com/ulid/spec.
    """
    return _encode(unix_ms << 80 | random.getrandbits(80))


def derived_id(*parts: str) -> str:
    """Return the id that always belongs to `parts`, so that reading the same batch result twice books it once."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return _encode(int.from_bytes(digest[:16]))


def _encode(value: int) -> str:
    pairs = _PAIRS
    return "".join([pairs[value >> shift & 1023] for shift in range(120, -1, -10)])

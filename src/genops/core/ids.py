"""Call ids: ULIDs, sortable by time, made without coordination."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from random import getrandbits
from typing import TypeGuard

__all__ = ["derived_id", "identifies", "new_id"]

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32
_SHORTEST_UNIQUE = 16
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]


def new_id(unix_ms: int) -> str:
    """Return a ULID for a call that starts at `unix_ms`: 26 characters, 48 bits of time and 80 of randomness.

    Source: github.com/ulid/spec.
    """
    pairs, high, low = _PAIRS, getrandbits(40), getrandbits(40)
    return (
        f"{_of_time(unix_ms)}"
        f"{pairs[high >> 30]}{pairs[high >> 20 & 1023]}{pairs[high >> 10 & 1023]}{pairs[high & 1023]}"
        f"{pairs[low >> 30]}{pairs[low >> 20 & 1023]}{pairs[low >> 10 & 1023]}{pairs[low & 1023]}"
    )


def identifies(response_id: str | None) -> TypeGuard[str]:
    """Whether an id a response has belongs to that response alone, as far as its length tells.

    Ollama's OpenAI endpoint draws "chatcmpl-273" out of 999; those of vendors have 16 characters (Together) or more.
    The Collector's guard has the same bound.
    """
    return response_id is not None and len(response_id) >= _SHORTEST_UNIQUE


def derived_id(*parts: str) -> str:
    """Return the id that always belongs to `parts`, so that reading the same batch result twice books it once."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return _encode(int.from_bytes(digest[:16]), 26)


@lru_cache(maxsize=8)
def _of_time(unix_ms: int) -> str:
    return _encode(unix_ms, 10)


def _encode(value: int, characters: int) -> str:
    return "".join([_PAIRS[value >> shift & 1023] for shift in range(5 * characters - 10, -1, -10)])

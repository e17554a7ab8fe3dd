"""The nearest known name to a misspelt one, as the end of an error message."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["did_you_mean"]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?", or nothing when no known name is near."""
    by_folded = {candidate.casefold(): str(candidate) for candidate in known}
    near = get_close_matches(name.casefold(), by_folded, n=1)
    return f" Did you mean {by_folded[near[0]]!r}?" if near else ""

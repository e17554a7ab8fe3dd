"""Matching: which calls something is about, by patterns over what is known of a call before it is made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import translate
from functools import lru_cache
from typing import Generic, TypeVar

from genops.core.attribution_values import ATTRIBUTION_FIELDS

__all__ = ["MATCH_KEYS", "Index", "Match", "any_glob", "matches"]

MATCH_KEYS = (*ATTRIBUTION_FIELDS, "provider", "operation", "model")
Match = Mapping[str, tuple[str, ...]]
"""A field of a call to patterns: all keys must match, any pattern of a key will do. Globs, compared without case."""

T = TypeVar("T")


def any_glob(patterns: tuple[str, ...], value: str | None) -> bool:
    """Whether `value` is known and matches one of `patterns`."""
    return value is not None and _matcher(patterns)(value) is not None


@lru_cache(maxsize=1024)
def _matcher(patterns: tuple[str, ...]) -> Callable[[str], object]:
    return re.compile("|".join(translate(pattern) for pattern in patterns), re.IGNORECASE).match


def matches(match: Match, fact: Callable[[str], str | None]) -> bool:
    """Whether a call with these facts is meant."""
    return all(any_glob(patterns, fact(key)) for key, patterns in match.items())


class Index(Generic[T]):
    """Things with a match, found for a call without looking at each: by the first key that has plain values only."""

    __slots__ = ("_anywhere", "_keyed", "_keys")

    def __init__(self, items: Iterable[tuple[Match, T]]) -> None:
        self._anywhere: list[tuple[int, Match, T]] = []
        self._keyed: dict[tuple[str, str], list[tuple[int, Match, T]]] = {}
        for place, (match, item) in enumerate(items):
            key, values = _index_key(match)
            if key is None:
                self._anywhere.append((place, match, item))
            for value in values:
                self._keyed.setdefault((str(key), value), []).append((place, match, item))
        self._keys = tuple(dict.fromkeys(key for key, _ in self._keyed))

    def find(self, fact: Callable[[str], str | None]) -> list[T]:
        """The things that are about a call with these facts, in their order."""
        candidates = self._anywhere
        for key in self._keys:
            value = fact(key)
            found = self._keyed.get((key, value.casefold())) if value is not None else None
            candidates = [*candidates, *found] if found else candidates
        return [item for _, match, item in sorted(candidates, key=_place) if matches(match, fact)]


def _place(candidate: tuple[int, Match, object]) -> int:
    return candidate[0]


def _index_key(match: Match) -> tuple[str | None, tuple[str, ...]]:
    """The first key that is matched by plain values, with the values; (None, ()) if there is none."""
    for key, patterns in match.items():
        if not any(character in pattern for pattern in patterns for character in "*?["):
            return key, tuple(dict.fromkeys(pattern.casefold() for pattern in patterns))
    return None, ()

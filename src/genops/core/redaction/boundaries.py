"""What may stand beside a find. RE2 has no look-around, so this is checked here, on the characters before and after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

__all__ = ["BOUNDARIES", "Boundary"]

Boundary = Callable[[str, int, int], bool]

_JOINS = "-./:,_#"


def _word(text: str, start: int, end: int) -> bool:
    """Not a part of a longer word."""
    return not (_wordlike(text, start - 1) or _wordlike(text, end))


def _number(text: str, start: int, end: int) -> bool:
    """Not a part of a longer word or number: `1-555-0100` is no end of `12-1-555-0100`."""
    if not _word(text, start, end):
        return False
    before = text[start - 1 : start]
    if (
        before
        and before in _JOINS
        and _wordlike(text, start - 2)
        and not (before in ":,#" and not _digit(text, start - 2))
    ):
        return False
    after = text[end : end + 1]
    return not (after and after in "-./:_" and _digit(text, end + 1))


def _group(text: str, start: int, end: int) -> bool:
    """Not a part of a number in groups: `4111 1111 1111` is no end of `4111 1111 1111 1111`."""
    if not _number(text, start, end):
        return False
    more_after = text[end : end + 1] == " " and _digit(text, end + 1)
    return not (more_after or (text[start - 1 : start] == " " and _digit(text, start - 2)))


def _token(text: str, start: int, end: int) -> bool:
    """Not a part of a longer run of letters and digits; an escaped line end (`\\n`) before it is no letter."""
    before = _ascii_word(text, start - 1) and text[max(start - 2, 0) : start - 1] != "\\"
    return not (before or _ascii_word(text, end))


def _email(text: str, start: int, end: int) -> bool:
    return not (_ascii_word(text, start - 1) or text[end : end + 1] == "@" or text[start - 1 : start] == "@")


def _ipv6(text: str, start: int, end: int) -> bool:
    return not (
        _wordlike(text, start - 1)
        or _wordlike(text, end)
        or text[start - 1 : start] == ":"
        or text[end : end + 1] == ":"
    )


def _wordlike(text: str, at: int) -> bool:
    return 0 <= at < len(text) and (text[at].isalnum() or text[at] == "_") and not "\u2e80" <= text[at] <= "\uffdc"


def _ascii_word(text: str, at: int) -> bool:
    return 0 <= at < len(text) and text[at].isascii() and (text[at].isalnum() or text[at] == "_")


def _digit(text: str, at: int) -> bool:
    return 0 <= at < len(text) and "0" <= text[at] <= "9"


BOUNDARIES: Mapping[str, Boundary] = MappingProxyType(
    {"word": _word, "number": _number, "group": _group, "token": _token, "email": _email, "ipv6": _ipv6}
)

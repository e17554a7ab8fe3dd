"""Telephone numbers: which digits in which form are one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

__all__ = ["PHONES"]

# The calling codes that ITU-T E.164 assigns, by length.
_CODES = frozenset(
    re.findall(
        r"\S+",
        """
    1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84
    86 90 91 92 93 94 95 98 211 212 213 216 218 880 886 888
    """,
    )
) | frozenset(
    str(code)
    for first, last in (
        (220, 269),
        (290, 299),
        (350, 389),
        (420, 423),
        (500, 509),
        (590, 599),
        (670, 692),
        (850, 859),
        (960, 998),
    )
    for code in range(first, last + 1)
)
_DATE = re.compile(r"^(?:(?:19|20)\d\d[-./ ]\d\d?[-./ ]\d\d?|\d\d?[-./ ]\d\d?[-./ ](?:19|20)\d\d)(?:\D|$)")


def _bare(value: str) -> str:
    value = re.split(r" ?(?:x|ext)", value, maxsplit=1)[0]
    return "".join(char for char in value if "0" <= char <= "9")


def _known_code(digits: str) -> bool:
    return any(digits[:size] in _CODES for size in (1, 2, 3))


def _plus(value: str) -> bool:
    digits = _bare(value)
    return (
        8 <= len(digits) <= 15 and _known_code(digits) and _balanced(value) and not re.search(r"^\+\d+\.\d{5,}$", value)
    )


def _double_zero(value: str) -> bool:
    digits = _bare(value)
    return 10 <= len(digits) <= 17 and _known_code(digits[2:]) and _balanced(value)


def _nanp(value: str) -> bool:
    digits = _bare(value)[-10:]
    return len(digits) == 10 and digits[0] not in "01"


def _national(value: str) -> bool:
    """An area code in parentheses."""
    digits = _bare(value)
    return 8 <= len(digits) <= 12 and not _DATE.match(value.lstrip("("))


def _trunk(value: str) -> bool:
    """A number from its trunk zero, with one sort of separator after the area code."""
    digits = _bare(value)
    separators = re.findall(r"[ ./-]", value)
    return 9 <= len(digits) <= 12 and len(set(separators[1:] or separators)) == 1 and not _DATE.match(value)


def _any(value: str) -> bool:
    """After a word that announces a number."""
    digits = _bare(value)
    if not 7 <= len(digits) <= 15 or len(set(digits)) < 2 or _DATE.match(value) or not _balanced(value):
        return False
    octets = value.split(".")
    return not (len(octets) == 4 and all(part.isdigit() and len(part) <= 3 and int(part) < 256 for part in octets))


def _balanced(value: str) -> bool:
    return value.count("(") == value.count(")")


PHONES: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {
        "phone_plus": _plus,
        "phone_00": _double_zero,
        "phone_nanp": _nanp,
        "phone_national": _national,
        "phone_trunk": _trunk,
        "phone_any": _any,
    }
)

"""Checks on a matched value: check digits, entropy, forms that a pattern cannot tell.

A validator takes the value and the rule's `min`, and returns how many of its characters are the find; 0 is no find.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType

from genops.core.redaction.national import NATIONAL, digits_of, luhn_ok
from genops.core.redaction.phones import PHONES

__all__ = ["VALIDATORS", "Validator", "entropy_of"]

Validator = Callable[[str, float], int]

_IBAN_LENGTHS = {
    country: int(length)
    for country, length in re.findall(
        r"([A-Z]{2})(\d\d)",
        "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27"
        "GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22"
        "MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28"
        "TL23TN24TR26UA29VA22VG24XK20YE30",
    )
}
_FILES = frozenset(
    re.findall(
        r"\S+",
        """
    png jpg jpeg gif svg webp css js ts tsx jsx py go rs java md json yaml yml html htm xml txt csv pdf mp4 mp3 so
    dll exe zip gz lock toml ini cfg conf local service target timer sock
    """,
    )
)
_PLACEHOLDER = re.compile(
    r"(?i)(?:^|[^a-z])(?:example|placeholder|changeme|change[_-]?me|redacted|undefined|null|none|insert|replace|dummy)|"
    r"x{5,}|\*{3,}|\.{3}|your[_-]|my[_-](?:api|secret|token|key)|^<|^\$|^\[|%s|\{\{|0123456789|abcdefghij|(?i:1234567890$)"
)
_CODE = re.compile(
    r"^(?:[A-Za-z_]\w*(?:(?:\.|->|::|/|-|:)[A-Za-z_]\w*)*\.?|[A-Za-z_.]+\(.*|(?:https?|wss?|ftp|file|git|arn):.*|[./~].*|"
    r"\d+(?:[.:/-]\d+)*|v?\d+\.\d+.*|[A-Za-z]+[a-z]/[\w./-]*)$"
)
_TWO_WORDS = re.compile(r" [a-z]{4} [a-z]{4}\b")  # what a stream takes for a gap, see streams.py
_NOT_RANDOM = re.compile(
    r"==.|\d\.\d+\.\d|=[a-z]+$|^[\w-]+(?:\.[\w-]+)+\.[a-z]{2,6}(?::\d+)?$|^(?:[a-z]+\d?-)+\d+$|-\d+\.\d+$"
)
_TRIVIAL = frozenset(
    re.findall(
        r"\S+",
        """
    password pass passwd pwd secret token test user username key pw
    """,
    )
)
_UUID = re.compile(r"(?i)^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def entropy_of(value: str) -> float:
    """Bits per character, by how often each one occurs in `value`."""
    size = len(value)
    return -sum(count / size * math.log2(count / size) for count in Counter(value).values()) if size else 0.0


def _email(value: str, _: float) -> int:
    local, _at, domain = value.partition("@")
    labels = domain.rstrip("-").split(".")
    while labels and not re.fullmatch(r"[A-Za-z]{2,24}|xn--[0-9A-Za-z-]{2,59}", labels[-1]):
        labels.pop()
    if len(labels) < 2 or labels[-1].lower() in _FILES or local == "git" or len(local) > 64:
        return 0
    if ".." in local or local.endswith(".") or any(label.startswith("-") or label.endswith("-") for label in labels):
        return 0
    return len(local) + 1 + len(".".join(labels))


def _card(value: str, _: float) -> int:
    digits = digits_of(value)
    return len(value) if _issued(digits) and luhn_ok(digits) and len(set(digits)) > 1 else 0


def _issued(digits: str) -> bool:
    size, two, three, four = len(digits), int(digits[:2]), int(digits[:3]), int(digits[:4])
    if digits[0] == "4":
        return size in (16, 19)
    if 51 <= two <= 55 or 2221 <= four <= 2720 or 2200 <= four <= 2204 or two == 35:
        return size == 16
    if two in (34, 37) or four in (1800, 2131):
        return size == 15
    if two in (36, 38, 39) or 300 <= three <= 305:
        return size in (14, 16)
    return (
        four == 6011 or two in (62, 65, 60, 81, 82) or 644 <= three <= 649 or two in (50, 56, 57, 58, 67, 63)
    ) and size in (16, 19)


def _luhn(value: str, _: float) -> int:
    digits = digits_of(value)
    return len(value) if luhn_ok(digits) and len(set(digits)) > 2 else 0


def _iban(value: str, _: float) -> int:
    return _iban_of(value, _IBAN_LENGTHS.get(value[:2].upper(), 0))


def _iban_announced(value: str, _: float) -> int:
    """After the word: of any length, if the check digits are right."""
    return _iban_of(value, sum(char.isalnum() for char in value))


def _iban_of(value: str, wanted: int) -> int:
    kept = "".join(char for char in value if char.isalnum())[:wanted].upper()
    if not wanted or len(kept) < wanted:
        return 0
    if int("".join(str(int(char, 36)) for char in kept[4:] + kept[:4])) % 97 != 1:
        return 0
    seen = 0
    for at, char in enumerate(value):
        seen += char.isalnum()
        if seen == wanted:
            return 0 if _TWO_WORDS.search(value, 0, at + 1) else at + 1
    return 0


def _ipv4(value: str, _: float) -> int:
    parts = value.split(".")
    if any(int(part) > 255 or (part[0] == "0" and part != "0") for part in parts):
        return 0
    if parts[0] in ("0", "127", "255") or all(len(part) == 1 for part in parts):
        return 0
    return len(value)


def _ipv6(value: str, _: float) -> int:
    kept = value.rstrip(".")
    if kept.endswith(":") and not kept.endswith("::"):
        kept = kept[:-1]
    try:
        ipaddress.IPv6Address(kept)
    except ValueError:
        return 0
    groups = [group for group in kept.split(":") if group]
    return len(kept) if len(groups) >= 3 and any(char.isdigit() for char in kept) else 0


def _jwt(value: str, _: float) -> int:
    head = value.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, RecursionError):
        return 0
    return len(value) if isinstance(header, dict) and ("alg" in header or "typ" in header) else 0


def _jwt_base64(value: str, _: float) -> int:
    """A token that was encoded once more, as in a Kubernetes secret."""
    try:
        plain = base64.b64decode(value[: len(value) // 4 * 4])
    except (ValueError, binascii.Error):
        return 0
    return len(value) if plain.startswith(b"eyJ") and b"." in plain else 0


def _entropy(value: str, minimum: float) -> int:
    return len(value) if entropy_of(value) >= minimum and not _placeholder(value) else 0


def _key(value: str, minimum: float) -> int:
    """A vendor's key: random, with digits in it."""
    mixed = any(char.isdigit() for char in value[4:]) or re.search(r"[a-z][A-Z]", value[4:]) is not None
    return _entropy(value, minimum) if mixed else 0


def _mixed(value: str, _: float) -> int:
    several = any(c.isdigit() for c in value[2:]) and any(c.isalpha() for c in value[2:])
    return len(value) if several and entropy_of(value) >= 3.2 else 0


def _aws_key(value: str, _: float) -> int:
    return len(value) if entropy_of(value) >= 2.5 and not value.endswith("EXAMPLE") else 0


def _placeholder(value: str) -> bool:
    return _PLACEHOLDER.search(value) is not None


def _assigned(value: str, minimum: float) -> int:
    """A value given to something called key, token or secret: random, and neither a name nor a place."""
    kept = value.rstrip(".:,!|")
    if len(kept) < 10 or entropy_of(kept) < minimum or _placeholder(kept):
        return 0
    if not any(char.isdigit() for char in kept) and not (len(kept) >= 20 and _scrambled(kept)):
        return 0
    if _UUID.match(kept):
        return len(kept)
    if _NOT_RANDOM.search(kept) or (_CODE.match(kept) and not _scrambled(kept)):
        return 0
    return len(kept)


def _scrambled(value: str) -> bool:
    """Letters, cases and digits in turns, as in a key, and unlike `user_id_2`, `sha256sum` or `getUserToken`."""
    turns = len(re.findall(r"[A-Za-z](?=[0-9])|[0-9](?=[A-Za-z])", value))
    if turns >= 3 and turns * 8 >= len(value) - 8:
        return True
    turns += len(re.findall(r"[a-z](?=[A-Z])|[A-Z](?=[A-Z])", value))
    return any(char.islower() for char in value) and turns >= 5 and turns * 10 >= len(value) * 3


def _password(value: str, _: float) -> int:
    kept = value.rstrip(".,:?|") if not value.endswith("!") else value
    if len(kept) < 6 or _placeholder(kept) or len(set(kept)) < 4:
        return 0
    if re.match(r"^[A-Za-z_]\w*(?:\.|->|::)\w|^[A-Za-z_.]+\(|^https?:|^/|^\$|^%\w|^&|^--?\w", kept):
        return 0
    classes = sum(
        re.search(pattern, kept) is not None for pattern in (r"[a-z]", r"[A-Z]", r"[0-9]", r"[^0-9A-Za-z_.,:;/()'-]")
    )
    if classes < 2 or (not re.search(r"[0-9]|[^0-9A-Za-z_.,:;/()'-]", kept)):
        return 0
    return len(kept)


def _url_password(value: str, _: float) -> int:
    """A password in a place that holds nothing else, so that a weak one counts too; variables and samples do not."""
    if _placeholder(value) or value.lower() in _TRIVIAL or value[0] in "${%<" or len(set(value)) < 2:
        return 0
    return len(value)


def _basic_auth(value: str, _: float) -> int:
    try:
        plain = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (ValueError, binascii.Error):
        return 0
    return len(value) if b":" in plain and all(32 <= byte < 127 or byte >= 128 for byte in plain) else 0


VALIDATORS: Mapping[str, Validator] = MappingProxyType(
    {
        "email": _email,
        "card": _card,
        "luhn": _luhn,
        "iban": _iban,
        "iban_announced": _iban_announced,
        "ipv4": _ipv4,
        "ipv6": _ipv6,
        "jwt": _jwt,
        "entropy": _entropy,
        "key": _key,
        "jwt_base64": _jwt_base64,
        "mixed": _mixed,
        "aws_key": _aws_key,
        "assigned": _assigned,
        "password": _password,
        "url_password": _url_password,
        "basic_auth": _basic_auth,
    }
    | {name: (lambda value, _, check=check: len(value) if check(value) else 0) for name, check in NATIONAL.items()}
    | {name: (lambda value, _, check=check: len(value) if check(value) else 0) for name, check in PHONES.items()}
)

"""Check digits of national identity, tax and social security numbers.

Source: the issuing authorities' published algorithms; one generated and one known number of each is in the vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from types import MappingProxyType

__all__ = ["NATIONAL", "digits_of", "luhn_ok"]


def digits_of(value: str) -> str:
    """The ASCII digits of `value`."""
    return "".join(char for char in value if "0" <= char <= "9")


def luhn_ok(digits: str) -> bool:
    """ISO/IEC 7812 check digit."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        number = int(char) * (1 + place % 2)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def _weighted(digits: str, weights: Sequence[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def _varied(digits: str) -> bool:
    return len(set(digits)) > 1


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _short_date(yy: str, mm: str, dd: str) -> bool:
    return _is_date(2000 + int(yy), int(mm), int(dd)) or _is_date(1900 + int(yy) or 1900, int(mm), int(dd))


def _ssn(value: str) -> bool:
    digits = digits_of(value)
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    if group == "00" or serial == "0000" or area in ("000", "666") or not _varied(digits):
        return False
    return area[0] != "9" or 50 <= int(group) <= 99  # 9xx is a taxpayer number, whose group starts at 50


def _nino(value: str) -> bool:
    return value[:2].upper() not in ("BG", "GB", "NK", "KN", "TN", "NT")


def _nhs(value: str) -> bool:
    digits = digits_of(value)
    return (11 - _weighted(digits, range(10, 1, -1)) % 11) % 11 == int(digits[9])


def _steuer_id(value: str) -> bool:
    digits, product = digits_of(value), 10
    for digit in digits[:10]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    repeated = max(digits[:10].count(digit) for digit in set(digits[:10]))
    return (11 - product) % 10 == int(digits[10]) and repeated in (2, 3)


def _insee(value: str) -> bool:
    plain = value.replace(" ", "").upper()
    number = plain[:13].replace("2A", "19").replace("2B", "18") if plain[5:7] in ("2A", "2B") else plain[:13]
    return number.isdigit() and 97 - int(number) % 97 == int(plain[13:])


def _dni(value: str) -> bool:
    plain = "".join(char for char in value.upper() if char.isalnum())
    number = plain[:-1].translate(str.maketrans("XYZ", "012"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == plain[-1]


_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)


def _codice_fiscale(value: str) -> bool:
    total = 0
    for place, char in enumerate(value.upper()[:15]):
        number = int(char) if char.isdigit() else ord(char) - 65
        total += number if place % 2 else _ODD[number]
    return chr(65 + total % 26) == value[15].upper()


def _bsn(value: str) -> bool:
    digits = digits_of(value).zfill(9)
    return len(digits) == 9 and _weighted(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0 and _varied(digits)


def _pesel(value: str) -> bool:
    return _weighted(value, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0 and _short_date(
        value[:2], str(int(value[2:4]) % 20), value[4:6]
    )


def _be_number(value: str) -> bool:
    digits = digits_of(value)
    return int(digits[9:]) in (97 - int(digits[:9]) % 97, 97 - int("2" + digits[:9]) % 97)


def _personnummer(value: str) -> bool:
    digits = digits_of(value)[-10:]
    day = int(digits[4:6])
    return luhn_ok(digits) and _short_date(digits[:2], digits[2:4], str(day - 60 if day > 60 else day))


def _hetu(value: str) -> bool:
    right = "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(value[:6] + value[7:10]) % 31] == value[10]
    return right and _short_date(value[4:6], value[2:4], value[:2])


def _fodselsnummer(value: str) -> bool:
    digits = digits_of(value)
    first = _weighted(digits, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11
    return first == 0 and _weighted(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def _date_ddmmyy(value: str) -> bool:
    return _short_date(value[4:6], value[2:4], value[:2])


def _ahv(value: str) -> bool:
    return _weighted(digits_of(value), (1, 3) * 6 + (1,)) % 10 == 0


def _nif(value: str) -> bool:
    digits = digits_of(value)
    rest = _weighted(digits, range(9, 1, -1)) % 11
    return int(digits[8]) == (0 if rest < 2 else 11 - rest)


def _mod11_pair(digits: str, weights: Sequence[int]) -> bool:
    """The two check digits of Brazil: the second is over the first too."""
    size = len(digits)
    for place in (size - 2, size - 1):
        rest = _weighted(digits[:place], weights[len(weights) - place :]) % 11
        if int(digits[place]) != (0 if rest < 2 else 11 - rest):
            return False
    return _varied(digits)


def _cpf(value: str) -> bool:
    return _mod11_pair(digits_of(value), range(11, 1, -1))


def _cnpj(value: str) -> bool:
    return _mod11_pair(digits_of(value), (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2))


_DIHEDRAL = (
    *("0123456789", "1234067895", "2340178956", "3401289567", "4012395678"),
    *("5987604321", "6598710432", "7659821043", "8765932104", "9876543210"),
)
_TURNS = (
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)


def _aadhaar(value: str) -> bool:
    check = 0
    for place, digit in enumerate(reversed(digits_of(value))):
        check = int(_DIHEDRAL[check][int(_TURNS[place % 8][int(digit)])])
    return check == 0


def _sin(value: str) -> bool:
    return luhn_ok(digits_of(value)) and _varied(digits_of(value))


def _tfn(value: str) -> bool:
    digits = digits_of(value)
    weights = (1, 4, 3, 7, 5, 8, 6, 9, 10) if len(digits) == 9 else (10, 7, 8, 4, 6, 3, 5, 1)
    return _weighted(digits, weights) % 11 == 0 and _varied(digits)


def _medicare(value: str) -> bool:
    digits = digits_of(value)
    return _weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(digits[8])


def _rut(value: str) -> bool:
    digits = digits_of(value[:-1])
    rest = 11 - _weighted(digits[::-1], (2, 3, 4, 5, 6, 7) * 2) % 11
    return {10: "K", 11: "0"}.get(rest, str(rest)) == value[-1].upper()


def _resident_id(value: str) -> bool:
    rest = _weighted(value[:17], (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)) % 11
    return "10X98765432"[rest] == value[17].upper() and _is_date(int(value[6:10]), int(value[10:12]), int(value[12:14]))


def _rrn(value: str) -> bool:
    digits = digits_of(value)
    return (11 - _weighted(digits, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10 == int(digits[12])


def _nric(value: str) -> bool:
    total = _weighted(value[1:8], (2, 7, 6, 5, 4, 3, 2)) + (4 if value[0] in "TG" else 0)
    return ("JZIHGFEDCBA" if value[0] in "ST" else "XWUTRQPNMLK")[total % 11] == value[8]


def _za_id(value: str) -> bool:
    digits = digits_of(value)
    return luhn_ok(digits) and _short_date(digits[:2], digits[2:4], digits[4:6])


NATIONAL: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {
        "ssn": _ssn,
        "nino": _nino,
        "nhs": _nhs,
        "steuer_id": _steuer_id,
        "insee": _insee,
        "dni": _dni,
        "codice_fiscale": _codice_fiscale,
        "bsn": _bsn,
        "pesel": _pesel,
        "be_number": _be_number,
        "personnummer": _personnummer,
        "hetu": _hetu,
        "fodselsnummer": _fodselsnummer,
        "date_ddmmyy": _date_ddmmyy,
        "ahv": _ahv,
        "nif": _nif,
        "cpf": _cpf,
        "cnpj": _cnpj,
        "aadhaar": _aadhaar,
        "sin": _sin,
        "tfn": _tfn,
        "medicare": _medicare,
        "rut": _rut,
        "resident_id": _resident_id,
        "rrn": _rrn,
        "nric": _nric,
        "za_id": _za_id,
        "account": _varied,
    }
)

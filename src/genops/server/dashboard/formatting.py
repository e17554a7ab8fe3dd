"""How values are shown. Rounding happens here and nowhere before; what is exact stays on the element as its title."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

__all__ = [
    "ago",
    "aligned",
    "count",
    "duration",
    "exact",
    "in_code",
    "is_currency",
    "moment",
    "money",
    "percent",
    "places_for",
    "plain",
    "quantity",
    "shown",
    "tally",
]

_THOUSAND = 1000
_SCALES = ((1_000_000_000_000, "T"), (1_000_000_000, "B"), (1_000_000, "M"), (1_000, "k"))
_FEWEST, _MOST = 2, 8


def places_for(amounts: Iterable[Decimal | None]) -> int:
    """How many decimals a column of amounts is shown with: cents, or four digits of the largest where it is below 1."""
    largest = max((abs(each) for each in amounts if each is not None), default=Decimal(0))
    if largest == 0 or largest >= 1:
        return _FEWEST
    return min(_MOST, 3 - largest.adjusted())


def money(amount: Decimal, places: int | None = None, currency: str = "USD") -> str:
    """An amount for people: rounded half-even; what would round to nothing is shown as less than the least shown."""
    alone = places is None
    places = places_for([amount]) if places is None else places
    least = Decimal(1).scaleb(-places)
    sign = "-" if amount < 0 else ""
    symbol, after = ("$", "") if currency == "USD" else ("", f" {currency}")
    if amount != 0 and abs(amount) < least / 2:
        return f"{sign}<{symbol}{least:f}{after}"
    text = f"{abs(amount).quantize(least, rounding=ROUND_HALF_EVEN):,f}"
    if alone:  # zeros are for columns
        whole, _, decimals = text.partition(".")
        text = f"{whole}.{decimals.rstrip('0'):<0{_FEWEST}}"
    return f"{sign}{symbol}{text}{after}"


def exact(amount: Decimal, currency: str = "USD") -> str:
    """An amount with every digit that is known."""
    text = format(amount, "f")
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} {currency}"


def aligned(amount: Decimal, column: Iterable[Decimal]) -> str:
    """An exact amount with as many decimals as the longest of its column, so that points stand below each other."""
    places = max((_decimals(each) for each in column), default=0)
    return f"{amount:,.{max(_FEWEST, places)}f}"


def _decimals(amount: Decimal) -> int:
    exponent = amount.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def count(number: int | Decimal | None, *, full: bool = False) -> str:
    """A count: whole up to five digits, then with one decimal and a letter. None is an unknown one."""
    if number is None:
        return "–"
    size = abs(Decimal(number))
    if not full and size >= 100 * _THOUSAND:
        scale, letter = next((scale, letter) for scale, letter in _SCALES if size >= scale)
        return f"{Decimal(number) / scale:.1f}".removesuffix(".0") + letter
    return f"{number:,}"


def quantity(number: int | Decimal) -> str:
    """A quantity of a meter, whole where it is whole."""
    return f"{int(number):,}" if number == int(number) else f"{Decimal(number).normalize():,f}"


def tally(amount: Decimal, unit: str) -> str:
    """An amount of what a budget counts that is not money; without its unit if that is ""."""
    said = {"compute_seconds": "s", "concurrent": "in flight"}.get(unit, unit)
    return f"{count(amount.quantize(Decimal(1)) if amount >= 10 else round(amount, 1).normalize())} {said}".rstrip()


def percent(share: Decimal | float | None, places: int = 0) -> str:
    """A share of 1. What is not all is never shown as 100 %, what is not nothing never as 0 %."""
    if share is None:
        return "–"
    text = f"{share:.{places}%}"
    nothing, everything = f"{0:.{places}%}", f"{1:.{places}%}"
    least = Decimal(1).scaleb(-places)
    if text == nothing and share > 0:
        return f"<{least:f}%"
    if text == everything and share < 1:
        return f">{100 - least:f}%"
    return text


def duration(ms: float | None) -> str:
    """Milliseconds, as ms, seconds or minutes."""
    if ms is None:
        return "–"
    if ms < _THOUSAND:
        return f"{ms:.0f} ms" if ms >= 10 else f"{ms:.1f} ms"
    seconds = ms / _THOUSAND
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02} s" if rest else f"{minutes} min"


def moment(at: datetime | float | None, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A time in UTC."""
    if at is None:
        return "–"
    when = datetime.fromtimestamp(at, UTC) if isinstance(at, int | float) else at.astimezone(UTC)
    return when.strftime(form)


def ago(at: datetime | float | None, now: datetime) -> str:
    """How long ago, or how far ahead, in the one unit that matters."""
    if at is None:
        return "never"
    when = datetime.fromtimestamp(at, UTC) if isinstance(at, int | float) else at
    seconds = (now - when).total_seconds()
    for length, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if abs(seconds) >= length:
            said = f"{abs(seconds) / length:.0f} {name}"
            return f"{said} ago" if seconds > 0 else f"in {said}"
    return "just now" if seconds >= 0 else "in a moment"


def plain(value: Any) -> str:
    """A number for a machine: no exponent, no grouping."""
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def shown(value: Any, unit: str) -> str:
    """A value of a chart for people. `unit` is a currency, ms, % or calls; None is a gap."""
    if value is None:
        return "–"
    if is_currency(unit):
        return money(Decimal(value), currency=unit)
    if unit == "ms":
        return duration(float(value))
    if unit == "%":
        return percent(float(value), 1)
    return count(value) if isinstance(value, int) else f"{float(value):.3g}"


def is_currency(unit: str) -> bool:
    """Whether what a chart counts is money: an ISO 4217 code."""
    return len(unit) == 3 and unit.isalpha() and unit.isupper()


def in_code(text: str) -> list[tuple[bool, str]]:
    """What to type, in parts: whether each is code, and the part. Backticks mark code; without any, all of it is."""
    parts = [(bool(place % 2), part) for place, part in enumerate(text.split("`"))]
    return [each for each in parts if each[1]] if len(parts) > 1 else [(True, text)]

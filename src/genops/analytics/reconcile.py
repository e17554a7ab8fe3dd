"""Reconciliation: a provider's invoice beside the ledger, and why the two differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from genops.analytics.invoices import InvoiceLine, Kind, model_key
from genops.core.errors import ConfigurationError

__all__ = ["Booked", "Difference", "Reconciliation", "reconcile"]

_ZERO = Decimal(0)
_ALIKE = Decimal("0.005")  # two ratios of invoice to ledger within half a percent are one rate
_PLACES = Decimal("0.000000000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """What the ledger holds for one day, model and project, in USD."""

    day: date
    model: str | None
    project: str | None
    calls: int
    cost: Decimal
    unpriced: int = 0
    estimated: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One day, model and project on both sides; those that are not compared by are None. Amounts are in USD."""

    day: date | None
    model: str | None
    project: str | None
    invoiced: Decimal
    booked: Decimal
    calls: int
    cause: str | None  # None where the two agree within the tolerance
    why: str = ""

    @property
    def difference(self) -> Decimal:
        return self.invoiced - self.booked


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """An invoice beside the ledger. `rows` are all that was compared; credits, taxes and fees are beside it."""

    rows: tuple[Difference, ...]
    other: Mapping[str, Decimal]  # credit, tax, other -> USD
    unconverted: Mapping[str, Decimal]  # currency -> what could not be compared
    tolerance: Decimal

    @property
    def invoiced(self) -> Decimal:
        return sum((row.invoiced for row in self.rows), _ZERO)

    @property
    def booked(self) -> Decimal:
        return sum((row.booked for row in self.rows), _ZERO)

    @property
    def differing(self) -> tuple[Difference, ...]:
        return tuple(row for row in self.rows if row.cause is not None)

    @property
    def agrees(self) -> bool:
        """Whether every row agrees within the tolerance, and everything could be compared."""
        return not self.differing and not self.unconverted


@dataclass(slots=True)
class _Pair:
    model: str | None = None
    invoiced: Decimal = _ZERO
    booked: Decimal = _ZERO
    calls: int = 0
    unpriced: int = 0
    estimated: int = 0
    lines: int = 0


_Key = tuple[date | None, str, str | None]


def reconcile(
    invoice: Iterable[InvoiceLine],
    ledger: Iterable[Booked],
    *,
    by: tuple[str, ...] = ("day", "model"),
    tolerance: Decimal = Decimal("0.01"),
    least: Decimal = Decimal("0.01"),
    rates: Mapping[str, Decimal] | None = None,
) -> Reconciliation:
    """Compare an invoice with the ledger by `by`, some of day, model and project.

    Two amounts agree if they differ by no more than `tolerance` (0.01 is 1 %) of the invoiced one, or `least` USD.
    `rates` are USD for one of a currency. Raises `ConfigurationError` for something else to compare by.
    """
    for name in by:
        if name not in ("day", "model", "project"):
            raise ConfigurationError(f"an invoice cannot be compared by {name!r}.", fix="--by day,model,project")
    pairs: dict[_Key, _Pair] = {}
    other: dict[str, Decimal] = {}
    unconverted: dict[str, Decimal] = {}
    for line in invoice:
        rate = Decimal(1) if line.currency == "USD" else (rates or {}).get(line.currency)
        if rate is None:
            unconverted[line.currency] = unconverted.get(line.currency, _ZERO) + line.cost
        elif line.kind != Kind.USAGE:
            other[line.kind] = other.get(line.kind, _ZERO) + line.cost * rate
        else:
            pair = pairs.setdefault(_key(by, line.day, line.model, line.project), _Pair(line.model))
            pair.invoiced += line.cost * rate
            pair.lines += 1
    for booked in ledger:
        pair = pairs.setdefault(_key(by, booked.day, booked.model, booked.project), _Pair())
        pair.model = booked.model or pair.model
        pair.booked += booked.cost
        pair.calls += booked.calls
        pair.unpriced += booked.unpriced
        pair.estimated += booked.estimated
    judge = _Judge(pairs, tolerance, least)
    rows = tuple(
        judge.row(key, by) for key in sorted(pairs, key=lambda key: (key[0] or date.min, key[1], key[2] or ""))
    )
    return Reconciliation(rows=rows, other=other, unconverted=unconverted, tolerance=tolerance)


def _key(by: tuple[str, ...], day: date, model: str | None, project: str | None) -> _Key:
    return (
        day if "day" in by else None,
        model_key(model) if "model" in by else "",
        project if "project" in by else None,
    )


@dataclass(slots=True)
class _Judge:
    """Says of each pair whether it agrees and, if not, what is the likely cause."""

    pairs: Mapping[_Key, _Pair]
    tolerance: Decimal
    least: Decimal
    _ratios: dict[tuple[str, str | None], Decimal | None] = field(default_factory=dict)

    def row(self, key: _Key, by: tuple[str, ...]) -> Difference:
        pair = self.pairs[key]
        cause, why = (None, "") if self._agree(pair.invoiced, pair.booked) else self._cause(key, pair)
        return Difference(
            day=key[0],
            model=pair.model if "model" in by else None,
            project=key[2],
            invoiced=pair.invoiced,
            booked=pair.booked,
            calls=pair.calls,
            cause=cause,
            why=why,
        )

    def _agree(self, invoiced: Decimal, booked: Decimal) -> bool:
        return abs(invoiced - booked) <= max(self.least, abs(invoiced) * self.tolerance)

    def _cause(self, key: _Key, pair: _Pair) -> tuple[str, str]:
        more = pair.invoiced > pair.booked
        if not pair.calls:
            return "missing calls", "the ledger has none: calls that no adapter saw, or another ledger's"
        if not pair.lines:
            return "not invoiced", "the invoice has no line: another account's, billed later, or free there"
        ratio = self._ratio(key)
        if ratio is not None:
            percent = (ratio - 1) * 100
            return "rates", f"every day is {abs(percent):.1f} % {'above' if more else 'below'} the ledger's prices"
        if more and pair.unpriced:
            return "unpriced", f"{pair.unpriced} of {pair.calls} calls have no price in the ledger"
        if self._next_door(key, pair):
            return "day boundary", "with the neighbouring day it agrees: the two cut days at another hour"
        if pair.estimated:
            return "estimated usage", f"the usage of {pair.estimated} of {pair.calls} calls was estimated"
        if more:
            return "missing calls", "the invoice has more than the ledger: calls that no adapter saw"
        return "credits or rates", "the invoice has less than the ledger: credits inside its lines, or lower rates"

    def _ratio(self, key: _Key) -> Decimal | None:
        """The one ratio of invoice to ledger that all days of a model have, if there are three or more."""
        of_model = key[1:]
        if of_model not in self._ratios:
            pairs = [pair for (_, *rest), pair in self.pairs.items() if tuple(rest) == of_model and pair.booked > 0]
            ratios = [pair.invoiced / pair.booked for pair in pairs if pair.lines and not pair.unpriced]
            alike = len(ratios) >= 3 and max(ratios) - min(ratios) <= _ALIKE * max(ratios)
            found = sum(ratios, _ZERO) / len(ratios) if alike else None
            self._ratios[of_model] = found if found is not None and abs(found - 1) > self.tolerance else None
        return self._ratios[of_model]

    def _next_door(self, key: _Key, pair: _Pair) -> bool:
        day, model, project = key
        if day is None:
            return False
        for step in (-1, 1):
            other = self.pairs.get((day + timedelta(days=step), model, project))
            if other is not None and not self._agree(other.invoiced, other.booked):
                both = pair.invoiced + other.invoiced, pair.booked + other.booked
                if self._agree(*both):
                    return True
        return False

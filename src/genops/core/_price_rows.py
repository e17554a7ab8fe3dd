"""Rows of the price book: which one a model name means, which of its prices holds at a time, and what changes them."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

__all__ = [
    "FALLBACKS",
    "Meter",
    "Row",
    "changes_within_day",
    "factor_of",
    "fees_of",
    "find_model",
    "normalised",
    "price_in_force",
    "variant_in_force",
]

Row = Mapping[str, Any]
# Without a price of its own, a meter is billed as the next one here that has one. Never across lifetimes.
FALLBACKS = {
    "input_audio": ("input",),
    "input_image": ("input",),
    "input_video": ("input",),
    "cache_read": ("input",),
    "cache_read_audio": ("cache_read", "input"),
    "cache_read_image": ("cache_read", "input"),
    "cache_read_video": ("cache_read", "input"),
    "cache_write": ("input",),
    "output_audio": ("output",),
    "output_image": ("output",),
    "output_video": ("output",),
    "pages_annotated": ("pages",),
}
_OPERATORS = {">": operator.gt, ">=": operator.ge}


@dataclass(frozen=True, slots=True)
class Meter:
    """The price of one meter: `price` for `per` units, or that of the last tier whose threshold the input passes."""

    price: Decimal
    per: int
    tiers: tuple[tuple[str, int, Decimal], ...] = ()

    def price_at(self, input_tokens: int | Decimal) -> Decimal:
        price = self.price
        for comparison, threshold, tier_price in self.tiers:
            if _OPERATORS[comparison](input_tokens, threshold):
                price = tier_price
        return price


@lru_cache(maxsize=4096)
def normalised(model: str) -> str:
    """A model id without what gateways and clouds put around it; in lower case."""
    name = model.strip().lower()
    if name.startswith("arn:"):
        name = name.rpartition("/")[2] if "application-inference-profile" not in name else name
    name = re.sub(r"^(?:projects/[^/]+/locations/[^/]+/)?publishers/[^/]+/models/", "", name)
    name = name.removeprefix("models/")
    return re.sub(r"@(?=\d)", "-", name)


def find_model(models: Iterable[Row], model: str, owner: str) -> Row | None:
    """The row for `model`: the one of that id, else the first whose rule fits. Never a similar one.

    A fine-tuned model (`ft:`) is only ever priced by a row for fine-tuned ones.
    """
    name = normalised(model)
    names = [name]
    vendor, slash, bare = name.partition("/")
    if slash and owner.startswith(vendor):
        names.append(bare)
    candidates = [row for row in models if row["id"].startswith("ft:") is name.startswith("ft:")]
    for candidate in names:
        for row in candidates:
            if row["id"].lower() == candidate:
                return row
        for row in candidates:
            if _fits(row["match"], candidate):
                return row
    return None


def _fits(clause: Mapping[str, Any], name: str) -> bool:
    ((kind, value),) = clause.items()
    if kind == "or":
        return any(_fits(part, name) for part in value)
    if kind == "and":
        return all(_fits(part, name) for part in value)
    if kind == "not":
        return not _fits(value, name)
    if kind == "equals":
        return bool(name == value.lower())
    if kind == "starts_with":
        return name.startswith(value.lower())
    if kind == "ends_with":
        return name.endswith(value.lower())
    if kind == "contains":
        return value.lower() in name
    return re.search(value, name, re.IGNORECASE) is not None


def price_in_force(row: Row, at: datetime) -> Mapping[str, Meter]:
    """The meters of the last price whose condition holds at `at`."""
    for price in reversed(row["prices"]):
        if _holds(price.get("when"), at):
            return _meters(price["meters"])
    return _meters(row["prices"][0]["meters"])  # older than the oldest row: the oldest is all that is known


def changes_within_day(row: Row) -> bool:
    """Whether some price of the row holds for certain hours or weekdays only."""
    dated = (*row["prices"], *row.get("variants", ()))
    return any(not {"hours", "weekdays"}.isdisjoint(price.get("when") or ()) for price in dated)


def variant_in_force(row: Row, tier: str, at: datetime) -> Mapping[str, Meter] | None:
    """The meters a tier has of its own at `at`; None if the row knows no such tier."""
    oldest = None
    for variant in row.get("variants", ()):
        if tier in variant["for"].values():
            if _holds(variant.get("when"), at):
                return _meters(variant["meters"])
            oldest = variant
    return _meters(oldest["meters"]) if oldest is not None else None  # before it was first recorded


def _meters(meters: Mapping[str, Any]) -> Mapping[str, Meter]:
    return {
        name: Meter(
            Decimal(facts["price"]),
            facts["per"],
            tuple((comparison, threshold, Decimal(price)) for comparison, threshold, price in facts.get("tiers", ())),
        )
        for name, facts in meters.items()
    }


def _holds(when: Mapping[str, Any] | None, at: datetime) -> bool:
    if when is None:
        return True
    moment = at.astimezone(UTC)
    if "from" in when and moment.date() < date.fromisoformat(when["from"]):
        return False
    if "weekdays" in when and at.astimezone(ZoneInfo(when["timezone"])).weekday() not in when["weekdays"]:
        return False
    if "hours" in when:
        start, end = when["hours"]
        clock = moment.strftime("%H:%M")
        return bool(start <= clock < end) if start <= end else bool(clock >= start or clock < end)
    return True


def factor_of(facts: Mapping[str, Any], what: str, value: str, model: str) -> Decimal | None:
    """What a tier, a region or the like multiplies the prices of a model with; None for what changes nothing."""
    for kind, wanted, models, factor in facts.get("factors", ()):
        fits = value != wanted[1:] if wanted.startswith("!") else fnmatchcase(value, wanted)
        if kind == what and fits and fnmatchcase(model, models):
            return Decimal(factor)
    return None


def fees_of(owners: Iterable[Mapping[str, Any]], model: str) -> list[Any]:
    """The fees for one unit of a meter that providers ask of a model."""
    return [fee for facts in owners for fee in facts.get("fees", ()) if fnmatchcase(model, fee[0])]

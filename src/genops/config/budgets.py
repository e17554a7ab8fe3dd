"""The `budgets` and `rate_limits` keys of genops.yaml: from plain values to `Budget`s, or an error that says where."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from genops.config.files import Document
from genops.config.shapes import Amount, Choice, Count, ListOf, Names, Table, Text, Value
from genops.core._suggest import did_you_mean
from genops.core.budgets.model import (
    BUDGET_FIELDS,
    TAG,
    UNITS,
    Budget,
    BudgetMode,
    Estimator,
    OnStoreError,
    OnUnpriced,
    rate_limit,
)
from genops.core.budgets.units import CONCURRENT, REQUESTS, TOKENS, is_unit
from genops.core.budgets.windows import WEEKDAYS, Window, WindowKind
from genops.core.errors import ConfigurationError

__all__ = [
    "BUDGETS_SCHEMA",
    "RATE_LIMITS_SCHEMA",
    "BudgetSettings",
    "BudgetShape",
    "RateLimitShape",
    "budget_settings",
    "parse_budgets",
    "parse_rate_limits",
]

_CALENDAR = tuple(kind.value for kind in WindowKind if kind is not WindowKind.ROLLING)
_DURATION = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_RATE_UNITS = (REQUESTS, TOKENS, CONCURRENT)
_AMOUNT = re.compile(r"[0-9]+(\.[0-9]+)?")
_NOTHING = Document("genops.yaml", {})


@dataclass(frozen=True, slots=True)
class Match:
    """Fields of a call with patterns: {team: search, model: [gpt-4*, o3]}."""

    def read(self, value: Value) -> dict[str, tuple[str, ...]]:
        if not isinstance(value.given, Mapping):
            raise value.expected("fields with patterns", "{team: search}")
        for key in value.given:
            _check_field(value.child(key), str(key))
        return {key: Names("search", single=True).read(value.child(key)) for key in value.given}


@dataclass(frozen=True, slots=True)
class Fields:
    """A list of fields of a call; one alone needs no brackets."""

    def read(self, value: Value) -> tuple[str, ...]:
        names = Names("customer_id", single=True).read(value)
        for place, name in enumerate(names):
            _check_field(value.child(place) if isinstance(value.given, list | tuple) else value, name)
        return tuple(dict.fromkeys(names))


@dataclass(frozen=True, slots=True)
class Duration:
    """A whole number of seconds, minutes, hours or days: 90s, 30m, 24h, 7d. As seconds."""

    def read(self, value: Value) -> int:
        found = _DURATION.fullmatch(value.given) if isinstance(value.given, str) else None
        if found is None:
            raise value.expected("a length of time", "24h")
        return int(found[1]) * _SECONDS[found[2]]


@dataclass(frozen=True, slots=True)
class WindowShape:
    """A word (month), or what is peculiar: {every: month, time_zone: Europe/Berlin, anchor_day: 15}, {rolling: 24h}."""

    def read(self, value: Value) -> Window:
        if isinstance(value.given, str):
            return Window(kind=WindowKind(Choice(_CALENDAR).read(value)))
        given = _WINDOW.read(value)
        if ("every" in given) is ("rolling" in given):
            raise value.error(f"{value.name} has to say either every or rolling.", "window: month, or {rolling: 24h}")
        rolling = "rolling" in given
        misplaced = [key for key in given if (key in ("rolling", "buckets")) is not rolling]
        if misplaced:
            what = "a rolling window" if rolling else "a calendar window"
            raise value.child(misplaced[0]).error(
                f"{misplaced[0]} has no meaning for {what}.", f"remove {misplaced[0]}"
            )
        try:
            if rolling:
                length_s = given["rolling"]
                return Window(
                    kind=WindowKind.ROLLING, length_s=length_s, buckets=given.get("buckets", min(12, length_s))
                )
            return Window(kind=WindowKind(given.pop("every")), **given)
        except ConfigurationError as error:
            raise value.error(error.message, str(error.fix)) from error


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit that a budget may count in."""

    def read(self, value: Value) -> str:
        unit = Text("USD").read(value)
        if not is_unit(unit):
            hint = did_you_mean(unit, UNITS)
            raise value.error(
                f"{value.name} is {unit!r}, no unit.{hint}", f"use {', '.join(UNITS)} or another currency"
            )
        return unit


@dataclass(frozen=True, slots=True)
class Unpriced:
    """block, warn, or a flat amount in the budget's unit."""

    def read(self, value: Value) -> OnUnpriced | Decimal:
        given = value.given
        if not isinstance(given, bool) and isinstance(given, str | int | Decimal) and _AMOUNT.fullmatch(str(given)):
            return Decimal(str(given))
        if given not in tuple(OnUnpriced):
            hint = did_you_mean(given, OnUnpriced) if isinstance(given, str) else ""
            raise value.error(f"{value.name} is {given!r}.{hint}", 'use block, warn or a flat amount such as "0.05"')
        return OnUnpriced(given)


@dataclass(frozen=True, slots=True)
class BudgetShape:
    """One budget, with the place it is written at."""

    def read(self, value: Value) -> Budget:
        given = _BUDGET.read(value)
        kinds = {"mode": BudgetMode, "on_store_error": OnStoreError, "estimator": Estimator}
        given |= {key: kind(given[key]) for key, kind in kinds.items() if key in given}
        if given.get("unit") == CONCURRENT:
            given.setdefault("window", Window(kind=WindowKind.TOTAL))
        soft = given.get("mode") is BudgetMode.SOFT
        if soft:
            given.setdefault("on_store_error", OnStoreError.FAIL_OPEN)
        return Budget(source=value.place, **given)


@dataclass(frozen=True, slots=True)
class RateLimitShape:
    """One rate limit, with the place it is written at."""

    def read(self, value: Value) -> Budget:
        given = _RATE_LIMIT.read(value)
        name, limit, unit = given.pop("name"), given.pop("limit"), given.pop("unit", REQUESTS)
        per_s = given.pop("per", 60)
        if "on_store_error" in given:
            given["on_store_error"] = OnStoreError(given["on_store_error"])
        return rate_limit(name, limit, unit, per_s=per_s, source=value.place, **given)


def _check_field(value: Value, name: str) -> None:
    if name in BUDGET_FIELDS or (name.startswith(TAG) and name != TAG):
        return
    raise value.error(
        f"{name!r} is no field of a call.{did_you_mean(name, BUDGET_FIELDS)}",
        f"use {', '.join(BUDGET_FIELDS)} or tag.<key>",
    )


_WINDOW = Table(
    {
        "every": Choice(_CALENDAR),
        "time_zone": Text("Europe/Berlin"),
        "week_start": Choice(WEEKDAYS),
        "anchor_day": Count(1, 15),
        "rolling": Duration(),
        "buckets": Count(1, 24),
    }
)
_BUDGET = Table(
    {
        "name": Text("team-monthly"),
        "match": Match(),
        "group_by": Fields(),
        "unit": Unit(),
        "limit": Amount(),
        "window": WindowShape(),
        "mode": Choice(tuple(BudgetMode)),
        "thresholds": ListOf(Count(1, 80)),
        "on_store_error": Choice(tuple(OnStoreError)),
        "on_unpriced": Unpriced(),
        "estimator": Choice(tuple(Estimator)),
        "slice": Amount(),
    },
    required=("name", "limit"),
)
_RATE_LIMIT = Table(
    {
        "name": Text("calls-per-customer"),
        "match": Match(),
        "group_by": Fields(),
        "unit": Choice(_RATE_UNITS),
        "limit": Count(1, 60),
        "per": Duration(),
        "on_store_error": Choice((OnStoreError.FAIL_OPEN.value, OnStoreError.FAIL_CLOSED.value)),
    },
    required=("name", "limit"),
)

_STORE = Table(
    {
        "url": Text("redis://localhost:6379/0"),
        "namespace": Text("production"),
        "webhook": Text("https://hooks.example.com/budgets"),
    }
)


def parse_budgets(given: object, source: str | Document = "budgets") -> tuple[Budget, ...]:
    """Return the budgets that `given`, the value of the key `budgets`, says.

    `source` is what messages call the place, or the document with the lines. Raises `ConfigurationError`.
    """
    return _parse(given, "budgets", BudgetShape(), source)


def parse_rate_limits(given: object, source: str | Document = "rate_limits") -> tuple[Budget, ...]:
    """Return the rate limits that `given`, the value of the key `rate_limits`, says, as budgets with `rate`."""
    return _parse(given, "rate_limits", RateLimitShape(), source)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSettings:
    """What genops.yaml says of budgets. `budgets` has the rate limits, too; no `store` is the default file."""

    budgets: tuple[Budget, ...] = ()
    store: str | None = None
    namespace: str = "default"
    webhook: str | None = None  # where alerts are posted to


def budget_settings(document: Document, below: Document = _NOTHING) -> BudgetSettings:
    """Read the keys `budgets`, `rate_limits` and `budget_store` of a settings file. Raises `ConfigurationError`.

    What the file does not say is read from `below`, key by key.
    """

    def source(key: str) -> Document:
        return document if document.values.get(key) is not None else below

    budgets = parse_budgets(source("budgets").values.get("budgets") or [], source("budgets"))
    limits = parse_rate_limits(source("rate_limits").values.get("rate_limits") or [], source("rate_limits"))
    _refuse_repeated((*budgets, *limits))
    where = source("budget_store")
    store = _STORE.read(Value(where.values.get("budget_store"), where, ("budget_store",)))
    return BudgetSettings(
        budgets=(*budgets, *limits),
        store=store.get("url"),
        namespace=store.get("namespace", "default"),
        webhook=store.get("webhook"),
    )


def _parse(given: object, key: str, shape: Any, source: str | Document) -> tuple[Budget, ...]:
    document = source if isinstance(source, Document) else Document(source, {key: given})
    budgets = tuple(ListOf(shape).read(Value(given, document, (key,))))
    _refuse_repeated(budgets)
    return budgets


def _refuse_repeated(budgets: Sequence[Budget]) -> None:
    seen: dict[str, Budget] = {}
    for budget in budgets:
        if budget.name in seen:
            raise ConfigurationError(
                f"{budget.source}: budget {budget.name!r} is there already ({seen[budget.name].source}).",
                fix="give each budget a name of its own",
            )
        seen[budget.name] = budget


# -- for the published schema ------------------------------------------------------------------------------------------

_TEXT = {"type": "string", "minLength": 1}
_MONEY = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}]}
_DURATION_SCHEMA = {"type": "string", "pattern": "^[1-9][0-9]{0,8}[smhd]$"}
_NAMES = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}
_SCOPE: dict[str, Any] = {
    "name": _TEXT,
    "match": {
        "type": "object",
        "properties": dict.fromkeys(BUDGET_FIELDS, _NAMES),
        "patternProperties": {r"^tag\..+$": _NAMES},
        "additionalProperties": False,
    },
    "group_by": _NAMES,
}
_WINDOW_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"enum": list(_CALENDAR)},
        {
            "type": "object",
            "properties": {
                "every": {"enum": list(_CALENDAR)},
                "time_zone": _TEXT,
                "week_start": {"enum": list(WEEKDAYS)},
                "anchor_day": {"type": "integer", "minimum": 1, "maximum": 31},
            },
            "required": ["every"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {"rolling": _DURATION_SCHEMA, "buckets": {"type": "integer", "minimum": 1, "maximum": 100}},
            "required": ["rolling"],
            "additionalProperties": False,
        },
    ]
}
BUDGETS_SCHEMA: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            **_SCOPE,
            "unit": {"anyOf": [{"enum": list(UNITS)}, {"type": "string", "pattern": "^[A-Z]{3}$"}]},
            "limit": _MONEY,
            "window": _WINDOW_SCHEMA,
            "mode": {"enum": [mode.value for mode in BudgetMode]},
            "thresholds": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 1000}},
            "on_store_error": {"enum": [choice.value for choice in OnStoreError]},
            "on_unpriced": {"anyOf": [{"enum": [choice.value for choice in OnUnpriced]}, _MONEY]},
            "estimator": {"enum": [choice.value for choice in Estimator]},
            "slice": _MONEY,
        },
        "required": ["name", "limit"],
        "additionalProperties": False,
    },
}
RATE_LIMITS_SCHEMA: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            **_SCOPE,
            "unit": {"enum": list(_RATE_UNITS)},
            "limit": {"type": "integer", "minimum": 1},
            "per": _DURATION_SCHEMA,
            "on_store_error": {"enum": ["fail_open", "fail_closed"]},
        },
        "required": ["name", "limit"],
        "additionalProperties": False,
    },
}

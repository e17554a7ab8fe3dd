"""Budgets as values: what is limited, for whom, over which window, and what happens in each case of doubt."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum, StrEnum
from fnmatch import translate
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote

from genops.core._suggest import did_you_mean
from genops.core.attribution_values import ATTRIBUTION_FIELDS
from genops.core.budgets.units import COMPUTE_SECONDS, CONCURRENT, REQUESTS, TOKENS, as_counted, is_unit
from genops.core.budgets.windows import Window, WindowKind
from genops.core.errors import ConfigurationError

__all__ = [
    "BUDGET_FIELDS",
    "DEFAULT_THRESHOLDS",
    "TAG",
    "UNITS",
    "Budget",
    "BudgetMode",
    "Estimator",
    "Leg",
    "OnStoreError",
    "OnUnpriced",
    "State",
    "by_name",
    "counter_key",
    "matches",
    "parse_key",
    "rate_limit",
]

BUDGET_FIELDS = (*ATTRIBUTION_FIELDS, "provider", "model", "operation")
TAG = "tag."  # a tag of the user's own is the field tag.<key>
UNITS = ("USD", TOKENS, REQUESTS, COMPUTE_SECONDS, CONCURRENT)
DEFAULT_THRESHOLDS = (50, 80, 100)  # percent
_MOST_THRESHOLDS = 30  # bits of one mask


class BudgetMode(StrEnum):
    """What happens to a call that does not fit."""

    HARD = "hard"
    SOFT = "soft"


class OnStoreError(StrEnum):
    """What happens to a call while the budget store does not answer."""

    FAIL_CLOSED = "fail_closed"
    LOCAL_ALLOWANCE = "local_allowance"  # each process may go on with one slice
    FAIL_OPEN = "fail_open"


class OnUnpriced(StrEnum):
    """What happens to a call that has no known price under a budget of money; a flat amount is the third answer."""

    BLOCK = "block"
    WARN = "warn"


class Estimator(StrEnum):
    """What is reserved for a call."""

    STRICT = "strict"  # the most it can cost: never more is spent than the limit
    ADAPTIVE = "adaptive"  # what such calls cost as a rule: a little more may be spent
    FIT = "fit"  # the most, with the output limit of the request lowered to what still fits


class State(IntEnum):
    """Where a reservation stands. OPEN becomes one of the others; EXPIRED may still become SETTLED or RELEASED."""

    OPEN = 0
    SETTLED = 1
    RELEASED = 2
    EXPIRED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A limit in `unit` per `window`, for the calls that `match`, one for each value of the `group_by` fields.

    `match` maps a field to patterns (globs, compared without case): all fields must match, any pattern of a field will
    do. Fields are those of `BUDGET_FIELDS` and `tag.<key>`. `thresholds` are percentages of the limit. `rate` says that
    a call over the limit is to wait: it is answered with RATE_LIMITED.
    """

    name: str
    limit: Decimal
    unit: str = "USD"
    match: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    group_by: tuple[str, ...] = ()
    window: Window = field(default_factory=Window)
    mode: BudgetMode = BudgetMode.HARD
    thresholds: tuple[int, ...] = DEFAULT_THRESHOLDS
    on_store_error: OnStoreError = OnStoreError.FAIL_CLOSED
    on_unpriced: OnUnpriced | Decimal = OnUnpriced.BLOCK
    estimator: Estimator = Estimator.STRICT
    slice: Decimal | None = None
    rate: bool = False
    source: str = "code"  # where it is written, for messages: genops.yaml:14

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise self._error("has no name", "name: what-it-limits")
        for key in (*self.match, *self.group_by):
            if key not in BUDGET_FIELDS and not (key.startswith(TAG) and key != TAG):
                hint = did_you_mean(key, BUDGET_FIELDS)
                raise self._error(f"names the field {key!r}.{hint}", f"use {', '.join(BUDGET_FIELDS)} or tag.<key>")
        if not is_unit(self.unit):
            hint = did_you_mean(self.unit, UNITS)
            raise self._error(f"has the unit {self.unit!r}.{hint}", f"use {', '.join(UNITS)} or another currency")
        self._check_amounts()
        if not all(1 <= each <= 1000 for each in self.thresholds) or len(self.thresholds) > _MOST_THRESHOLDS:
            raise self._error(f"has the thresholds {self.thresholds}", "give percentages of the limit: [50, 80, 100]")
        if self.unit == CONCURRENT and self.window.kind is not WindowKind.TOTAL:
            raise self._error("counts calls in flight, which have no window", "leave the window out")
        object.__setattr__(self, "thresholds", tuple(sorted(set(self.thresholds))))

    def _check_amounts(self) -> None:
        flat = self.on_unpriced if isinstance(self.on_unpriced, Decimal) else Decimal(0)
        for amount in (self.limit, flat, self.slice or Decimal(0)):
            try:
                as_counted(amount, self.unit)
            except ConfigurationError as error:
                raise ConfigurationError(
                    f"{self.source}: budget {self.name!r}: {error.message}", fix=error.fix
                ) from error
        if self.slice is None:
            if self.on_store_error is OnStoreError.LOCAL_ALLOWANCE:
                raise self._error("has on_store_error: local_allowance and no slice", "slice: what one process may use")
            return
        if not 0 < self.slice <= self.limit:
            raise self._error(
                f"has a slice of {self.slice}; its limit is {self.limit}", "give more than 0 and at most the limit"
            )

    def _error(self, what: str, fix: str) -> ConfigurationError:
        return ConfigurationError(f"{self.source}: budget {self.name!r} {what.rstrip('.')}.", fix=fix)

    @property
    def hard(self) -> bool:
        return self.mode is BudgetMode.HARD


def rate_limit(name: str, limit: int, unit: str = REQUESTS, *, per_s: int = 60, **scope: object) -> Budget:
    """Return the limit of `limit` requests, tokens or calls in flight; `scope` is `match`, `group_by` and the like.

    The window rolls over `per_s` seconds, in twelfths (in seconds below 12); calls in flight have none.
    """
    window = Window(kind=WindowKind.TOTAL)
    if unit != CONCURRENT:
        window = Window(kind=WindowKind.ROLLING, length_s=per_s, buckets=min(12, per_s))
    options: dict[str, object] = {"thresholds": (), "on_store_error": OnStoreError.FAIL_OPEN, **scope}
    return Budget(name=name, limit=Decimal(limit), unit=unit, window=window, rate=True, **options)  # type: ignore[arg-type]  # the caller's, checked by the constructor


class Leg(NamedTuple):
    """One counter that a reservation stands on: one budget, one group, one window. Amounts are counted units.

    `also` are the keys of the older buckets of a rolling window. Legs are kept and used again; what a call takes from
    each is given beside them.
    """

    key: str
    unit: str
    limit: int
    hard: bool
    thresholds: tuple[int, ...]  # amounts at which an alert is given
    also: tuple[str, ...]
    end: int | None  # UTC seconds
    slice: int = 0  # what a process may lease at a time; 0: it asks the store for each call


def counter_key(budget: str, group: Mapping[str, str], series: str, start: int) -> str:
    """The name of a counter: `budget|field=value&...|series@start`, with what separates quoted inside the parts."""
    values = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in group.items())
    return f"{_quoted(budget)}|{values}|{series}@{start}"


def parse_key(key: str) -> tuple[str, dict[str, str], str, int]:
    """The budget, group, series and start that `counter_key` was given."""
    name, values, window = key.split("|")
    group = dict(part.split("=", 1) for part in values.split("&")) if values else {}
    series, _, start = window.partition("@")
    return unquote(name), {unquote(field): unquote(value) for field, value in group.items()}, series, int(start)


def _quoted(text: str) -> str:
    return quote(text, safe=" /:-_.~@+")


def matches(patterns: Mapping[str, tuple[str, ...]], value_of: Callable[[str], str | None]) -> bool:
    """Whether every field of `patterns` has a value that matches one of its globs."""
    for key, globs in patterns.items():
        value = value_of(key)
        if value is None or _matcher(globs)(value) is None:
            return False
    return True


@lru_cache(maxsize=1024)
def _matcher(globs: tuple[str, ...]) -> Callable[[str], object]:
    return re.compile("|".join(translate(glob) for glob in globs), re.IGNORECASE).match


def by_name(budgets: Iterable[Budget]) -> dict[str, Budget]:
    """Budgets by their names. Raises `ConfigurationError` for a name that is there twice."""
    found: dict[str, Budget] = {}
    for budget in budgets:
        if budget.name in found:
            raise ConfigurationError(
                f"{budget.source}: budget {budget.name!r} is there already ({found[budget.name].source}).",
                fix="give each budget a name of its own",
            )
        found[budget.name] = budget
    return found

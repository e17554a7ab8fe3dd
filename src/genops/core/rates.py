"""Rates: what a user pays instead of the list price: aliases, rates of their own, discounts, free models.

Source: the keys `model_aliases`, `custom_rates`, `discounts`, `free`, `provisioned` of spec/schema/genops.schema.json.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from typing import Any

from genops.core._suggest import did_you_mean
from genops.core.errors import ConfigurationError
from genops.core.usage import INPUT_METERS, METERS, OUTPUT_METERS

__all__ = ["Alias", "CustomRate", "Discount", "Rates"]

_KEYS = ("model_aliases", "custom_rates", "discounts", "free", "provisioned", "currency")
_TOKEN_METERS = INPUT_METERS + OUTPUT_METERS
_HOUR, _THOUSAND, _MILLION = 3600, 1000, 1_000_000


@dataclass(frozen=True, slots=True)
class Alias:
    """What a name of the user's stands for: a deployment, an inference profile."""

    model: str
    deployment_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where and when a rate holds; globs over provider and model, dates inclusive from and exclusive to."""

    provider: str = "*"
    model: str = "*"
    since: date | None = None
    until: date | None = None

    def covers(self, provider: str, models: Iterable[str | None], day: date) -> bool:
        """Whether a call on `day` is meant."""
        if not fnmatchcase(provider, self.provider):
            return False
        if (self.since is not None and day < self.since) or (self.until is not None and day >= self.until):
            return False
        return self.model == "*" or any(fnmatchcase(model.lower(), self.model.lower()) for model in models if model)


@dataclass(frozen=True, slots=True)
class CustomRate:
    """A price of the user's for some meters: `price` for `per` units."""

    scope: Scope
    meters: tuple[str, ...]
    price: Decimal
    per: int


@dataclass(frozen=True, slots=True)
class Discount:
    """A percentage off the list price."""

    scope: Scope
    percent: Decimal


@dataclass(frozen=True, slots=True)
class Rates:
    """Everything of the user's that changes a price. Empty is the list price."""

    aliases: Mapping[str, Alias]
    custom: tuple[CustomRate, ...] = ()
    discounts: tuple[Discount, ...] = ()
    free: tuple[Scope, ...] = ()
    provisioned: tuple[Scope, ...] = ()
    currency: str = "USD"

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Rates:
        """Read what `genops.yaml` says. Raises `ConfigurationError`, naming the entry and what to write."""
        for key in given:
            if key not in _KEYS:
                raise ConfigurationError(f"unknown key {key!r} among the prices.{did_you_mean(key, _KEYS)}")
        return cls(
            aliases={name: _alias(name, value) for name, value in (given.get("model_aliases") or {}).items()},
            custom=tuple(_custom(entry) for entry in given.get("custom_rates") or ()),
            discounts=tuple(_discount(entry) for entry in given.get("discounts") or ()),
            free=tuple(_named("free", entry) for entry in given.get("free") or ()),
            provisioned=tuple(_named("provisioned", entry) for entry in given.get("provisioned") or ()),
            currency=given.get("currency", "USD"),
        )

    def discount(self, provider: str, models: Iterable[str | None], day: date) -> Decimal:
        """What the first discount that covers a call leaves of an amount: 0.85 with 15 percent, 1 without one."""
        covering = (each.percent for each in self.discounts if each.scope.covers(provider, models, day))
        return (100 - next(covering, Decimal(0))) / 100

    def alias(self, provider: str, model: str | None) -> Alias | None:
        """What `model` stands for at `provider`, if it is a name of the user's."""
        return self.aliases.get(f"{provider}/{model}") if model is not None else None


def _alias(name: str, value: Any) -> Alias:
    if isinstance(value, str):
        value = {"model": value}
    if not isinstance(value, Mapping) or not isinstance(value.get("model"), str) or "/" not in name:
        raise ConfigurationError(
            f"model_aliases: {name!r} is not understood.",
            fix="write it as  azure.ai.openai/my-deployment: {model: gpt-4o-2024-11-20}",
        )
    _refuse_unknown("model_aliases", value, ("model", "deployment_type"))
    return Alias(value["model"], value.get("deployment_type"))


def _custom(entry: Any) -> CustomRate:
    scope, rest = _scope("custom_rates", entry, ("unit", "usd"))
    unit = rest.get("unit")
    meters, per = _unit(str(unit))
    return CustomRate(scope, meters, _amount("custom_rates", "usd", rest.get("usd")), per)


def _unit(unit: str) -> tuple[tuple[str, ...], int]:
    if unit == "resource_unit_1k_tokens" or unit == "1k_tokens":
        return _TOKEN_METERS, _THOUSAND
    if unit == "1m_tokens":
        return _TOKEN_METERS, _MILLION
    if unit == "compute_hour":
        return ("compute_seconds",), _HOUR
    for suffix, per in (("_1m_tokens", _MILLION), ("_1k_tokens", _THOUSAND), ("_per_million", _MILLION), ("", 1)):
        meter = unit.removesuffix(suffix) if suffix else unit
        if unit.endswith(suffix) and meter in METERS:
            return (meter,), per
    known = ["compute_hour", "1m_tokens", "resource_unit_1k_tokens", "input_1m_tokens", "output_1m_tokens", *METERS]
    raise ConfigurationError(
        f"custom_rates: unknown unit {unit!r}.{did_you_mean(unit, known)}",
        fix="use compute_hour, 1m_tokens, input_1m_tokens, output_1m_tokens, cache_read_1m_tokens, requests, ...",
    )


def _discount(entry: Any) -> Discount:
    scope, rest = _scope("discounts", entry, ("percent",))
    percent = _amount("discounts", "percent", rest.get("percent"))
    if not 0 <= percent <= 100:
        raise ConfigurationError(f"discounts: percent is {percent}.", fix="give a percentage from 0 to 100")
    return Discount(scope, percent)


def _named(where: str, entry: Any) -> Scope:
    if isinstance(entry, str):
        provider, slash, model = entry.partition("/")
        return Scope(provider=provider, model=model) if slash else Scope(model=entry)
    return _scope(where, entry, ())[0]


def _scope(where: str, entry: Any, others: tuple[str, ...]) -> tuple[Scope, Mapping[str, Any]]:
    if not isinstance(entry, Mapping):
        raise ConfigurationError(f"{where}: {entry!r} is not an entry.", fix="write it as  {provider: ..., model: ...}")
    _refuse_unknown(where, entry, ("provider", "model", "from", "to", *others))
    scope = Scope(
        provider=str(entry.get("provider", "*")),
        model=str(entry.get("model", "*")),
        since=_day(where, entry.get("from")),
        until=_day(where, entry.get("to")),
    )
    return scope, entry


def _refuse_unknown(where: str, entry: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in entry:
        if key not in known:
            raise ConfigurationError(
                f"{where}: unknown key {key!r}.{did_you_mean(str(key), known)}", fix=f"use {', '.join(known)}"
            )


def _day(where: str, value: Any) -> date | None:
    if value is None or isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ConfigurationError(f"{where}: {value!r} is no date.", fix="write it as 2026-11-23") from None


def _amount(where: str, key: str, value: Any) -> Decimal:
    try:
        amount = Decimal(str(value)) if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else None
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite() or amount < 0:
        raise ConfigurationError(f"{where}: {key} is {value!r}, expected an exact amount.", fix=f'{key}: "0.25"')
    return amount

"""FOCUS: the ledger as rows of the FinOps Open Cost and Usage Specification.

One row per price line of a period: a meter at one price, for one set of attributes. The rows of a currency add up to
the ledger exactly; ListUnitPrice x PricingQuantity is ListCost, ContractedUnitPrice x PricingQuantity ContractedCost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from genops.analytics.focus_columns import EXTENSIONS, FocusVersion, columns_of
from genops.core.ledger import LedgerEntry, Outcome
from genops.core.repricing import EXACT, LedgerPrices, PricedLine
from genops.core.usage import INPUT_METERS, METERS, OUTPUT_METERS

__all__ = ["FocusExport", "FocusPeriod"]

_ZERO = Decimal(0)
_TAGS = ("team", "project", "environment", "customer_id", "cost_center", "feature")
_VENDORS = {
    "openai": "OpenAI",
    "anthropic": "Anthropic",
    "aws.bedrock": "Amazon Web Services",
    "azure.ai.openai": "Microsoft",
    "gcp.gemini": "Google",
    "gcp.vertex_ai": "Google Cloud",
    "mistral_ai": "Mistral AI",
    "cohere": "Cohere",
    "groq": "Groq",
    "together_ai": "Together AI",
    "x_ai": "xAI",
    "deepseek": "DeepSeek",
    "perplexity": "Perplexity",
    "openrouter": "OpenRouter",
    "fireworks": "Fireworks AI",
    "huggingface": "Hugging Face",
    "ibm.watsonx.ai": "IBM",
    "ollama": "Ollama",
}
_SERVICES = {
    "aws.bedrock": "Amazon Bedrock",
    "azure.ai.openai": "Azure OpenAI",
    "gcp.gemini": "Gemini API",
    "gcp.vertex_ai": "Vertex AI",
    "ibm.watsonx.ai": "watsonx.ai",
}


class FocusPeriod(StrEnum):
    """How long the charge period of a row is. `call` writes the lines of each call by themselves."""

    HOUR = "hour"
    DAY = "day"
    CALL = "call"


class _Key(NamedTuple):
    """What the calls of one row have in common."""

    start: datetime
    currency: str
    provider: str
    model: str | None
    operation: str
    meter: str | None  # None: the call as a whole
    list_price: Decimal
    contract_price: Decimal
    service_tier: str | None
    processing: str | None
    region: str | None
    status: str | None
    price_data: str | None
    attributes: tuple[str | None, ...]
    tags: tuple[tuple[str, str], ...]
    call_id: str | None


@dataclass(slots=True)
class _Sums:
    calls: int = 0
    consumed: Decimal = _ZERO
    billed: Decimal = _ZERO

    def add(self, line: PricedLine) -> None:
        self.calls += 1
        self.consumed = EXACT.add(self.consumed, Decimal(line.quantity))
        self.billed = EXACT.add(self.billed, Decimal(line.billed))


class _Rest(NamedTuple):
    """Amounts by which the ledger's rounding at 12 places differs from its lines."""

    listed: Decimal
    cost: Decimal


@dataclass(slots=True)
class FocusExport:
    """Turns entries into rows, and counts what they rest on: read the counts when the rows are done."""

    version: FocusVersion
    prices: LedgerPrices
    period: FocusPeriod = FocusPeriod.DAY
    accounts: Mapping[str, str] = field(default_factory=dict)  # provider -> account id there
    rows: int = 0
    calls: int = 0
    blocked: int = 0
    total: dict[str, Decimal] = field(default_factory=dict)  # currency -> billed
    unpriced: dict[str, int] = field(default_factory=dict)  # model -> calls that no row is about

    def of(self, entries: Iterable[LedgerEntry]) -> Iterator[dict[str, Any]]:
        """The rows of `entries`, which come oldest first; no more than one period of them is held in memory."""
        groups: dict[_Key, _Sums] = {}
        rests: dict[_Key, _Rest] = {}
        now: datetime | None = None
        for entry in entries:
            if entry.outcome is Outcome.BLOCKED:
                self.blocked += 1
                continue
            self.calls += 1
            if entry.cost is None:
                model = _model(entry) or entry.operation
                self.unpriced[model] = self.unpriced.get(model, 0) + 1
                continue
            start = self._start(entry.started_at)
            if now is not None and start != now:
                yield from self._flush(groups, rests)
            now = start
            self._add(entry, start, groups, rests)
        yield from self._flush(groups, rests)

    def _start(self, moment: datetime) -> datetime:
        if self.period is FocusPeriod.CALL:
            return moment
        hour = moment.replace(minute=0, second=0, microsecond=0)
        return hour if self.period is FocusPeriod.HOUR else hour.replace(hour=0)

    def _add(self, entry: LedgerEntry, start: datetime, groups: dict[_Key, _Sums], rests: dict[_Key, _Rest]) -> None:
        assert entry.cost is not None  # of() left the others out
        listed, cost = (entry.list_cost if entry.list_cost is not None else entry.cost), entry.cost
        lines = self.prices.lines(entry)
        key = self._key(entry, start)
        for line in lines:
            of_line = key._replace(meter=line.meter, list_price=line.list_price, contract_price=line.contract_price)
            groups.setdefault(of_line, _Sums()).add(line)
            listed, cost = EXACT.subtract(listed, line.list_amount), EXACT.subtract(cost, line.contract_amount)
        if listed or cost:
            before = rests.get(key, _Rest(_ZERO, _ZERO))
            rests[key] = _Rest(EXACT.add(before.listed, listed), EXACT.add(before.cost, cost))

    def _key(self, entry: LedgerEntry, start: datetime) -> _Key:
        return _Key(
            start=start,
            currency=entry.currency,
            provider=entry.provider,
            model=_model(entry),
            operation=entry.operation,
            meter=None,
            list_price=_ZERO,
            contract_price=_ZERO,
            service_tier=entry.service_tier,
            processing="batch" if entry.operation_type == "batch" else None,
            region=entry.region,
            status=entry.cost_status,
            price_data=entry.price_data_version,
            attributes=tuple(getattr(entry, name) for name in _TAGS),
            tags=tuple(sorted(entry.tags.items())),
            call_id=entry.call_id if self.period is FocusPeriod.CALL else None,
        )

    def _flush(self, groups: dict[_Key, _Sums], rests: dict[_Key, _Rest]) -> Iterator[dict[str, Any]]:
        for key, sums in groups.items():
            yield self._row(key, _usage_columns(key, sums), sums.calls)
        for key, rest in rests.items():
            if rest.listed or rest.cost:
                yield self._row(key, _rounding_columns(rest), None)
        groups.clear()
        rests.clear()

    def _row(self, key: _Key, own: dict[str, Any], calls: int | None) -> dict[str, Any]:
        row = {**_common_columns(key, self.accounts), **own, "x_Calls": calls}
        start, end = _charge_period(key.start, self.period)
        row |= {"ChargePeriodStart": start, "ChargePeriodEnd": end}
        self.rows += 1
        self.total[key.currency] = EXACT.add(self.total.get(key.currency, _ZERO), row["BilledCost"])
        return {column: row.get(column) for column in columns_of(self.version)}


def _model(entry: LedgerEntry) -> str | None:
    return entry.priced_model or entry.response_model or entry.request_model


def _charge_period(start: datetime, period: FocusPeriod) -> tuple[datetime, datetime]:
    if period is FocusPeriod.DAY:
        return start, start + timedelta(days=1)
    if period is FocusPeriod.CALL:
        start = start.replace(microsecond=0)
        return start, start + timedelta(seconds=1)
    return start, start + timedelta(hours=1)


def _usage_columns(key: _Key, sums: _Sums) -> dict[str, Any]:
    listed, contracted = (EXACT.multiply(price, sums.billed) for price in (key.list_price, key.contract_price))
    unit = METERS.get(key.meter or "requests", "requests").title()
    sku = "/".join((key.provider, key.model or key.operation, key.meter or "call"))
    price = ":".join(part for part in (sku, key.service_tier, key.processing, key.region) if part)
    details = {"x_Model": key.model, "x_Meter": key.meter or "call", "x_ServiceTier": key.service_tier}
    details |= {"x_Processing": key.processing, "x_Region": key.region}
    return {
        "ChargeCategory": "Usage",
        "ChargeDescription": f"{key.meter or 'call'} of {key.model or key.operation}",
        "ConsumedQuantity": sums.consumed,
        "ConsumedUnit": unit,
        "PricingQuantity": sums.billed,
        "PricingUnit": unit,
        "PricingCategory": "Standard" if key.meter is not None else "Other",
        "ListUnitPrice": key.list_price,
        "ContractedUnitPrice": key.contract_price,
        "PricingCurrencyListUnitPrice": key.list_price,
        "PricingCurrencyContractedUnitPrice": key.contract_price,
        "SkuId": sku,
        "SkuMeter": key.meter or "call",
        "SkuPriceId": f"{price}@{key.list_price.normalize(EXACT):f}",
        "SkuPriceDetails": _json({name: value for name, value in details.items() if value is not None}),
        **_costs(listed, contracted),
        "x_TokenDirection": _direction(key.meter),
        "x_CacheAction": _cache_action(key.meter),
    }


def _rounding_columns(rest: _Rest) -> dict[str, Any]:
    return {
        "ChargeCategory": "Adjustment",
        "ChargeDescription": "rounding of the calls' amounts at 12 decimal places",
        **_costs(rest.listed, rest.cost),
    }


def _costs(listed: Decimal, cost: Decimal) -> dict[str, Decimal]:
    return {
        "ListCost": listed,
        "ContractedCost": cost,
        "EffectiveCost": cost,
        "BilledCost": cost,
        "PricingCurrencyEffectiveCost": cost,
    }


def _common_columns(key: _Key, accounts: Mapping[str, str]) -> dict[str, Any]:
    vendor = _VENDORS.get(key.provider, key.provider)
    account = accounts.get(key.provider, key.provider)
    attributes = {name: value for name, value in zip(_TAGS, key.attributes, strict=True) if value is not None}
    project = attributes.get("project")
    month = key.start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    resource = f"{key.provider}/{key.model}" if key.model else None
    tags = {**dict(key.tags), **attributes}
    return {
        "BillingAccountId": account,
        "BillingAccountName": account,
        "BillingAccountType": "Organization",
        "BillingCurrency": key.currency,
        "BillingPeriodStart": month,
        "BillingPeriodEnd": (month + timedelta(days=32)).replace(day=1),
        "ChargeFrequency": "Usage-Based",
        "HostProviderName": vendor,
        "InvoiceIssuerName": vendor,
        "PricingCurrency": key.currency,
        "ProviderName": vendor,
        "PublisherName": vendor,
        "RegionId": key.region,
        "RegionName": key.region,
        "ResourceId": resource,
        "ResourceName": key.model,
        "ResourceType": "Model" if resource else None,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": _SERVICES.get(key.provider, f"{vendor} API"),
        "ServiceProviderName": vendor,
        "ServiceSubcategory": "Generative AI",
        "SubAccountId": project,
        "SubAccountName": project,
        "SubAccountType": "Project" if project is not None else None,
        "Tags": _json(tags) if tags else None,
        **dict.fromkeys(EXTENSIONS),
        "x_CallId": key.call_id,
        "x_CostStatus": key.status,
        "x_Model": key.model,
        "x_PriceDataVersion": key.price_data,
        "x_Processing": key.processing,
        "x_ServiceTier": key.service_tier,
    }


def _direction(meter: str | None) -> str | None:
    if meter in INPUT_METERS:
        return "input"
    return "output" if meter in OUTPUT_METERS else None


def _cache_action(meter: str | None) -> str | None:
    action = (meter or "").removeprefix("cache_").partition("_")[0]
    return action if (meter or "").startswith("cache_") else None


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, sort_keys=True)

"""Invoices: what a provider says it charged, read from its own cost exports.

A format says which column holds what. Those of the known exports are below and in docs/guides/finance.md; any of them
can be overridden, and a file of another kind read, with column names of the user's.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from genops.core._suggest import did_you_mean
from genops.core.errors import ConfigurationError

__all__ = ["FIELDS", "FORMATS", "InvoiceFormat", "InvoiceLine", "Kind", "model_key", "read_invoice"]

FIELDS = ("date", "cost", "currency", "model", "project", "kind", "product")


class Kind:
    """What a line of an invoice is for."""

    USAGE, CREDIT, TAX, OTHER = "usage", "credit", "tax", "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """One charge: `cost` in `currency`, below 0 for a credit. `model` is the provider's word for it."""

    day: date
    cost: Decimal
    currency: str = "USD"
    model: str | None = None
    project: str | None = None
    kind: str = Kind.USAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceFormat:
    """How one kind of export is read. `columns` maps `FIELDS` to the names a column may have, the first that is there.

    `only` keeps the lines whose product holds this text; `providers` are those of the ledger it bills for.
    """

    name: str
    providers: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]
    marks: tuple[str, ...]  # columns that tell this export from others
    currency: str = "USD"
    only: str | None = None
    model_of: Callable[[str], str | None] = field(default=lambda text: text or None)


def _before_comma(text: str) -> str | None:
    """`gpt-4o-2024-08-06, cached input` is of gpt-4o-2024-08-06."""
    return text.partition(",")[0].strip() or None


FORMATS: Mapping[str, InvoiceFormat] = {
    mapping.name: mapping
    for mapping in (
        InvoiceFormat(
            name="openai",
            providers=("openai",),
            columns={
                "date": ("start_time_iso", "start_time", "date"),
                "cost": ("amount_value",),
                "currency": ("amount_currency",),
                "model": ("line_item",),
                "project": ("project_name", "project_id"),
            },
            marks=("amount_value", "line_item"),
            model_of=_before_comma,
        ),
        InvoiceFormat(
            name="anthropic",
            providers=("anthropic",),
            columns={
                "date": ("usage_date_utc",),
                "cost": ("cost_usd",),
                "model": ("model",),
                "project": ("workspace",),
                "kind": ("cost_type",),
            },
            marks=("usage_date_utc", "cost_usd"),
        ),
        InvoiceFormat(
            name="aws-cur",
            providers=("aws.bedrock",),
            columns={
                "date": ("line_item_usage_start_date", "lineItem/UsageStartDate"),
                "cost": ("line_item_unblended_cost", "lineItem/UnblendedCost"),
                "currency": ("line_item_currency_code", "lineItem/CurrencyCode"),
                "model": ("line_item_usage_type", "lineItem/UsageType"),
                "project": ("resource_tags_user_project", "resourceTags/user:project"),
                "kind": ("line_item_line_item_type", "lineItem/LineItemType"),
                "product": ("line_item_product_code", "lineItem/ProductCode"),
            },
            marks=("line_item_unblended_cost|lineItem/UnblendedCost",),
            only="bedrock",
        ),
        InvoiceFormat(
            name="focus",
            providers=(),
            columns={
                "date": ("ChargePeriodStart",),
                "cost": ("BilledCost",),
                "currency": ("BillingCurrency",),
                "model": ("x_Model", "ResourceName", "SkuId", "SkuMeter"),
                "project": ("SubAccountName",),
                "kind": ("ChargeCategory",),
            },
            marks=("ChargePeriodStart", "BilledCost"),
        ),
    )
}
_EXPLORER = InvoiceFormat(
    name="aws-cost-explorer", providers=("aws.bedrock",), columns={}, marks=(), only=None
)  # a column for each usage type or service: read by _explorer_lines
_KINDS = {
    Kind.CREDIT: ("credit", "refund", "discount", "adjustment"),
    Kind.TAX: ("tax",),
    Kind.OTHER: ("fee", "purchase", "support"),
}


def read_invoice(
    path: Path, mapping: str | None = None, columns: Mapping[str, str] | None = None
) -> tuple[InvoiceFormat, list[InvoiceLine]]:
    """The lines of a CSV file, and the mapping they were read with: the named one, else the one its columns fit.

    `columns` name the column of a field, in place of the mapping's. Raises `ConfigurationError` for a file that cannot
    be read, of a kind that is not known, and for a value that is no date or amount, with its line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}.", fix="name the file you exported"
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is no text in UTF-8.", fix="export it as CSV, not as a spreadsheet") from None
    rows = list(csv.reader(text.splitlines()))
    if len(rows) < 2:
        raise ConfigurationError(f"{path} has no lines.", fix="export it again, for a month with usage")
    head = [name.strip() for name in rows[0]]
    if mapping in (None, _EXPLORER.name) and not columns and _is_explorer(head):
        return _EXPLORER, list(_explorer_lines(path, head, rows[1:]))
    found = find_format(path, head, mapping, columns or {})
    return found, list(_lines(path, found, head, rows[1:]))


def find_format(path: Path, head: list[str], name: str | None, columns: Mapping[str, str]) -> InvoiceFormat:
    """The mapping for a file with these columns, with the user's laid over it."""
    for key, column in columns.items():
        if key not in FIELDS:
            raise ConfigurationError(
                f"there is no field {key!r}.{did_you_mean(key, FIELDS)}", fix=f"use {', '.join(FIELDS)}"
            )
        if column not in head:
            raise ConfigurationError(
                f"{path} has no column {column!r}.{did_you_mean(column, head)}", fix=f"it has {', '.join(head)}"
            )
    if name is not None:
        if name not in FORMATS:
            raise ConfigurationError(
                f"there is no mapping {name!r}.{did_you_mean(name, FORMATS)}", fix=f"use {', '.join(FORMATS)}"
            )
        base = FORMATS[name]
    else:
        base = next(
            (each for each in FORMATS.values() if _fits(each, head)),
            InvoiceFormat(name="own", providers=(), columns={}, marks=()),
        )
    found = replace(base, columns={**base.columns, **{key: (column,) for key, column in columns.items()}})
    missing = [key for key in ("date", "cost") if _column(found, key, head) is None]
    if missing:
        raise ConfigurationError(
            f"{path}: no column is known to hold the {' and the '.join(missing)}; it has {', '.join(head)}.",
            fix="name them: --map date=COLUMN --map cost=COLUMN",
        )
    return found


def _fits(mapping: InvoiceFormat, head: list[str]) -> bool:
    return all(any(name in head for name in mark.split("|")) for mark in mapping.marks)


def _column(mapping: InvoiceFormat, key: str, head: list[str]) -> int | None:
    return next((head.index(name) for name in mapping.columns.get(key, ()) if name in head), None)


def _lines(path: Path, mapping: InvoiceFormat, head: list[str], rows: list[list[str]]) -> Iterator[InvoiceLine]:
    places = {key: _column(mapping, key, head) for key in FIELDS}

    def value(row: list[str], key: str) -> str:
        place = places[key]
        return row[place].strip() if place is not None and place < len(row) else ""

    for number, row in enumerate(rows, 2):
        if not value(row, "cost") or (mapping.only and mapping.only not in value(row, "product").lower()):
            continue
        yield InvoiceLine(
            day=_day(path, number, value(row, "date")),
            cost=_amount(path, number, value(row, "cost")),
            currency=(value(row, "currency") or mapping.currency).upper(),
            model=mapping.model_of(value(row, "model")),
            project=value(row, "project") or None,
            kind=_kind(value(row, "kind")),
        )


def _kind(text: str) -> str:
    lower = text.lower()
    return next((kind for kind, words in _KINDS.items() if any(word in lower for word in words)), Kind.USAGE)


def _day(path: Path, number: int, text: str) -> date:
    try:
        if text.isdigit():  # seconds since 1970
            return datetime.fromtimestamp(int(text), UTC).date()
        moment = datetime.fromisoformat(text)
        return (moment.astimezone(UTC) if moment.tzinfo is not None else moment).date()
    except (ValueError, OverflowError, OSError):
        raise ConfigurationError(f"{path}:{number}: {text!r} is no date.", fix="a date is 2026-11-23") from None


def _amount(path: Path, number: int, text: str) -> Decimal:
    try:
        amount = Decimal(text.replace("$", "").replace(",", ""))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise ConfigurationError(f"{path}:{number}: {text!r} is no amount.", fix="an amount is 12.50") from None
    return amount


# -- AWS Cost Explorer: dates down, a column for each usage type or service, named "NAME($)" ---------------------------


def _is_explorer(head: list[str]) -> bool:
    return len(head) > 1 and all(name.endswith("($)") for name in head[1:])


def _explorer_lines(path: Path, head: list[str], rows: list[list[str]]) -> Iterator[InvoiceLine]:
    names = [name.removesuffix("($)").strip() for name in head]
    for number, row in enumerate(rows, 2):
        if not row or row[0].lower().endswith("total"):
            continue
        for name, text in zip(names[1:], row[1:], strict=False):
            if text.strip() and not name.lower().startswith("total cost"):
                yield InvoiceLine(
                    day=_day(path, number, row[0].strip()),
                    cost=_amount(path, number, text),
                    model=name,
                    kind=_kind(name),
                )


# -- models ------------------------------------------------------------------------------------------------------------

_NOISE = frozenset(
    "anthropic amazon meta mistral cohere openai ai us eu apac jp au global input output token tokens count cache "
    "cached read write cross region standard batch flex priority latest v on demand units unit invocation long context "
    "creation uncached".split()
)
_DATES = re.compile(r"\b20\d{2}-?\d{2}-?\d{2}\b|(?<=-)\d{4}$")
_REGION = re.compile(r"^[a-z]{2,4}\d?-(?=[a-z])|^[A-Z]{2,4}\d-")


def model_key(model: str | None) -> str:
    """A model's name with what providers, regions and invoices put around it taken off, in one order.

    `Claude Haiku 4.5`, `claude-haiku-4-5-20251001` and `USE1-Claude4.5Haiku-input-tokens` are one; Claude 3 Sonnet and
    Claude 3.5 Sonnet are not.
    """
    if not model:
        return ""
    name = _REGION.sub("", model.rpartition("/")[2])
    name = re.sub(r"-v\d+(:\d+)?$|:\d+$", "", _DATES.sub("", name)).lower()
    parts = re.findall(r"[a-z]+|\d+", name)
    words = sorted(part for part in parts if part.isalpha() and part not in _NOISE)
    return f"{' '.join(words)} {'.'.join(part for part in parts if part.isdigit())}".strip()

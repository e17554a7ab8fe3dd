"""Statements: what a cost centre is charged for a span, with what the figure rests on; text or a page to print."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from html import escape
from typing import Any

from genops.analytics.filters import Filters
from genops.analytics.source import Source

__all__ = ["Adjustment", "Statement", "as_dict", "as_html", "make_statement"]

_ZERO = Decimal(0)
_CENT = Decimal("0.01")
_BREAKDOWNS = ("project", "team", "feature", "model")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """An amount that is charged or credited by hand, below 0 for a credit: shared capacity, a refund."""

    name: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What one cost centre is charged from `since` up to `until`. Amounts are exact, in `currency`."""

    cost_center: str
    since: datetime
    until: datetime
    currency: str
    totals: Mapping[str, Any]
    breakdowns: Mapping[str, list[dict[str, Any]]]  # column -> rows, which add up to the total
    coverage: list[dict[str, Any]]
    unpriced: list[dict[str, Any]]
    savings: list[dict[str, Any]]
    price_data: tuple[str, ...]
    adjustments: tuple[Adjustment, ...] = ()

    @property
    def usage(self) -> Decimal:
        return Decimal(self.totals["cost"])

    @property
    def charged(self) -> Decimal:
        """The usage and the adjustments: what to book."""
        return self.usage + sum((each.amount for each in self.adjustments), _ZERO)


def make_statement(
    source: Source,
    cost_center: str,
    since: datetime,
    until: datetime,
    *,
    adjustments: Iterable[Adjustment] = (),
    currency: str = "USD",
) -> Statement:
    """The statement of the calls that carry `cost_center`, in one currency: calls in another have one of their own."""
    filters = Filters(since, until, (("cost_center", cost_center), ("currency", currency)))
    (totals,) = source.query("totals", filters)
    return Statement(
        cost_center=cost_center,
        since=since,
        until=until,
        currency=currency,
        totals=totals,
        breakdowns={
            column: [{**row, "value": row[column]} for row in source.query("spend_by", filters, by=(column,))]
            for column in _BREAKDOWNS
        },
        coverage=source.query("coverage", filters),
        unpriced=source.query("unpriced_models", filters),
        savings=[row for row in source.query("savings", filters) if row["amount"]],
        price_data=tuple(
            sorted(
                {
                    row["price_data_version"]
                    for row in source.query("prices_in_use", filters)
                    if row["price_data_version"]
                }
            )
        ),
        adjustments=tuple(adjustments),
    )


def coverage_text(statement: Statement) -> str:
    """How much of the calls the amounts cover, in one sentence."""
    calls, unpriced = statement.totals["calls"], statement.totals["unpriced"]
    by_status = ", ".join(f"{row['calls']} {row['cost_status'] or 'unknown'}" for row in statement.coverage)
    line = f"{calls} calls: {by_status}" if calls else "no calls"
    if unpriced:
        models = ", ".join(f"{row['model'] or row['provider']} ({row['calls']})" for row in statement.unpriced)
        line += f". {unpriced} have no price and are not charged: {models}"
    return line


def as_dict(statement: Statement) -> dict[str, Any]:
    """The statement as JSON-ready values; amounts are plain decimal text."""
    return {
        "cost_center": statement.cost_center,
        "since": statement.since.isoformat(),
        "until": statement.until.isoformat(),
        "currency": statement.currency,
        "usage": _plain(statement.usage),
        "adjustments": [{"name": each.name, "amount": _plain(each.amount)} for each in statement.adjustments],
        "charged": _plain(statement.charged),
        "list_cost": _plain(statement.totals["list_cost"]),
        "calls": statement.totals["calls"],
        "unpriced": statement.totals["unpriced"],
        "coverage": coverage_text(statement),
        "savings": {row["cause"]: _plain(row["amount"]) for row in statement.savings},
        "by": {
            column: [{column: row["value"], "calls": row["calls"], "cost": _plain(row["cost"])} for row in rows]
            for column, rows in statement.breakdowns.items()
        },
        "price_data": list(statement.price_data),
    }


def _plain(amount: Decimal) -> str:
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


_STYLE = """
@page { size: A4; margin: 18mm }
* { box-sizing: border-box }
body { font: 14px/1.5 system-ui, sans-serif; color: #1a1c1f; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem; margin: 0 } h2 { font-size: 1rem; margin: 2rem 0 .4rem; break-after: avoid }
.span { color: #5b6068; margin: .2rem 0 1.5rem }
.due { font-size: 2.2rem; font-weight: 650; font-variant-numeric: tabular-nums; margin: 0 }
.note { color: #5b6068; font-size: 12px }
.warn { border-left: 3px solid #b45309; padding: .3rem .8rem; background: #fff7ed }
table { border-collapse: collapse; width: 100%; break-inside: auto } tr { break-inside: avoid }
th { text-align: left; font-weight: 600; border-bottom: 1.5px solid #1a1c1f }
th, td { padding: .3rem .6rem .3rem 0; vertical-align: top }
td { border-bottom: 1px solid #e3e5e8; overflow-wrap: anywhere }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
tfoot td { font-weight: 650; border-bottom: 0 }
"""


def as_html(statement: Statement) -> str:
    """One page that needs nothing else and prints on A4: no script, no font or image from anywhere."""
    currency = escape(statement.currency)
    last = statement.until.date().isoformat()
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>AI usage of {escape(statement.cost_center)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>AI usage of {escape(statement.cost_center)}</h1>",
        f'<p class="span">{statement.since.date().isoformat()} up to, not including, {last} (UTC)</p>',
        f'<p class="due">{_cents(statement.charged)} {currency}</p>',
        f'<p class="note">to book; exactly {_plain(statement.charged)} {currency}</p>',
        _coverage_html(statement),
        _table("Charge", ("", currency), _charge_rows(statement), ("to book", statement.charged)),
    ]
    for column, rows in statement.breakdowns.items():
        cells = [(row["value"] or "(not stated)", f"{row['calls']:,}", row["cost"]) for row in rows]
        parts.append(_table(f"By {column}", (column, "calls", currency), cells, ("usage", "", statement.usage)))
    if statement.savings:
        cells = [(row["cause"], f"{row['calls']:,}", row["amount"]) for row in statement.savings]
        parts.append(_table("Saved against plain list prices", ("cause", "calls", currency), cells, None))
    versions = ", ".join(escape(version) for version in statement.price_data) or "none"
    parts.append(f'<p class="note">Prices: {versions}. Amounts are exact to 12 decimals and shown rounded.</p>')
    parts.append("</body></html>")
    return "\n".join(parts)


def _charge_rows(statement: Statement) -> list[tuple[Any, ...]]:
    listed, usage = Decimal(statement.totals["list_cost"]), statement.usage
    rows: list[tuple[Any, ...]] = [("usage at list prices", listed)]
    if listed != usage:
        rows.append(("negotiated prices", usage - listed))
    return [*rows, *((each.name, each.amount) for each in statement.adjustments)]


def _coverage_html(statement: Statement) -> str:
    kind = "warn" if statement.totals["unpriced"] else "note"
    return f'<p class="{kind}">{escape(coverage_text(statement))}</p>'


def _table(title: str, head: tuple[str, ...], rows: Iterable[tuple[Any, ...]], foot: tuple[Any, ...] | None) -> str:
    names = "".join(f'<th{_number(place)} scope="col">{name}</th>' for place, name in enumerate(head))
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in rows)
    last = f"<tfoot><tr>{_cells(foot)}</tr></tfoot>" if foot is not None else ""
    return f"<h2>{escape(title)}</h2><table><thead><tr>{names}</tr></thead><tbody>{body}</tbody>{last}</table>"


def _cells(row: tuple[Any, ...]) -> str:
    return "".join(f"<td{_number(place)}>{_cell(value)}</td>" for place, value in enumerate(row))


def _number(place: int) -> str:
    return ' class="n"' if place else ""


def _cell(value: Any) -> str:
    return _cents(value) if isinstance(value, Decimal) else escape(str(value))


def _cents(amount: Decimal) -> str:
    """Rounded to cents; an amount below one is not shown as nothing."""
    rounded = amount.quantize(_CENT)
    return f"{rounded:,}" if rounded or not amount else _plain(amount)

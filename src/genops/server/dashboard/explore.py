"""Explore: any grouping, any filter, down to the single call and the prices it was made of."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from genops.core.cost import Cost, Unpriced
from genops.core.errors import ConfigurationError
from genops.core.pricing import PriceBook, PriceQuery
from genops.core.rates import Rates
from genops.core.usage import Usage
from genops.server.dashboard.formatting import plain
from genops.server.dashboard.selection import GROUPS, TITLES
from genops.server.dashboard.view import View

__all__ = ["call", "explore", "next_group", "repriced"]

_PATH = ("team", "feature", "model", "customer_id")  # what a row is opened by, unless it is filtered already
_GROUPS, _CALLS = 100, 50
_ORDERS = ("started_at", "cost")
_APART = "~"


def next_group(filtered: set[str]) -> str | None:
    """What to group by once these columns are filtered; None when nothing on the usual path is left."""
    return next((column for column in _PATH if column not in filtered), None)


def explore(view: View) -> dict[str, Any]:
    """Groups of the selected calls, and the calls themselves."""
    selection = view.selection
    totals = view.sums()
    filtered = {column for column, _ in selection.where}
    by = selection.by or (next_group(filtered) or "model",)
    order = view.asked.get("order", _ORDERS[0])
    order = order if order in _ORDERS else _ORDERS[0]
    calls = view.rows("calls", limit=_CALLS + 1, before=_position(view.asked.get("before")), order=order)
    return {
        "totals": totals,
        "by": by,
        "columns": [(column, TITLES[column]) for column in GROUPS],
        "filters": [(column, TITLES[column]) for column in TITLES],
        "groups": view.rows("spend_by", by=by, limit=_GROUPS) if totals["calls"] or totals["blocked"] else [],
        "next_group": next_group(filtered | set(by)),
        "calls": calls[:_CALLS],
        "order": order,
        "older": _after(calls[_CALLS - 1], order) if len(calls) > _CALLS else None,
        "before": view.asked.get("before"),
    }


def _after(row: dict[str, Any], order: str) -> str:
    """Where the next calls start, for the URL."""
    value = row[order]
    said = value.isoformat() if isinstance(value, datetime) else plain(value) if value is not None else ""
    return f"{said}{_APART}{row['call_id']}"


def _position(text: str | None) -> tuple[str | None, str] | None:
    if text is None:
        return None
    value, _, call_id = text.partition(_APART)
    return value or None, call_id


def call(view: View, call_id: str) -> dict[str, Any] | None:
    """Everything that is known of one call; None if there is no such call."""
    found = view.state.source.query("call", call_id=call_id)
    if not found:
        return None
    entry = found[0]
    priced = repriced(entry, view.state.settings.prices)
    booked, inside = entry["cost"], entry["parent_call_id"]
    return {
        "call": entry,
        "money_in": entry["currency"],
        "judgements": view.state.source.query("judgements", call_id=call_id, trace_id=entry["trace_id"] or ""),
        "priced": priced,
        "parent": inside is not None and bool(view.state.source.query("call", call_id=inside)),
        "lines": priced.lines if isinstance(priced, Cost) else (),
        "agrees": isinstance(priced, Cost) and booked is not None and priced.amount == booked,
        "book_version": PriceBook.default().version,
    }


def repriced(entry: dict[str, Any], rates: Any) -> Cost | Unpriced | None:
    """The entry's usage at the prices of its time; None without usage, as of a call that was refused.

    The price book is the one installed here: `price_data_version` of the entry says which one it was booked with.
    """
    if not entry["usage"] or entry["outcome"] == "blocked":
        return None
    query = PriceQuery(
        provider=entry["provider"],
        at=entry["started_at"],
        api=entry["api"],
        request_model=entry["request_model"],
        response_model=entry["response_model"],
        service_tier=entry["service_tier"],
        region=entry["region"],
        host=entry["server_address"],
    )
    try:
        book = PriceBook.default(Rates.parse(rates))
        return book.price(Usage(entry["usage"]), query)
    except ConfigurationError:
        return None

"""The first page: what is spent, how fast, by whom, and how much of it is known."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from genops.server.dashboard.figures import Series, Stack, sparkline
from genops.server.dashboard.selection import TITLES
from genops.server.dashboard.view import View

__all__ = ["SPLITS", "latency_chart", "overview"]

SPLITS = ("model", "team", "provider", "customer_id", "feature")
_LAYERS, _ROWS, _LATEST = 6, 7, 6
_DAY = Decimal(86_400)


def overview(view: View) -> dict[str, Any]:
    """The page's figures."""
    totals = view.rows("totals")[0]
    if not totals["calls"] and not totals["blocked"]:
        return {"totals": totals}
    selection, first = view.selection, totals["first_at"]
    split = view.asked.get("split", SPLITS[0])
    split = split if split in SPLITS else SPLITS[0]
    _, spend = view.over_time("spend_over_time", first, "cost", by=split, top=_LAYERS)
    before = selection.before
    previous = view.sums(before.and_where("currency", view.currency)) if before is not None else None
    latency = view.rows("latency_over_time", bucket=selection.bucket(first))
    calls = [row["calls"] for row in latency]
    return {
        "totals": totals,
        "change": _change(totals, previous, first),
        "pace": _pace(totals, view),
        "spend": spend,
        "spend_totals": [sum(each.values, Decimal(0)) for each in spend.series],
        "split": split,
        "splits": [(each, TITLES[each]) for each in SPLITS],
        "teams": view.rows("sums", by=("team",), limit=_ROWS),
        "models": view.rows("sums", by=("model",), limit=_ROWS),
        "coverage": view.rows("coverage"),
        "unpriced_models": view.rows("unpriced_models", limit=_ROWS) if totals["unpriced"] else [],
        "savings": [row for row in view.rows("savings") if row["amount"]],
        "latency": latency_chart(view, latency, first),
        "calls_spark": sparkline(calls),
        "p95_spark": sparkline([row["p95_ms"] for row in latency]),
        "latest": view.rows("calls", limit=_LATEST, order="started_at"),
    }


def latency_chart(view: View, rows: list[dict[str, Any]], first: datetime | None) -> Stack:
    """Medians and 95th percentiles by bucket; no calls is a gap, not zero."""
    buckets = view.buckets(rows, view.selection.bucket(first), first)
    at = {row["bucket"]: row for row in rows}
    lines = (("p50_ms", "p50"), ("p95_ms", "p95"))
    return Stack(
        buckets,
        tuple(Series(title, tuple(at.get(each, {}).get(name) for each in buckets)) for name, title in lines),
    )


def _change(totals: dict[str, Any], previous: dict[str, Any] | None, first: datetime | None) -> Decimal | None:
    """How much more was spent than in the period before, as a share of that; None where there is nothing to compare."""
    if previous is None or not previous["cost"] or first is None:
        return None
    spent, before = Decimal(totals["cost"]), Decimal(previous["cost"])
    return (spent - before) / before


def _pace(totals: dict[str, Any], view: View) -> Decimal | None:
    """What a day costs at the pace of the calls in view; None where that is less than an hour of them."""
    length = view.selection.end - view.selection.start(totals["first_at"])
    if length < timedelta(hours=1):
        return None
    cost: Decimal = totals["cost"]
    return cost / Decimal(int(length.total_seconds())) * _DAY

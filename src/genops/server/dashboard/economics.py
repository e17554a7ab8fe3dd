"""Unit economics, and what evaluations said."""

from __future__ import annotations

from typing import Any

from genops.server.dashboard.figures import Series, Stack
from genops.server.dashboard.selection import TITLES
from genops.server.dashboard.view import View

__all__ = ["UNITS", "customers", "evals"]

UNITS = ("customer_id", "team", "feature", "project", "model", "environment", "cost_center")
_ROWS, _LINES = 100, 6
_NONE = {"passed": 0, "judged": 0}


def customers(view: View) -> dict[str, Any]:
    """What a customer, a request and a success cost."""
    unit = view.selection.by[0] if view.selection.by and view.selection.by[0] in UNITS else UNITS[0]
    rows = view.rows("unit_economics", by=unit, limit=_ROWS)
    return {
        "unit": unit,
        "units": [(each, TITLES[each]) for each in UNITS],
        "rows": rows,
        "totals": view.sums(),
    }


def evals(view: View) -> dict[str, Any]:
    """Means and pass rates of every metric, and how the means went."""
    totals = view.sums()
    first = totals["first_at"]
    bucket = view.selection.bucket(first)
    rows = view.rows("evaluations", bucket=bucket)
    metrics: dict[str, dict[str, Any]] = {}
    for row in rows:
        metric = metrics.setdefault(row["name"], {"name": row["name"], "count": 0, "scored": 0, "sum": 0.0} | _NONE)
        metric["count"] += row["count"]
        metric["passed"] += row["passed"]
        metric["judged"] += row["passed"] + row["failed"]
        if row["mean"] is not None:  # some metrics have labels only
            metric["scored"] += row["count"]
            metric["sum"] += row["mean"] * row["count"]
    for metric in metrics.values():
        metric["mean"] = metric["sum"] / metric["scored"] if metric["scored"] else None
    ordered = sorted(metrics.values(), key=lambda metric: (-metric["count"], metric["name"]))
    return {"totals": totals, "metrics": ordered, "chart": _means(view, rows, ordered[:_LINES], first)}


def _means(view: View, rows: list[dict[str, Any]], metrics: list[dict[str, Any]], first: Any) -> Stack:
    buckets = view.buckets(rows, view.selection.bucket(first), first)
    at = {(row["name"], row["bucket"]): row["mean"] for row in rows}
    return Stack(
        buckets,
        tuple(Series(metric["name"], tuple(at.get((metric["name"], each)) for each in buckets)) for metric in metrics),
    )

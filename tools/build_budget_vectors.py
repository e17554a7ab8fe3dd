"""Build spec/vectors/budget/*.json: declarations and moments, and what both runtimes make of them; `--check` compares.

What is expected is what genops.core.budgets says; what it must say in the hard cases is held by tests of its own
(tests/core/budgets). The file in the tree is the contract: the Collector's tests read the same bytes.
"""

from __future__ import annotations

import json
import random
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from genops.config.budgets import parse_budgets, parse_rate_limits
from genops.core.budgets.model import Budget
from genops.core.budgets.plans import BudgetCall, Planner
from genops.core.budgets.units import amount_of, as_counted
from genops.core.errors import ConfigurationError
from genops.stores.budgets._rows import legs_to_text

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "spec/vectors/budget"
ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "America/Havana", "America/Sao_Paulo", "Australia/Lord_Howe"),
    *("Asia/Kolkata", "Asia/Kathmandu", "Pacific/Apia", "Asia/Beirut", "Africa/Cairo", "America/St_Johns"),
)
# Around changes of the clock, ends of months, a leap day, a day that was left out (Apia), and the year's first week.
MOMENTS = (
    *("2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
    *("2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z", "2026-03-08T06:59:59Z", "2026-03-08T07:00:00Z"),
    *("2024-02-29T12:00:00Z", "2025-02-28T23:59:59Z", "2026-12-31T23:59:59.75Z", "2027-01-01T00:00:00Z"),
    *("2011-12-29T23:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T12:00:00Z", "2018-11-04T03:00:00Z"),
    *("2026-04-24T21:59:59Z", "2026-04-24T22:00:00Z", "2026-10-29T20:59:59Z", "2026-10-29T21:00:00Z"),
    *("2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z", "2026-10-03T15:30:00Z", "1999-12-31T23:59:59Z"),
)
CALLS: tuple[dict[str, Any], ...] = (
    {"attributes": {"team": "search", "customer_id": "acme inc"}, "provider": "openai", "model": "gpt-5.4"},
    {"attributes": {"team": "Search", "tag.tier": "gold|x=1&y"}, "provider": "anthropic", "model": "Claude-Opus-4"},
    {"attributes": {"project": "größe/%", "customer_id": "日本"}, "operation": "embeddings", "model": "o3"},
    {"attributes": {}},
)
BUDGETS: list[dict[str, Any]] = [
    {
        "name": "organisation",
        "limit": 20000,
        "window": {"every": "month", "time_zone": "Europe/Berlin", "anchor_day": 15},
    },
    {"name": "search on large | models", "limit": "50.5", "match": {"team": "search", "model": ["gpt-5*", "claude-*"]}},
    {"name": "customer", "group_by": "customer_id", "unit": "tokens", "limit": 2000000, "window": {"rolling": "24h"}},
    {
        "name": "tier",
        "group_by": ["tag.tier", "team"],
        "limit": 1,
        "mode": "soft",
        "window": "day",
        "thresholds": [33, 99],
    },
    {"name": "odd", "match": {"model": "o[1-9]", "operation": "embed*"}, "limit": "0.000000001", "window": "total"},
    {"name": "euro", "unit": "EUR", "limit": 10, "window": {"rolling": "100s", "buckets": 7}, "thresholds": []},
    {"name": "flight", "unit": "concurrent", "limit": 20, "group_by": ["provider"]},
    {"name": "seconds", "unit": "compute_seconds", "limit": "12.3456", "window": "quarter", "slice": 1},
]
RATE_LIMITS: list[dict[str, Any]] = [
    {"name": "per-customer", "group_by": ["customer_id"], "limit": 60, "per": "1m"},
    {"name": "burst", "limit": 3, "per": "5s", "unit": "tokens", "match": {"provider": "open*"}},
]
AMOUNTS = (
    *(
        ("0.0000000001", "USD"),
        ("0.1", "USD"),
        ("1", "USD"),
        ("9007199.254740991", "USD"),
        ("9007199.254740992", "USD"),
    ),
    *(
        ("0.0005", "compute_seconds"),
        ("1.5", "tokens"),
        ("7", "requests"),
        ("123456789.123456789123", "EUR"),
        ("0", "JPY"),
    ),
    *(("0.30000000000000004", "USD"), ("000.250", "USD"), ("2.000000000", "concurrent")),
)
REFUSED: list[dict[str, Any]] = [
    {"limit": 1},
    {"name": "a"},
    {"name": " ", "limit": 1},
    {"name": "a", "limit": -1},
    {"name": "a", "limit": "1e3"},
    {"name": "a", "limit": True},
    {"name": "a", "limit": 1, "unit": "dollars"},
    {"name": "a", "limit": 1, "group_by": ["teem"]},
    {"name": "a", "limit": 1, "match": {"tag.": "x"}},
    {"name": "a", "limit": 1, "match": {"team": []}},
    {"name": "a", "limit": 1, "window": "fortnight"},
    {"name": "a", "limit": 1, "window": {"rolling": "0s"}},
    {"name": "a", "limit": 1, "window": {"rolling": "2s", "buckets": 3}},
    {"name": "a", "limit": 1, "window": {"rolling": "24h", "every": "day"}},
    {"name": "a", "limit": 1, "window": {"every": "day", "buckets": 3}},
    {"name": "a", "limit": 1, "window": {"every": "day", "time_zone": "Europe/Nowhere"}},
    {"name": "a", "limit": 1, "window": {"every": "month", "anchor_day": 32}},
    {"name": "a", "limit": 1, "window": {"every": "week", "week_start": "mon"}},
    {"name": "a", "limit": 1, "thresholds": [0]},
    {"name": "a", "limit": 1, "thresholds": [1001]},
    {"name": "a", "limit": 1, "thresholds": 80},
    {"name": "a", "limit": 1, "mode": "firm"},
    {"name": "a", "limit": 1, "slice": 2},
    {"name": "a", "limit": 1, "slice": 0},
    {"name": "a", "limit": 1, "on_store_error": "local_allowance"},
    {"name": "a", "limit": 1, "on_unpriced": "maybe"},
    {"name": "a", "limit": 1, "unit": "concurrent", "window": "day"},
    {"name": "a", "limit": 9007200},
    {"name": "a", "limits": 1, "limit": 1},
]


def render() -> dict[str, str]:
    """The files by name."""
    files = {
        "windows": _windows(),
        "keys": {"budgets": BUDGETS, "rate_limits": RATE_LIMITS, "cases": _keys()},
        "units": [_unit(amount, unit) for amount, unit in AMOUNTS],
        "refused": [_refused(given) for given in REFUSED],
    }
    return {f"{name}.json": _text(value) for name, value in files.items()}


def _text(value: Any) -> str:
    """JSON with one case on a line."""
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {_text(part).strip()}" for key, part in value.items()]
        return "{" + ",\n".join(parts) + "}\n"
    return "[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in value) + "\n]\n"


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _windows() -> list[dict[str, Any]]:
    random.seed(4711)
    cases = []
    declarations: list[Any] = [
        "hour",
        "total",
        {"rolling": "24h"},
        {"rolling": "10s", "buckets": 3},
        {"rolling": "7s", "buckets": 7},
    ]
    declarations += [{"every": "hour", "time_zone": zone} for zone in ZONES]
    for every in ("day", "week", "month", "quarter", "year"):
        for zone in ZONES:
            given: dict[str, Any] = {"every": every, "time_zone": zone}
            if every == "week":
                given["week_start"] = random.choice(["monday", "saturday", "sunday", "wednesday"])
            if every in ("month", "quarter", "year"):
                given["anchor_day"] = random.choice([1, 15, 29, 30, 31])
            declarations.append(given)
    for declaration in declarations:
        (budget,) = parse_budgets([{"name": "a", "limit": 1, "window": declaration}])
        moments = [_seconds(text) for text in random.sample(MOMENTS, 6)] + [float(random.randrange(10**9, 2 * 10**9))]
        cases += [{"window": declaration, "at": at, "expect": _span(budget, at)} for at in moments]
    return cases


def _span(budget: Budget, at: float) -> dict[str, Any]:
    span = budget.window.at(at)
    return {
        "start": span.start,
        "end": span.end,
        "label": span.label,
        "series": budget.window.series,
        "buckets": list(span.buckets),
    }


def _keys() -> list[dict[str, Any]]:
    planner = Planner((*parse_budgets(BUDGETS), *parse_rate_limits(RATE_LIMITS)))
    cases = []
    for place, given in enumerate(CALLS):
        at = _seconds(MOMENTS[place * 3])
        call = BudgetCall(
            given["attributes"],
            given.get("provider"),
            given.get("model"),
            given.get("operation"),
            1000,
            350,
            Decimal("0.0312500001"),
        )
        plan = planner.plan(call, at)
        amounts = plan.amounts(call)
        expect = {
            "legs": legs_to_text(plan.legs),
            "limits": " ".join(f"{'h' if leg.hard else 's'}{leg.limit}" for leg in plan.legs),
            "reserved": list(amounts.reserved),
            "unknown": list(amounts.unknown),
            "settled": list(plan.actuals(amounts.reserved, {"USD": Decimal("0.02"), "tokens": 900, "requests": 1})),
        }
        cases.append({"call": given, "at": at, "tokens": [1000, 350], "cost": "0.0312500001", "expect": expect})
    return cases


def _unit(amount: str, unit: str) -> dict[str, Any]:
    try:
        counted: int | None = as_counted(Decimal(amount), unit)
    except ConfigurationError:
        counted = None
    said = None if counted is None else format(amount_of(counted, unit), "f")
    if said is not None and "." in said:
        said = said.rstrip("0").rstrip(".")
    return {"amount": amount, "unit": unit, "counted": counted, "said": said}


def _refused(given: dict[str, Any]) -> dict[str, Any]:
    try:
        parse_budgets([given])
    except ConfigurationError:
        return {"budget": given}
    raise SystemExit(f"{given} is not refused.")


def main() -> int:
    made = render()
    if "--check" in sys.argv:
        stale = [
            name
            for name, text in made.items()
            if not (TARGET / name).is_file() or (TARGET / name).read_text("utf-8") != text
        ]
        if stale:
            print(f"spec/vectors/budget: {', '.join(stale)} out of date.\n  fix: make generate")
        return 1 if stale else 0
    TARGET.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        (TARGET / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

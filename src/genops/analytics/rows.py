"""Rows: ledger entries as Arrow batches, with what analytics adds to them. The same for every engine.

DuckDB takes the JSON apart, on all cores and outside the interpreter's lock; only what needs the price book is worked
out in Python.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from decimal import Decimal
from typing import Any

from genops.analytics.optional import duckdb, pyarrow
from genops.analytics.savings import CACHE_METERS, SAVINGS, STANDARD_TIERS, Savings, SavingsRow
from genops.core.pricing import PriceBook
from genops.core.usage import INPUT_METERS, OUTPUT_METERS

__all__ = ["CALLS", "EVALUATIONS", "RowMaker"]

_TEXT, _MONEY, _COUNT = "VARCHAR", "DECIMAL(38,12)", "BIGINT"
_STATED = {  # fields of a ledger entry, as the ledger's JSON has them
    "call_id": _TEXT,
    "parent_call_id": _TEXT,
    "trace_id": _TEXT,
    "span_id": _TEXT,
    "started_at": _TEXT,
    "duration_ms": "DOUBLE",
    "time_to_first_chunk_ms": "DOUBLE",
    "outcome": _TEXT,
    "error_type": _TEXT,
    "provider": _TEXT,
    "api": _TEXT,
    "operation": _TEXT,
    "operation_type": _TEXT,
    "request_model": _TEXT,
    "response_model": _TEXT,
    "response_id": _TEXT,
    "streamed": "BOOLEAN",
    "service_tier": _TEXT,
    "region": _TEXT,
    "server_address": _TEXT,
    "team": _TEXT,
    "project": _TEXT,
    "environment": _TEXT,
    "customer_id": _TEXT,
    "cost_center": _TEXT,
    "feature": _TEXT,
    "session_id": _TEXT,
    "tags": "MAP(VARCHAR, VARCHAR)",
    "usage": f"MAP(VARCHAR, {_MONEY})",
    "usage_source": _TEXT,
    "usage_flags": "VARCHAR[]",
    "reasoning_tokens": _COUNT,
    "cost_status": _TEXT,
    "cost_source": _TEXT,
    "cost": _MONEY,
    "list_cost": _MONEY,
    "currency": _TEXT,
    "priced_model": _TEXT,
    "price_data_version": _TEXT,
    "unpriced_reason": _TEXT,
    "missing_meters": "VARCHAR[]",
    "policy_result": _TEXT,
    "policy_reason_code": _TEXT,
    "policy_name": _TEXT,
    "reserved": _MONEY,
    "actual": _MONEY,
    "accounting_unit": _TEXT,
    "budget_name": _TEXT,
}
_EVALUATION = {
    "evaluation_id": _TEXT,
    "evaluated_at": _TEXT,
    "name": _TEXT,
    "score": "DOUBLE",
    "threshold": "DOUBLE",
    "passed": "BOOLEAN",
    "label": _TEXT,
    **{name: _STATED[name] for name in ("call_id", "trace_id", "span_id")},
    **{name: _STATED[name] for name in ("team", "project", "environment", "customer_id", "cost_center", "feature")},
    **{name: _STATED[name] for name in ("session_id", "tags")},
}
_CACHED = tuple(meter for meter in INPUT_METERS if meter.startswith("cache_read"))
_TIMES = ("started_at", "evaluated_at")


def _columns(stated: dict[str, str]) -> dict[str, str]:
    return {name: "TIMESTAMP" if name in _TIMES else kind for name, kind in stated.items()}


CALLS = {
    "seq": _COUNT,
    **_columns(_STATED),
    "model": _TEXT,
    "input_tokens": _COUNT,
    "output_tokens": _COUNT,
    "cached_tokens": _COUNT,
    **dict.fromkeys(SAVINGS, _MONEY),
}
EVALUATIONS = {"seq": _COUNT, **_columns(_EVALUATION)}


def _sum_of(meters: tuple[str, ...]) -> str:
    """The tokens of some meters; NULL if none of them is stated. Whole, as in the ledger: part of a token is none."""
    stated = ", ".join(f"usage['{meter}']" for meter in meters)
    parts = " + ".join(f"coalesce(trunc(usage['{meter}']), 0)" for meter in meters)
    return f"CASE WHEN coalesce({stated}) IS NOT NULL THEN CAST({parts} AS BIGINT) END"


def _select(stated: dict[str, str]) -> str:
    """The statement that takes entries apart."""
    shape = ", ".join(f'"{name}":"{kind}"' for name, kind in stated.items()).replace('VARCHAR[]"', 'JSON"')
    fields = []
    for name in stated:
        value = f"entry.{name}"
        if name in _TIMES:
            value = f"CAST(CAST({value} AS TIMESTAMPTZ) AT TIME ZONE 'UTC' AS TIMESTAMP)"
        elif stated[name].startswith("MAP"):
            value = f"coalesce({value}, MAP {{}})"
        elif stated[name] == "VARCHAR[]":
            value = f"coalesce(from_json({value}, '[\"VARCHAR\"]'), [])"
        elif name == "currency":
            value = f"coalesce({value}, 'USD')"
        fields.append(f"{value} AS {name}")
    return f"""
        SELECT seq, {", ".join(fields)}
        FROM (SELECT seq, from_json(body, '{{{shape}}}') AS entry FROM batch)
    """


_TAKE_CALLS = f"""
    SELECT *, coalesce(priced_model, response_model, request_model) AS model, {_sum_of(INPUT_METERS)} AS input_tokens,
        {_sum_of(OUTPUT_METERS)} AS output_tokens, {_sum_of(_CACHED)} AS cached_tokens
    FROM ({_select(_STATED)})
"""
_MAY_SAVE = f"""
    SELECT {", ".join(SavingsRow._fields)}
    FROM (SELECT * REPLACE (coalesce(priced_model, request_model) AS request_model) FROM made)
    WHERE cost_status IN ('priced', 'partial', 'estimated', 'provider_reported') AND currency = 'USD'
        AND (service_tier NOT IN {STANDARD_TIERS} OR list_has_any(map_keys(usage), {list(CACHE_METERS)}))
"""
_ADD_SAVINGS = f"SELECT made.*, {', '.join(SAVINGS)} FROM made LEFT JOIN saved USING (seq) ORDER BY seq"
_TAKE_EVALUATIONS = _select(_EVALUATION)


class RowMaker:
    """Turns numbered JSON lines into rows with the columns of `CALLS` or `EVALUATIONS`, in the engine of a cursor."""

    def __init__(self, book: PriceBook | None = None) -> None:
        self._savings = Savings(book)

    def take(self, cursor: Any, table: str, lines: Iterable[tuple[int, str]]) -> str:
        """Take lines apart; return the statement that gives their rows, until the cursor is used for the next ones."""
        arrow = pyarrow()
        numbers, bodies = zip(*lines, strict=True)
        batch = arrow.table({"seq": arrow.array(numbers, arrow.int64()), "body": arrow.array(bodies, arrow.string())})
        cursor.register("batch", batch)
        statement = _TAKE_CALLS if table == "calls" else _TAKE_EVALUATIONS
        cursor.execute(f"CREATE OR REPLACE TEMP TABLE made AS {statement}")
        cursor.unregister("batch")
        if table != "calls":
            return "SELECT * FROM made ORDER BY seq"
        rows = map(SavingsRow._make, cursor.execute(_MAY_SAVE).fetchall())
        cursor.register("saved", _saved(self._savings.of(rows)))
        return _ADD_SAVINGS

    def arrow(self, table: str, lines: Iterable[tuple[int, str]]) -> Any:
        """The rows as an Arrow table."""
        with closing(duckdb().connect()) as engine:
            return engine.sql(self.take(engine, table, lines)).to_arrow_table()  # execute() warns of a copy from 2.0 on


def _saved(amounts: list[tuple[int, Decimal, Decimal, Decimal]]) -> Any:
    arrow = pyarrow()
    kinds = (arrow.int64(), *(arrow.decimal128(38, 12) for _ in SAVINGS))
    columns = zip(*amounts, strict=True) if amounts else ((),) * len(kinds)
    made = [arrow.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
    return arrow.table(made, names=("seq", *SAVINGS))

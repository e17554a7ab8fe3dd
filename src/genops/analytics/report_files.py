"""Reports as files: JSON, CSV and Parquet. Money stays exact; what a user named cannot become a formula."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from genops.analytics.optional import pyarrow
from genops.analytics.reporting import Report, Row

__all__ = ["as_csv", "as_json", "write_parquet"]

_FIGURES = ("calls", "blocked", "unpriced", "input_tokens", "output_tokens", "cost", "list_cost")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would work out a cell that begins so


def as_json(report: Report) -> str:
    """Everything a report says; amounts are strings, times ISO 8601 with their zone."""
    request = report.request
    document = {
        "by": request.by,
        "since": request.filters.since,
        "until": request.filters.until,
        "where": request.filters.where,
        "currency": report.currency,
        "total": _figures(report.total),
        "rows": [_record(report, row) for row in report.rows],
        "coverage": report.by_status,
        "unpriced_models": report.unpriced_models,
        "savings": report.savings,
        "over_time": report.over_time,
        "overall": report.overall,
        "units": report.units,
        "unit": request.unit,
    }
    return json.dumps(document, indent=2, ensure_ascii=False, default=_plain) + "\n"


def as_csv(report: Report) -> str:
    """The rows of a report."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    names = _names(report)
    writer.writerow([_cell(name) for name in names])
    for row in report.rows:
        record = _record(report, row)
        writer.writerow([_cell(record[name]) for name in names])
    return file.getvalue()


def write_parquet(report: Report, path: Path) -> None:
    """The rows of a report, typed: amounts are decimal(38, 12), counts are 64-bit integers."""
    arrow, parquet = pyarrow(), pyarrow("pyarrow.parquet")

    records = [_record(report, row) for row in report.rows]
    money = arrow.decimal128(38, 12)
    kinds = {name: arrow.int64() for name in _FIGURES} | {"cost": money, "list_cost": money, "previous": money}
    columns = {
        name: arrow.array([_typed(record[name]) for record in records], kinds.get(name, arrow.string()))
        for name in _names(report)
    }
    parquet.write_table(arrow.table(columns), path)


def _names(report: Report) -> list[str]:
    return [*report.request.by, *_FIGURES, *(["previous"] if report.request.compare else [])]


def _figures(row: Row) -> dict[str, Any]:
    found = {name: getattr(row, name) for name in _FIGURES}
    return found | ({"previous": row.previous} if row.previous is not None else {})


def _record(report: Report, row: Row) -> dict[str, Any]:
    return {**dict(zip(report.request.by, row.key, strict=True)), **_figures(row)}


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else format(value, "f")


def _cell(value: Any) -> Any:
    if isinstance(value, datetime | Decimal):
        return _plain(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _typed(value: Any) -> Any:
    return _plain(value) if isinstance(value, datetime) else value

"""FOCUS files: rows as CSV or Parquet, a batch at a time."""

from __future__ import annotations

import csv
import importlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import IO, Any

from genops.analytics.focus_columns import AMOUNTS, TIMES
from genops.analytics.optional import pyarrow
from genops.core.errors import ConfigurationError
from genops.core.repricing import EXACT

__all__ = ["write_csv", "write_parquet"]

_BATCH = 10_000  # rows
_DIGITS, _PLACES = 38, 18  # of an amount in Parquet


def write_csv(rows: Iterable[dict[str, Any]], columns: tuple[str, ...], file: IO[str]) -> None:
    """Write rows with a head. Amounts have a decimal point, times are ISO 8601 in UTC, what is unknown is empty."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_text(row[column]) for column in columns])


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        text = format(value.normalize(EXACT), "f")  # the same amount is the same text, wherever it was kept
        return text if "." in text else f"{text}.0"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)


def write_parquet(rows: Iterable[dict[str, Any]], columns: tuple[str, ...], path: Path) -> None:
    """Write rows with amounts as decimals of 18 places and times in UTC.

    Raises `ConfigurationError` without pyarrow, and for an amount with more places.
    """
    arrow = pyarrow()
    parquet = importlib.import_module("pyarrow.parquet")
    schema = arrow.schema([(column, _type(arrow, column)) for column in columns])
    with parquet.ParquetWriter(path, schema) as writer:
        for batch in _batches(rows):
            try:
                writer.write_table(arrow.Table.from_pylist(batch, schema=schema))
            except arrow.ArrowInvalid as error:
                raise ConfigurationError(f"an amount does not fit: {error}", fix="--format csv") from None


def _type(arrow: Any, column: str) -> Any:
    if column in AMOUNTS:
        return arrow.decimal128(_DIGITS, _PLACES)
    if column in TIMES:
        return arrow.timestamp("s", tz="UTC")
    return arrow.int64() if column == "x_Calls" else arrow.string()


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    rest = iter(rows)
    while batch := list(islice(rest, _BATCH)):
        yield batch

"""`genops export`: the ledger as files that finance tools load."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from genops.analytics.entries import entries_of
from genops.analytics.focus import FocusExport, FocusPeriod
from genops.analytics.focus_columns import FocusVersion, columns_of
from genops.analytics.focus_files import write_csv, write_parquet
from genops.cli._ledger_options import (
    ClickHouse,
    Config,
    Ledger,
    Since,
    Until,
    Where,
    asked,
    read_entries,
    read_rates,
)
from genops.cli._options import since_until, writing
from genops.cli._tables import money
from genops.core.errors import ConfigurationError
from genops.core.ledger import LedgerEntry
from genops.core.repricing import LedgerPrices

__all__ = ["register"]

_EPILOG = (
    "Examples: genops export focus --since 2026-11-01 --until 2026-12-01 --output november.csv. "
    "genops export focus --version 1.4 --format parquet --output costs.parquet"
)
_MODELS_NAMED = 5


class FileFormat(StrEnum):
    """How the file is written."""

    CSV = "csv"
    PARQUET = "parquet"


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    export = typer.Typer(name="export", help="The ledger as files for finance tools.", no_args_is_help=True)
    export.command("focus", epilog=_EPILOG)(focus)
    export.callback()(_export)
    app.add_typer(export)


def _export() -> None:
    """Write the ledger for finance tools."""


def focus(
    version: Annotated[FocusVersion, typer.Option(help="The version of FOCUS.")] = FocusVersion.V1_2,
    output_format: Annotated[FileFormat, typer.Option("--format", help="How to write.")] = FileFormat.CSV,
    output: Annotated[Path | None, typer.Option(help="The file; standard output if left out (CSV only).")] = None,
    period: Annotated[FocusPeriod, typer.Option(help="The charge period of a row.")] = FocusPeriod.DAY,
    account: Annotated[list[str] | None, typer.Option(help="provider=billing account id; may be repeated.")] = None,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    ledger: Ledger = None,
    clickhouse: ClickHouse = None,
    config: Config = None,
) -> None:
    """Write FinOps FOCUS cost and usage: one row per price, period and set of attributes.

    The rows add up to the ledger exactly. What has no price is in no row; standard error says how much that is.
    """
    export = FocusExport(version, LedgerPrices(read_rates(config)), period, _accounts(account or []))
    if output_format is FileFormat.PARQUET and output is None:
        raise ConfigurationError("a Parquet file needs a name.", fix="--output costs.parquet")
    with _entries(ledger, clickhouse, *since_until(since, until), where) as entries:
        _write(export, export.of(entries), output_format, output)
    print(_summary(export), file=sys.stderr)


@contextmanager
def _entries(
    ledger: Path | None,
    clickhouse: str | None,
    since: datetime | None,
    until: datetime | None,
    where: list[str] | None,
) -> Iterator[Iterator[LedgerEntry]]:
    """The entries of a ledger directory, or of the ClickHouse that ledgers were shipped to."""
    if clickhouse is None:
        yield read_entries(ledger, since, until, where)
        return
    from genops.analytics.clickhouse import ClickHouse as Shipped

    with closing(Shipped(clickhouse)) as source:
        yield entries_of(source, asked(since, until, where, None))


def _write(export: FocusExport, rows: Iterator[dict[str, object]], kind: FileFormat, output: Path | None) -> None:
    columns = columns_of(export.version)
    if output is None:
        write_csv(rows, columns, sys.stdout)
        return
    with writing(output):
        if kind is FileFormat.PARQUET:
            write_parquet(rows, columns, output)
        else:
            with output.open("w", encoding="utf-8", newline="") as file:
                write_csv(rows, columns, file)


def _accounts(given: list[str]) -> dict[str, str]:
    for text in given:
        if "=" not in text:
            raise ConfigurationError(f"--account {text!r} names no account.", fix="--account openai=org-4711")
    return {provider: name for provider, _, name in (text.partition("=") for text in given)}


def _summary(export: FocusExport) -> str:
    amounts = ", ".join(f"{money(amount)} {currency}" for currency, amount in sorted(export.total.items()))
    line = f"{export.rows} rows, {amounts or 'nothing billed'}, of {export.calls} calls"
    missing = sum(export.unpriced.values())
    if missing:
        models = sorted(export.unpriced.items(), key=lambda item: -item[1])
        named = ", ".join(f"{model} ({count})" for model, count in models[:_MODELS_NAMED])
        more = f" and {len(models) - _MODELS_NAMED} more" if len(models) > _MODELS_NAMED else ""
        line += f"\n{missing} calls have no price and are in no row: {named}{more}"
    return f"{line}\n{export.blocked} calls were refused and cost nothing" if export.blocked else line

"""`genops costs`: what was spent, by any attribute, from the local ledger."""

from __future__ import annotations

import csv
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from genops.cli._options import columns_of, condition, since_until
from genops.cli._tables import money, print_costs
from genops.config import settings
from genops.core.errors import ConfigurationError
from genops.core.ledger import LedgerEntry
from genops.core.totals import coverage, totals, value_of
from genops.stores import LedgerReader

__all__ = ["register"]

_EPILOG = (
    "Examples: genops costs --by team,model --since 7d. genops costs --by customer_id --where team=search --format csv"
)


class Format(StrEnum):
    """How to print."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("costs", epilog=_EPILOG)(costs)


def costs(
    by: Annotated[str, typer.Option(help="Columns, e.g. team,model,day or tag:<key>.")] = "team",
    since: Annotated[str | None, typer.Option(help="A date, or how long ago: 7d, 24h.")] = None,
    until: Annotated[str | None, typer.Option(help="A date, not included.")] = None,
    where: Annotated[list[str] | None, typer.Option(help="column=value; may be repeated.")] = None,
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
    ledger: Annotated[Path | None, typer.Option(help="The ledger directory, if not that of the settings.")] = None,
    top: Annotated[int | None, typer.Option(help="Only the dearest N rows.", min=1)] = None,
) -> None:
    """Print exact costs by team, customer, model or any other column."""
    columns = columns_of(by)
    reader = LedgerReader(ledger or settings.load({}).ledger.dir)
    conditions = [condition(text) for text in where or []]
    entries = [
        entry
        for entry in reader.entries(*since_until(since, until))
        if all(value_of(entry, column) == value for column, value in conditions)
    ]
    booked_in = sorted({entry.currency for entry in entries if entry.cost is not None})
    if len(booked_in) > 1:
        raise ConfigurationError(
            f"these calls were booked in {' and '.join(booked_in)}, which cannot be added up.",
            fix=f"--where currency={booked_in[0]}",
        )
    if output is Format.TABLE:
        if not entries:
            typer.echo("no calls in this ledger match; run a governed application, or `genops demo`.")
            return
        print_costs(Console(), entries, columns, top, *booked_in)
        return
    rows = _rows(entries, columns, top)
    if output is Format.JSON:
        found = coverage(entries)
        document = {"by": columns, "rows": rows, "coverage": found.by_status, "blocked": found.blocked}
        typer.echo(json.dumps(document, indent=2))
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    names = (*columns, "calls", "blocked", "unpriced", "input_tokens", "output_tokens", "cost", "list_cost")
    writer.writerow(names)
    writer.writerows([row[name] for name in names] for row in rows)


def _rows(entries: list[LedgerEntry], columns: tuple[str, ...], top: int | None) -> list[dict[str, object]]:
    return [
        {
            **dict(zip(columns, total.key, strict=True)),
            "calls": total.calls,
            "blocked": total.blocked,
            "unpriced": total.unpriced,
            "input_tokens": total.input_tokens,
            "output_tokens": total.output_tokens,
            "cost": money(total.cost),
            "list_cost": money(total.list_cost),
        }
        for total in totals(entries, columns)[:top]
    ]

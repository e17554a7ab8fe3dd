"""`genops statement`: what a cost centre is charged."""

from __future__ import annotations

import io
import json
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from genops.analytics.statement import Adjustment, Statement, as_dict, as_html, coverage_text, make_statement
from genops.cli._ledger_options import Ledger, ledger_source, month_span
from genops.cli._options import writing
from genops.cli._tables import money
from genops.core.errors import ConfigurationError

__all__ = ["register"]

_EPILOG = (
    "Examples: genops statement --cost-center cc-4711 --month 2026-11. "
    "genops statement --cost-center cc-4711 --format html --output november.html "
    '--adjust "shared capacity=120.00"'
)


class StatementFormat(StrEnum):
    """How to write it."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("statement", epilog=_EPILOG)(statement)


def statement(
    cost_center: Annotated[str, typer.Option(help="The cost centre, as calls carry it.")],
    month: Annotated[str | None, typer.Option(help="YYYY-MM, in UTC; the month that runs if left out.")] = None,
    adjust: Annotated[
        list[str] | None, typer.Option(help="name=amount to charge, or to credit; may be repeated.")
    ] = None,
    currency: Annotated[str, typer.Option(help="The currency of the calls.")] = "USD",
    output_format: Annotated[StatementFormat, typer.Option("--format", help="How to write.")] = StatementFormat.TEXT,
    output: Annotated[Path | None, typer.Option(help="The file; standard output if left out.")] = None,
    ledger: Ledger = None,
) -> None:
    """Write what a cost centre is charged for a month: by project, team, feature and model, with what it covers.

    The HTML page needs nothing else, and prints to PDF from any browser.
    """
    since, until = month_span(month)
    adjustments = [_adjustment(text) for text in adjust or []]
    with ledger_source(ledger) as source:
        made = make_statement(source, cost_center, since, until, adjustments=adjustments, currency=currency)
        if not made.totals["calls"] and not adjustments:
            known = [row["value"] for row in source.query("values", column="cost_center") if row["value"]]
            raise ConfigurationError(
                f"no call of {cost_center!r} in {since:%Y-%m}.",
                fix=f"--cost-center {' or '.join(sorted(known)) or '..., after calls that carry one'}",
            )
    if output_format is StatementFormat.TEXT and output is None:
        _print(made)
        return
    text = {
        StatementFormat.TEXT: lambda: _as_text(made),
        StatementFormat.JSON: lambda: json.dumps(as_dict(made), indent=2),
        StatementFormat.HTML: lambda: as_html(made),
    }[output_format]()
    if output is None:
        typer.echo(text)
    else:
        with writing(output):
            output.write_text(f"{text}\n", encoding="utf-8")


def _adjustment(text: str) -> Adjustment:
    name, _, amount = text.rpartition("=")
    try:
        found = Decimal(amount)
    except InvalidOperation:
        found = Decimal("NaN")
    if not name or not found.is_finite():
        raise ConfigurationError(f"--adjust {text!r} is no adjustment.", fix='--adjust "shared capacity=120.00"')
    return Adjustment(name=name, amount=found)


def _as_text(made: Statement) -> str:
    file = io.StringIO()
    _print(made, Console(width=100, file=file, highlight=False))
    return file.getvalue().rstrip()


def _print(made: Statement, console: Console | None = None) -> None:
    console = console or Console(highlight=False)
    console.print(
        f"AI usage of {made.cost_center}, {made.since:%Y-%m-%d} up to, not including, {made.until:%Y-%m-%d} (UTC)"
    )
    for column, rows in made.breakdowns.items():
        table = Table(title=f"By {column}", title_justify="left", show_edge=False, pad_edge=False)
        table.add_column(column, overflow="fold")
        table.add_column("calls", justify="right")
        table.add_column(made.currency, justify="right", no_wrap=True)
        for row in rows:
            table.add_row(row["value"] or "(not stated)", f"{row['calls']:,}", money(row["cost"]))
        console.print(table)
    for row in made.savings:
        console.print(f"saved by {row['cause']}: {money(row['amount'])} {made.currency}")
    console.print(f"usage: {money(made.usage)} {made.currency}")
    for each in made.adjustments:
        console.print(f"{each.name}: {money(each.amount)} {made.currency}", markup=False)
    console.print(f"to book: {money(made.charged)} {made.currency}")
    console.print(coverage_text(made), style="dim", soft_wrap=True, markup=False)

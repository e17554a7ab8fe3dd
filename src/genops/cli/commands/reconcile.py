"""`genops reconcile`: a provider's invoice beside the ledger."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from genops.analytics import Filters, Source
from genops.analytics.budget_series import as_date
from genops.analytics.invoices import InvoiceLine, read_invoice
from genops.analytics.reconcile import Booked, Difference, Reconciliation, reconcile
from genops.cli._ledger_options import AsJson, Ledger, ledger_source
from genops.cli._tables import money
from genops.core.errors import ConfigurationError

__all__ = ["register"]

_EPILOG = (
    "Examples: genops reconcile cost_2026-11.csv. genops reconcile cur.csv --by day --provider aws.bedrock. "
    "genops reconcile bill.csv --map date=Day --map cost=Amount --rate EUR=1.08. "
    "Exit codes: 0 it agrees, 1 it differs, 2 the file cannot be read."
)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("reconcile", epilog=_EPILOG)(reconcile_invoice)


def reconcile_invoice(
    invoice: Annotated[
        Path, typer.Argument(help="A cost export in CSV: OpenAI, Anthropic, AWS (CUR, Cost Explorer), FOCUS.")
    ],
    export: Annotated[
        str | None, typer.Option(help="openai, anthropic, aws-cur or focus; told by its columns.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option("--map", help="field=COLUMN: date, cost, model, project, ...")
    ] = None,
    by: Annotated[str, typer.Option(help="What to compare by: day, model, project.")] = "day,model",
    provider: Annotated[
        list[str] | None, typer.Option(help="The ledger's providers, if not those of the export.")
    ] = None,
    rename: Annotated[
        list[str] | None, typer.Option(help="invoice's project=ledger's project; may be repeated.")
    ] = None,
    rate: Annotated[
        list[str] | None, typer.Option(help="USD for one of a currency, EUR=1.08; may be repeated.")
    ] = None,
    tolerance: Annotated[str, typer.Option(help="Percent of the invoice by which a row may differ.")] = "1",
    every: Annotated[bool, typer.Option("--all", help="Print the rows that agree, too.")] = False,
    ledger: Ledger = None,
    as_json: AsJson = False,
) -> None:
    """Compare an invoice with the ledger, and say for each difference what is the likely cause."""
    columns = _pairs("--map", column, "date=COLUMN")
    found, lines = read_invoice(invoice, export, columns)
    if not lines:
        raise ConfigurationError(
            f"{invoice} has no charge that {found.name} stands for.", fix="--map, or another --export"
        )
    names = _pairs("--rename", rename, "proj_123=shop")
    lines = [_renamed(line, names) for line in lines]
    compared = tuple(part.strip() for part in by.split(",") if part.strip())
    providers = tuple(provider or found.providers)
    with ledger_source(ledger) as source:
        booked = list(_booked(source, lines, providers))
    result = reconcile(
        lines,
        booked,
        by=compared,
        tolerance=_number("--tolerance", tolerance) / 100,
        rates={name.upper(): _number("--rate", text) for name, text in _pairs("--rate", rate, "EUR=1.08").items()},
    )
    if as_json:
        typer.echo(json.dumps(_as_dict(result, found.name), indent=2))
    else:
        _print(result, compared, every)
    raise typer.Exit(0 if result.agrees else 1)


def _pairs(option: str, given: list[str] | None, example: str) -> dict[str, str]:
    for text in given or []:
        if not all(text.partition("=")):
            raise ConfigurationError(f"{option} {text!r} is not understood.", fix=f"{option} {example}")
    return {name.strip(): value.strip() for name, _, value in (text.partition("=") for text in given or [])}


def _number(option: str, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0:
        raise ConfigurationError(f"{option}: {text!r} is no number.", fix=f"{option} 1.08")
    return number


def _renamed(line: InvoiceLine, names: dict[str, str]) -> InvoiceLine:
    if line.project is None or line.project not in names:
        return line
    return InvoiceLine(
        day=line.day,
        cost=line.cost,
        currency=line.currency,
        model=line.model,
        project=names[line.project],
        kind=line.kind,
    )


def _booked(source: Source, lines: list[InvoiceLine], providers: tuple[str, ...]) -> Any:
    """What the ledger holds for the days of the invoice."""
    first, last = min(line.day for line in lines), max(line.day for line in lines)
    filters = Filters(
        datetime.combine(first, time(), UTC),
        datetime.combine(last, time(), UTC) + timedelta(days=1),
        (("currency", "USD"), *(("provider", name) for name in providers)),
    )
    for row in source.query("spend_by", filters, by=("day", "model", "project", "cost_status")):
        yield Booked(
            day=as_date(row["day"]),
            model=row["model"],
            project=row["project"],
            calls=row["calls"],
            cost=row["cost"],
            unpriced=row["unpriced"],
            estimated=row["calls"] if row["cost_status"] == "estimated" else 0,
        )


def _print(result: Reconciliation, by: tuple[str, ...], every: bool) -> None:
    console = Console(highlight=False)
    rows = result.rows if every else result.differing
    if rows:
        table = Table(show_edge=False, pad_edge=False)
        for name in (*by, "invoice USD", "ledger USD", "difference", "likely cause"):
            right = name in ("invoice USD", "ledger USD", "difference")
            table.add_column(name, justify="right" if right else "left", no_wrap=right, overflow="fold")
        for row in rows:
            cause = f"{row.cause}: {row.why}" if row.cause is not None else "agrees"
            amounts = (money(amount) for amount in (row.invoiced, row.booked, row.difference))
            table.add_row(*(_named(row, name) for name in by), *amounts, cause)
        console.print(table)
    for kind, amount in result.other.items():
        console.print(f"{kind} on the invoice, not compared: {money(amount)} USD")
    for currency, amount in result.unconverted.items():
        console.print(f"currency: {money(amount)} {currency} could not be compared.  fix: --rate {currency}=1.08")
    total = result.invoiced - result.booked
    console.print(
        f"invoice {money(result.invoiced)} USD, ledger {money(result.booked)} USD, difference {money(total)} USD; "
        f"{len(result.rows) - len(result.differing)} of {len(result.rows)} rows agree within {result.tolerance:.2%}",
        soft_wrap=True,
    )


def _named(row: Difference, name: str) -> str:
    value = getattr(row, name)
    return "(none)" if value is None else str(value)


def _as_dict(result: Reconciliation, name: str) -> dict[str, Any]:
    return {
        "export": name,
        "agrees": result.agrees,
        "invoiced": format(result.invoiced, "f"),
        "booked": format(result.booked, "f"),
        "difference": format(result.invoiced - result.booked, "f"),
        "rows": [
            {
                "day": row.day.isoformat() if row.day is not None else None,
                "model": row.model,
                "project": row.project,
                "invoiced": format(row.invoiced, "f"),
                "booked": format(row.booked, "f"),
                "calls": row.calls,
                "cause": row.cause,
                "why": row.why or None,
            }
            for row in result.rows
        ],
        "not_compared": {kind: format(amount, "f") for kind, amount in result.other.items()},
        "unconverted": {currency: format(amount, "f") for currency, amount in result.unconverted.items()},
    }

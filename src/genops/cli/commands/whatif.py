"""`genops whatif`: what past calls would have cost at another model."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from genops.analytics.whatif import WhatIf, WhatIfRow, read_usage, what_if
from genops.cli._ledger_options import AsJson, Ledger, Since, Until, Where, asked, ledger_source, read_book
from genops.cli._options import since_until
from genops.cli._tables import money
from genops.core.comparing import TokenRatios, split_model
from genops.core.errors import ConfigurationError

__all__ = ["register"]

_EPILOG = (
    "Examples: genops whatif --model openai/gpt-4o-mini --since 30d --where model=gpt-4o. "
    "genops whatif --model anthropic/claude-haiku-4-5 --input-ratio 0.95-1.15 --output-ratio 1"
)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("whatif", epilog=_EPILOG)(whatif)


def whatif(
    model: Annotated[str, typer.Option(help="provider/model to price the calls at.")],
    since: Since = None,
    until: Until = None,
    where: Where = None,
    input_ratio: Annotated[
        str | None, typer.Option(help="Input tokens it counts for one of now: 0.9 or 0.9-1.2.")
    ] = None,
    output_ratio: Annotated[str | None, typer.Option(help="Output tokens for one of now: 1 or 0.8-1.3.")] = None,
    config: Annotated[Path | None, typer.Option(help="A genops.yaml whose rates apply; else the nearest one.")] = None,
    ledger: Ledger = None,
    as_json: AsJson = False,
) -> None:
    """Price past calls at another model: a range, and what the range comes from."""
    target = split_model(model)
    book = read_book(config)
    ratios = None
    if input_ratio is not None or output_ratio is not None:
        ratios = TokenRatios(input=_range("--input-ratio", input_ratio), output=_range("--output-ratio", output_ratio))
    with ledger_source(ledger) as source:
        found = what_if(read_usage(source, asked(*since_until(since, until), where)), target, book=book, ratios=ratios)
    if as_json:
        typer.echo(json.dumps(_as_dict(found), indent=2))
    elif not found.rows:
        typer.echo("no calls match; there is nothing to price.")
    else:
        _print(found)


def _range(option: str, text: str | None) -> tuple[Decimal, Decimal]:
    low, dash, high = (text or "0.8-1.3").partition("-")
    try:
        return Decimal(low), Decimal(high if dash else low)
    except InvalidOperation:
        raise ConfigurationError(f"{option} {text!r} is no range.", fix=f"{option} 0.9-1.2") from None


def _print(found: WhatIf) -> None:
    console = Console(highlight=False)
    title = f"At {found.provider}/{found.model}"
    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for name in ("model", "calls", "cost USD", "low", "high"):
        table.add_column(name, justify="left" if name == "model" else "right", overflow="fold")
    for row in found.moved:
        table.add_row(f"{row.source.provider}/{row.source.model}", f"{row.source.calls:,}", *_amounts(row))
    if found.moved:
        table.add_section()
        table.add_row("together", "", *(money(amount) for amount in (found.cost, found.low, found.high)))
        console.print(table)
        console.print(f"a change of {_percent(found.low, found.cost)} to {_percent(found.high, found.cost)}")
    for reason in found.reasons:
        console.print(f"- {reason}", style="dim", soft_wrap=True, markup=False)


def _amounts(row: WhatIfRow) -> tuple[str, ...]:
    return tuple(money(amount) if amount is not None else "" for amount in (row.source.cost, row.low, row.high))


def _percent(amount: Decimal, cost: Decimal) -> str:
    return f"{(amount / cost - 1) * 100:+.0f} %" if cost else "from nothing"


def _as_dict(found: WhatIf) -> dict[str, Any]:
    return {
        "model": f"{found.provider}/{found.model}",
        "cost": format(found.cost, "f"),
        "low": format(found.low, "f"),
        "high": format(found.high, "f"),
        "reasons": list(found.reasons),
        "price_data": found.price_data_version,
        "rows": [
            {
                "provider": row.source.provider,
                "model": row.source.model,
                "calls": row.source.calls,
                "cost": format(row.source.cost, "f"),
                "low": None if row.low is None else format(row.low, "f"),
                "high": None if row.high is None else format(row.high, "f"),
                "left_out": row.reason,
            }
            for row in found.rows
        ],
    }

"""`genops recommend`: where the same work would cost less."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from genops.analytics.recommend import recommend
from genops.cli._ledger_options import AsJson, Ledger, Until, Where, asked, ledger_source, read_book
from genops.cli._options import since_until
from genops.cli._tables import money

__all__ = ["register"]

_EPILOG = (
    "Examples: genops recommend. genops recommend --since 7d --where team=search --top 5. "
    "A cheaper model is named only where evaluations of both (genops.record_evaluation) say that it does as well."
)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("recommend", epilog=_EPILOG)(recommendations)


def recommendations(
    since: Annotated[str, typer.Option(help="A date, or how long ago: 7d, 24h.")] = "30d",
    until: Until = None,
    where: Where = None,
    top: Annotated[int, typer.Option(help="How many at most.", min=1)] = 10,
    config: Annotated[Path | None, typer.Option(help="A genops.yaml whose rates apply; else the nearest one.")] = None,
    ledger: Ledger = None,
    as_json: AsJson = False,
) -> None:
    """Say where the calls of a span would have cost less: caching, batch, tiers, prompts, limits, models."""
    with ledger_source(ledger) as source:
        found = recommend(source, asked(*since_until(since, until), where), book=read_book(config))[:top]
    if as_json:
        rows = [
            {
                "kind": each.kind,
                "subject": each.subject,
                "low": format(each.low, "f"),
                "high": format(each.high, "f"),
                "why": each.why,
                "how": each.how,
            }
            for each in found
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    if not found:
        typer.echo("nothing to recommend: too few calls, or they already use what would make them cheaper.")
        return
    console = Console(highlight=False, soft_wrap=True)
    for each in found:
        amount = f"up to {money(each.high)}" if not each.low else f"{money(each.low)} to {money(each.high)}"
        what = "" if each.is_spent else " of budget held back, not spent"
        console.print(f"{each.kind}: {each.subject}, {amount} USD{what}", markup=False)
        console.print(f"    why: {each.why}", markup=False)
        console.print(f"    how: {each.how}", markup=False)
    console.print("savings of several lines about the same calls do not add up", style="dim")

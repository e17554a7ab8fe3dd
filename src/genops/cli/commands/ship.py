"""`genops ship`: the ledger's entries to ClickHouse, each exactly once."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genops.config import settings
from genops.core.errors import ConfigurationError
from genops.core.pricing import PriceBook
from genops.core.rates import Rates

if TYPE_CHECKING:
    from genops.analytics.clickhouse import Shipped

__all__ = ["register"]

_EPILOG = (
    "Examples: genops ship --to clickhouse://genops:secret@127.0.0.1:8123/genops. "
    "genops ship --every 60 keeps going. The URL may be in CLICKHOUSE_URL: no list of processes shows it then."
)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("ship", epilog=_EPILOG)(ship)


def ship(
    to: Annotated[str, typer.Option(envvar="CLICKHOUSE_URL", help="clickhouse://user:password@host:8123/database")],
    ledger: Annotated[Path | None, typer.Option(help="The ledger directory, if not that of the settings.")] = None,
    every: Annotated[int | None, typer.Option(help="Go on, and look again after so many seconds.", min=1)] = None,
    collector: Annotated[
        bool, typer.Option("--collector", help="Have what the Collector's exporter writes there booked, too.")
    ] = False,
) -> None:
    """Send what ClickHouse does not have of the ledger; what is sent twice counts once."""
    from genops.analytics import clickhouse

    loaded = settings.load({})
    directory = ledger or loaded.ledger.dir
    with closing(clickhouse.connect(to)) as client:
        for version in clickhouse.migrate(client):
            typer.echo(f"applied migration {version}")
        if collector:
            clickhouse.make_collector_view(client)
            typer.echo("what the Collector's exporter writes is booked from now on")
        book = PriceBook.default(Rates.parse(loaded.prices))
        while True:
            _once(lambda: clickhouse.ship(client, directory, book=book), forgive=every is not None)
            if every is None:
                return
            time.sleep(every)


def _once(send: Callable[[], Shipped], *, forgive: bool) -> None:
    """Send what is there. Who goes on tells of a problem, and tries again next time."""
    try:
        sent = send()
    except ConfigurationError as error:
        if not forgive:
            raise
        typer.echo(error, err=True)
    else:
        typer.echo(f"{sent.calls} calls and {sent.evaluations} evaluations sent")

"""Options that commands about a ledger share: which one, which calls, when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from genops.analytics import Filters, Source, open_source
from genops.cli._options import condition
from genops.config import settings
from genops.core.errors import ConfigurationError
from genops.core.ledger import LedgerEntry
from genops.core.pricing import PriceBook
from genops.core.rates import Rates
from genops.core.totals import value_of
from genops.stores import LedgerReader

__all__ = [
    "AsJson",
    "ClickHouse",
    "Config",
    "Ledger",
    "Since",
    "Until",
    "Where",
    "asked",
    "ledger_source",
    "month_span",
    "read_book",
    "read_entries",
    "read_rates",
]

Ledger = Annotated[Path | None, typer.Option(help="The ledger directory, if not that of the settings.")]
Since = Annotated[str | None, typer.Option(help="A date, or how long ago: 7d, 24h.")]
Until = Annotated[str | None, typer.Option(help="A date, not included.")]
Where = Annotated[list[str] | None, typer.Option(help="column=value; may be repeated.")]
ClickHouse = Annotated[
    str | None, typer.Option("--from", help="clickhouse://user:password@host:8123/database instead of a ledger.")
]
Config = Annotated[Path | None, typer.Option(help="A genops.yaml whose rates apply; else the one found from here.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


def read_entries(
    ledger: Path | None, since: datetime | None, until: datetime | None, where: list[str] | None = None
) -> Iterator[LedgerEntry]:
    """The entries of a ledger that are asked for, oldest first, one at a time.

    Raises `ConfigurationError` where there is no ledger, and for a condition that is none.
    """
    reader = LedgerReader(ledger or settings.load({}).ledger.dir)
    conditions = [condition(text) for text in where or []]
    return (
        entry
        for entry in reader.entries(since, until)
        if all(value_of(entry, column) == value for column, value in conditions)
    )


@contextmanager
def ledger_source(ledger: Path | None) -> Iterator[Source]:
    """What answers questions about a ledger, for as long as they are asked."""
    source = open_source(ledger or settings.load({}).ledger.dir)
    try:
        yield source
    finally:
        source.close()


def asked(
    since: datetime | None, until: datetime | None, where: list[str] | None, currency: str | None = "USD"
) -> Filters:
    """The calls that options ask for; amounts of several currencies do not add up, so it is one."""
    conditions = [condition(text) for text in where or []]
    own = [("currency", currency)] if currency is not None else []
    return Filters(since, until, (*conditions, *own))


def read_book(config: Path | None) -> PriceBook:
    """The price book with the rates of a genops.yaml over it."""
    return PriceBook.default(read_rates(config))


def read_rates(config: Path | None) -> Rates:
    """The rates of a genops.yaml: the one named, else the nearest one."""
    return Rates.parse(settings.load({}, config_file=config).prices)


def month_span(text: str | None) -> tuple[datetime, datetime]:
    """The first moment of a month (YYYY-MM; the one that runs if left out) and that of the next one, in UTC."""
    try:
        given = datetime.strptime(text, "%Y-%m") if text is not None else datetime.now(UTC)
    except ValueError:
        raise ConfigurationError(f"--month {text!r} is no month.", fix="--month 2026-11") from None
    start = datetime(given.year, given.month, 1, tzinfo=UTC)
    return start, (start + timedelta(days=32)).replace(day=1)

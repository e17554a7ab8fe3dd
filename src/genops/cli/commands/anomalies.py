"""`genops anomalies`: days that cost what such days do not cost, and why."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer
from rich.console import Console

from genops.analytics import Source
from genops.analytics.anomalies import LEAST_DAYS, PARTS, THRESHOLD, Anomaly, ModelDay, find_anomalies
from genops.analytics.budget_series import as_date
from genops.cli._ledger_options import AsJson, Ledger, Where, asked, ledger_source
from genops.cli._options import moment
from genops.cli._tables import money
from genops.core.errors import ConfigurationError

__all__ = ["register"]

_EPILOG = (
    "Examples: genops anomalies. genops anomalies --by customer_id --since 30d --least 5. "
    "Exit codes: 0 nothing stands out, 1 something does."
)
_PLACES = Decimal("0.000001")
_MODELS = 3
_MEANS = {
    "volume": "the number of calls",
    "mix": "which models were called",
    "rate": "tokens per call",
    "price": "what a token costs",
}


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("anomalies", epilog=_EPILOG)(anomalies)


def anomalies(
    by: Annotated[str, typer.Option(help="Each value of this column by itself.")] = "team",
    since: Annotated[str, typer.Option(help="The days to judge: a date, or how long ago.")] = "7d",
    window: Annotated[
        int, typer.Option(help="How many days before to hold a day against.", min=LEAST_DAYS, max=366)
    ] = 28,
    threshold: Annotated[str, typer.Option(help="Deviations from the median from which a day stands out.")] = str(
        THRESHOLD
    ),
    least: Annotated[str, typer.Option(help="The smallest change worth telling, in USD.")] = "0.01",
    where: Where = None,
    ledger: Ledger = None,
    as_json: AsJson = False,
) -> None:
    """Find days that stand out, and take each change apart: volume, mix, rate, price.

    Days are UTC days; today, which is not over, is not judged.
    """
    now = datetime.now(UTC)
    today = now.date()
    start = (moment("--since", since) or now).date()
    if start >= today:
        raise ConfigurationError("there is no whole day to judge.", fix="--since 7d")
    days = [start + timedelta(days=number) for number in range((today - start).days)]
    first = datetime.combine(start - timedelta(days=window), time(), UTC)
    with ledger_source(ledger) as source:
        segments = _segments(source, by, where, first, datetime.combine(today, time(), UTC))
    found = find_anomalies(
        segments, days, window=window, threshold=_number("--threshold", threshold), least=_number("--least", least)
    )
    if as_json:
        typer.echo(json.dumps([_as_dict(each, by) for each in found], indent=2))
    else:
        _print(found, by, segments, (days[0], days[-1]))
    raise typer.Exit(1 if found else 0)


Segments = dict[str | None, dict[date, dict[str, ModelDay]]]


def _segments(source: Source, by: str, where: list[str] | None, first: datetime, until: datetime) -> Segments:
    segments: Segments = {}
    for row in source.query("spend_by", asked(first, until, where), by=(by, "day", "provider", "model")):
        priced = row["calls"] - row["unpriced"]
        if priced > 0:
            model = f"{row['provider']}/{row['model']}"
            day = segments.setdefault(row[by], {}).setdefault(as_date(row["day"]), {})
            day[model] = ModelDay(priced, int(row["input_tokens"] + row["output_tokens"]), row["cost"])
    return segments


def _number(option: str, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0:
        raise ConfigurationError(f"{option}: {text!r} is no number.", fix=f"{option} 3.5")
    return number


def _print(found: list[Anomaly], by: str, segments: Segments, span: tuple[date, date]) -> None:
    console = Console(highlight=False)
    for each in found:
        name = each.segment if each.segment is not None else "(none)"
        console.print(
            f"{each.day}  {by} {name}: {money(each.cost)} USD, usually {money(each.usual.quantize(_PLACES))} "
            f"({each.score:+} deviations, against {each.days} days)",
            soft_wrap=True,
            markup=False,
        )
        parts = ", ".join(f"{part} {_signed(getattr(each.change, part))}" for part in PARTS)
        console.print(f"    change {_signed(each.change.total)}: {parts}", soft_wrap=True)
        console.print(f"    mostly {each.change.largest}: {_MEANS[each.change.largest]}")
        moved = ", ".join(f"{model} {_signed(amount)}" for model, amount in each.models[:_MODELS])
        console.print(f"    models: {moved}", soft_wrap=True, markup=False)
    if not found:
        known = max((len(days) for days in segments.values()), default=0)
        enough = f"; {known} days are there, and {LEAST_DAYS} before a day are needed" if known <= LEAST_DAYS else ""
        console.print(f"no day from {span[0]} to {span[1]} stands out{enough}", soft_wrap=True)


def _signed(amount: Decimal) -> str:
    rounded = amount.quantize(_PLACES)
    return f"{'+' if rounded >= 0 else '-'}{money(abs(rounded))}"


def _as_dict(each: Anomaly, by: str) -> dict[str, Any]:
    return {
        by: each.segment,
        "day": each.day.isoformat(),
        "cost": format(each.cost, "f"),
        "usual": format(each.usual, "f"),
        "score": format(each.score, "f"),
        "days": each.days,
        "change": {name: format(getattr(each.change, name), "f") for name in ("total", *PARTS)},
        "models": {model: format(amount, "f") for model, amount in each.models},
    }

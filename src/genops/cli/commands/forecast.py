"""`genops forecast`: what the coming days cost, and when budgets are used up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from genops.analytics import Source
from genops.analytics.budget_series import BudgetUse, as_date, budget_use
from genops.analytics.forecast import LEAST_DAYS, Exhaustion, Forecast, exhaustion, filled, forecast
from genops.cli._ledger_options import AsJson, Ledger, Where, asked, ledger_source
from genops.cli._options import moment
from genops.cli._tables import money
from genops.config import settings
from genops.core.errors import ConfigurationError

__all__ = ["register"]

_EPILOG = (
    "Examples: genops forecast. genops forecast --by team --days 14. genops forecast --where customer_id=acme. "
    "Refuses with fewer than 7 whole days of calls; weekdays are told apart from 14 days on."
)
_CENT = Decimal("0.01")
_WINDOW_DAYS = 366


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("forecast", epilog=_EPILOG)(forecast_costs)


def forecast_costs(
    days: Annotated[int, typer.Option(help="How many days to foretell.", min=1, max=366)] = 30,
    by: Annotated[str | None, typer.Option(help="One forecast for each value of a column.")] = None,
    since: Annotated[str, typer.Option(help="The past to learn from: a date, or how long ago.")] = "90d",
    confidence: Annotated[int, typer.Option(help="Percent of the interval.", min=50, max=99)] = 90,
    where: Where = None,
    budgets: Annotated[bool, typer.Option(help="When the budgets of genops.yaml are used up.")] = True,
    config: Annotated[Path | None, typer.Option(help="The genops.yaml with the budgets; else the nearest one.")] = None,
    ledger: Ledger = None,
    as_json: AsJson = False,
) -> None:
    """Foretell what the coming days cost, with an interval, and when each budget is used up.

    Days are UTC days; today, which is not over, is not learned from.
    """
    now = datetime.now(UTC)
    level = confidence / 100
    start = moment("--since", since) or now - timedelta(days=90)
    with ledger_source(ledger) as source:
        found = _forecasts(source, by, where, (start, now), days, level)
        uses: list[tuple[BudgetUse, Forecast | None, Exhaustion | None]] = []
        if budgets and not where:
            uses = list(_budgets(source, config, start, now, level))
    if as_json:
        typer.echo(json.dumps(_as_dict(found, uses), indent=2))
        return
    _print(found, by, days)
    _print_budgets(uses)


def _forecasts(
    source: Source, by: str | None, where: list[str] | None, span: tuple[datetime, datetime], days: int, level: float
) -> dict[str | None, Forecast | ConfigurationError]:
    start, now = span
    today = now.date()
    rows = source.query("daily", asked(start, datetime.combine(today, time(), UTC), where), by=by)
    spent: dict[str | None, dict[date, Decimal]] = {}
    for row in rows:
        spent.setdefault(row["value"] if by else None, {})[as_date(row["day"])] = row["cost"]
    first = min((day for found in spent.values() for day in found), default=today)
    found: dict[str | None, Forecast | ConfigurationError] = {}
    for value, amounts in sorted(spent.items(), key=lambda item: -sum(item[1].values())):
        began = min(amounts) if by else first
        found[value] = _or_error(filled(amounts, began, today - timedelta(days=1)), days, level)
    if not any(isinstance(each, Forecast) for each in found.values()):
        raise next((each for each in found.values() if isinstance(each, ConfigurationError)), _too_few())
    return found


def _too_few() -> ConfigurationError:
    return ConfigurationError(
        f"there are no whole days of calls to learn from; {LEAST_DAYS} are needed.",
        fix="wait, or look further back with --since",
    )


def _or_error(series: list[tuple[date, Decimal]], days: int, level: float) -> Forecast | ConfigurationError:
    try:
        return forecast(series, days, confidence=level)
    except ConfigurationError as error:
        return error


def _budgets(
    source: Source, config: Path | None, start: datetime, now: datetime, level: float
) -> Iterator[tuple[BudgetUse, Forecast | None, Exhaustion | None]]:
    found = settings.load({}, config_file=config).budgets
    today = now.date()
    for use in budget_use(source, found.budgets, start, now):
        end = datetime.fromtimestamp(use.span.end, UTC) if use.span.end is not None else None
        ahead = _WINDOW_DAYS if end is None else max(1, (end.date() - today).days + 1)
        past = {day: amount for day, amount in use.daily.items() if day < today}
        made = _or_error(filled(past, min(past, default=today), today - timedelta(days=1)), ahead, level)
        if isinstance(made, Forecast):
            reached = exhaustion(made, spent=use.spent, limit=use.budget.limit, now=now, end=end)
            yield use, made, reached
        else:
            yield use, None, None


def _print(found: dict[str | None, Forecast | ConfigurationError], by: str | None, days: int) -> None:
    console = Console(highlight=False)
    table = Table(title=f"The next {days} days", title_justify="left", show_edge=False, pad_edge=False)
    for name in (by or "", "expected USD", "low", "high", "learned from"):
        table.add_column(name, justify="left" if name in (by or "", "learned from") else "right", overflow="fold")
    made = [(value, each) for value, each in found.items() if isinstance(each, Forecast)]
    for value, each in made:
        total = each.total
        learned = f"{each.days_used} days" + ("" if each.weekly else ", weekdays not told apart")
        table.add_row(
            _name(value, by), *(_cents(amount) for amount in (total.expected, total.low, total.high)), learned
        )
    console.print(table)
    for value, error in found.items():
        if isinstance(error, ConfigurationError):
            console.print(f"{_name(value, by)}: {error.message}", markup=False, soft_wrap=True)
    level = made[0][1].confidence
    console.print(f"low and high: {level:.0%} of what may come, if the coming days are like the past ones", style="dim")


def _name(value: str | None, by: str | None) -> str:
    return (value if value is not None else "(none)") if by else "all"


def _cents(amount: Decimal) -> str:
    return f"{amount.quantize(_CENT):,}" if amount >= 1 or not amount else money(amount.quantize(Decimal("0.000001")))


def _print_budgets(uses: list[tuple[BudgetUse, Forecast | None, Exhaustion | None]]) -> None:
    console = Console(highlight=False)
    for use, _, reached in uses:
        group = ", ".join(f"{name}={value or '(none)'}" for name, value in use.group.items())
        named = f"{use.budget.name} ({group})" if group else use.budget.name
        over = "used up" if use.spent >= use.budget.limit else _when(reached)
        console.print(
            f"{named}: {_cents(use.spent)} of {_cents(use.budget.limit)} USD; {over}",
            markup=False,
            soft_wrap=True,
        )


def _when(reached: Exhaustion | None) -> str:
    if reached is None:
        return f"not foretold: fewer than {LEAST_DAYS} whole days of its calls"
    if reached.earliest is None:
        return "not used up before its window ends"
    expected = f"used up {reached.expected:%Y-%m-%d}" if reached.expected is not None else "lasts, as expected"
    latest = f"{reached.latest:%Y-%m-%d}" if reached.latest is not None else "not at all"
    return f"{expected} (earliest {reached.earliest:%Y-%m-%d}, latest {latest})"


def _as_dict(
    found: dict[str | None, Forecast | ConfigurationError],
    uses: list[tuple[BudgetUse, Forecast | None, Exhaustion | None]],
) -> dict[str, Any]:
    return {
        "forecasts": [
            {"value": value, "refused": each.message} if isinstance(each, ConfigurationError) else _made(value, each)
            for value, each in found.items()
        ],
        "budgets": [
            {
                "budget": use.budget.name,
                "group": dict(use.group),
                "period": use.span.label,
                "limit": format(use.budget.limit, "f"),
                "spent": format(use.spent, "f"),
                "foretold": reached is not None,
                **{
                    name: when.isoformat() if (when := getattr(reached, name, None)) is not None else None
                    for name in ("expected", "earliest", "latest")
                },
            }
            for use, _, reached in uses
        ],
    }


def _made(value: str | None, each: Forecast) -> dict[str, Any]:
    def amounts(day: Any) -> dict[str, str]:
        return {name: format(getattr(day, name), "f") for name in ("expected", "low", "high")}

    return {
        "value": value,
        **amounts(each.total),
        "confidence": each.confidence,
        "days_used": each.days_used,
        "weekly": each.weekly,
        "days": [{"day": day.day.isoformat(), **amounts(day)} for day in each.days],
    }

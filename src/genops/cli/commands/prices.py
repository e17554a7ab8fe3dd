"""`genops prices`: which price a model has, why a response cost what it did, and whether cases come out right."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

import genops
from genops.config import settings
from genops.core.cost import Cost, Unpriced
from genops.core.errors import ConfigurationError
from genops.core.pricing import PriceBook, PriceQuery
from genops.core.rates import Rates

__all__ = ["register"]

_PLACES = Decimal("0.000000000001")
_CONFIG = typer.Option(help="A genops.yaml whose rates apply; the one found from here otherwise.")


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    prices = typer.Typer(name="prices", help="List prices, with your own rates over them.", no_args_is_help=True)
    prices.command("show", epilog="Example: genops prices show gpt-5.4 --provider openai")(show)
    prices.command(
        "explain", epilog="Example: genops prices explain answer.json --provider openai --api responses --model gpt-5.4"
    )(explain)
    prices.command("check", epilog="Exit codes: 0 all right, 1 some case differs, 2 the file cannot be read.")(check)
    app.add_typer(prices)


def show(
    model: Annotated[str, typer.Argument(help="The model, as the provider calls it.")],
    provider: Annotated[str, typer.Option(help="Who sends the bill, e.g. openai, aws.bedrock.")] = "openai",
    at: Annotated[str | None, typer.Option(help="The price in force then; now if left out.")] = None,
    config: Annotated[Path | None, _CONFIG] = None,
) -> None:
    """Show the price row of a model: meters, prices, tiers."""
    book = PriceBook.default(Rates.parse(_rates(config)))
    name, meters, reason, *_ = book.row(PriceQuery(provider=provider, at=_moment(at), request_model=model))
    if reason is not None:
        raise ConfigurationError(
            f"{reason} at {provider}.",
            fix="give it a rate under custom_rates in genops.yaml, or name another --provider",
        )
    table = Table(title=f"{provider}: {name}  ({book.version})", title_justify="left", show_edge=False, pad_edge=False)
    for column in ("meter", "USD", "per", "above"):
        table.add_column(column, justify="left" if column == "meter" else "right")
    for meter, price in meters.items():
        table.add_row(meter, format(price.price, "f"), f"{price.per:,}", "")
        for comparison, threshold, amount in price.tiers:
            table.add_row("", format(amount, "f"), f"{price.per:,}", f"{comparison} {threshold:,} input tokens")
    Console().print(table)


def explain(
    file: Annotated[Path, typer.Argument(help="One raw response of the provider as JSON; - reads standard input.")],
    provider: Annotated[str, typer.Option(help="Who sends the bill.")],
    api: Annotated[str, typer.Option(help="Which API answered: chat_completions, responses, messages, ...")],
    model: Annotated[str | None, typer.Option(help="The model that was requested.")] = None,
    at: Annotated[str | None, typer.Option(help="When the request was made.")] = None,
    config: Annotated[Path | None, _CONFIG] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the cost as JSON.")] = False,
) -> None:
    """Say line by line what one response cost, and why."""
    cost = genops.price_response(provider, api, _read(file), model=model, at=_moment(at), config=_rates(config))
    if as_json:
        typer.echo(json.dumps(_as_dict(cost), indent=2))
        return
    console = Console(highlight=False)
    if isinstance(cost, Unpriced):
        console.print(f"unpriced: {cost.reason}  ({cost.price_data_version})")
        return
    for line in _lines(cost):
        console.print(f"  {line}")
    listed = "" if cost.list_amount in (None, cost.amount) else f", list price {cost.list_amount:f}"
    console.print(
        f"{cost.amount:f} {cost.currency}, {cost.status}{listed}: row {cost.priced_model}, {cost.price_data_version}"
    )
    if cost.missing_meters:
        console.print(f"without a price: {', '.join(cost.missing_meters)}")


def check(file: Annotated[Path, typer.Argument(help="Cases, in the format of spec/vectors/cost.")]) -> None:
    """Price every case of a file and print each one that differs."""
    document = _read(file)
    cases = document.get("cases") if isinstance(document, dict) else None
    if not isinstance(cases, list):
        raise ConfigurationError(f"{file} holds no cases.", fix="give a file like spec/vectors/cost/golden.json")
    failures = 0
    for case in cases:
        problem = _problem(case)
        if problem is not None:
            failures += 1
            typer.echo(problem)
    typer.echo(f"{len(cases) - failures} of {len(cases)} cases agree")
    raise typer.Exit(1 if failures else 0)


def _problem(case: dict[str, Any]) -> str | None:
    cost = genops.price_response(
        case["provider"],
        case["api"],
        case["response"],
        model=case.get("model"),
        request=case.get("request"),
        at=datetime.fromisoformat(case["request_time"]),
        context=case.get("context"),
        config=case.get("config"),
    )
    expected = case["expected_cost_usd"]
    wanted = None if expected is None else Decimal(expected).quantize(_PLACES)
    found = cost.amount.quantize(_PLACES) if isinstance(cost, Cost) else None
    status = cost.status.value if isinstance(cost, Cost) else "unpriced"
    unmeasured = case["expected_status"] == "estimated_or_unmeasured" and (found is None or status == "estimated")
    if unmeasured or (found == wanted and status == case["expected_status"]):
        return None
    lines = "\n".join(
        f"    {line['meter']} {line['quantity']} x {line['unit_price_usd']} / {line['per']}"
        for line in case.get("price_lines") or ()
    )
    computed = "\n".join(f"    {line}" for line in _lines(cost)) if isinstance(cost, Cost) else f"    {cost.reason}"
    return (
        f"{case['id']}: expected {expected} {case['expected_status']}\n{lines}\n  computed {found} {status}\n{computed}"
    )


def _lines(cost: Cost) -> list[str]:
    return [
        f"{line.meter:<18}{line.quantity:>12} x {line.unit_price:f} / {line.per:,}"
        + (f" x {line.multiplier:f}" if line.multiplier != 1 else "")
        + f" = {line.amount:f}"
        for line in cost.lines
    ]


def _as_dict(cost: Cost | Unpriced) -> dict[str, Any]:
    if isinstance(cost, Unpriced):
        return {"status": "unpriced", "reason": cost.reason, "price_data_version": cost.price_data_version}
    return {
        "amount": f"{cost.amount:f}",
        "list_amount": None if cost.list_amount is None else f"{cost.list_amount:f}",
        "currency": cost.currency,
        "status": cost.status.value,
        "source": cost.source.value,
        "priced_model": cost.priced_model,
        "price_data_version": cost.price_data_version,
        "missing_meters": list(cost.missing_meters),
        "lines": [
            {
                "meter": line.meter,
                "quantity": str(line.quantity),
                "unit_price": f"{line.unit_price:f}",
                "per": line.per,
                "multiplier": f"{line.multiplier:f}",
                "amount": f"{line.amount:f}",
            }
            for line in cost.lines
        ],
    }


def _rates(config: Path | None) -> dict[str, Any]:
    return dict(settings.load({}, config_file=config).prices)


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"--at {text!r} is no time.", fix="--at 2026-11-20T15:00:00Z") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _read(file: Path) -> Any:
    try:
        return json.loads(sys.stdin.read() if str(file) == "-" else file.read_text())
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}.", fix="name a JSON file, or -") from None
    except ValueError as error:
        raise ConfigurationError(f"{file} is not JSON: {error}.", fix="give the provider's raw response") from None

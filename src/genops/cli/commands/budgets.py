"""`genops budgets`: what is left of each budget, and whether the counters agree with the ledger."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from genops.config import settings
from genops.config.budgets import BudgetSettings, budget_settings
from genops.config.files import find_file, read_file
from genops.core._suggest import did_you_mean
from genops.core.budgets.audit import Drift, auditable, find_drift, spent_by_ledger
from genops.core.budgets.model import Budget, counter_key, parse_key
from genops.core.budgets.standing import Standing, standings
from genops.core.budgets.store import BudgetStore
from genops.core.budgets.units import amount_of, as_counted
from genops.core.errors import ConfigurationError
from genops.stores import LedgerReader
from genops.stores.budgets import open_budget_store

__all__ = ["register"]

_CONFIG = typer.Option(
    envvar="GENOPS_CONFIG", help="The genops.yaml with the budgets; the one found from here otherwise."
)
_STORE = typer.Option(envvar="GENOPS_BUDGET_STORE", help="The store, e.g. redis://localhost:6379/0, if not the file's.")
_JSON = typer.Option("--json", help="Print as JSON.")
_GROUP = typer.Option(help="field=value; may be repeated.")
_LEDGER = typer.Option(help="A ledger directory; may be repeated, one for each machine.")
Config = Annotated[Path | None, _CONFIG]
Store = Annotated[str | None, _STORE]
AsJson = Annotated[bool, _JSON]
Group = Annotated[list[str] | None, _GROUP]
Ledgers = Annotated[list[Path] | None, _LEDGER]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    budgets = typer.Typer(name="budgets", help="What is left of each budget.", no_args_is_help=True)
    budgets.command("list", epilog="Example: genops budgets list --json")(list_budgets)
    budgets.command("show", epilog="Example: genops budgets show team-monthly")(show)
    budgets.command("set", epilog="Example: genops budgets set team-monthly 12.50 --group team=search")(set_spent)
    budgets.command("verify", epilog="Exit codes: 0 all counters agree with the ledger, 1 some differ.")(verify)
    budgets.command("reconcile", epilog="Example: genops budgets reconcile --ledger /mnt/a --ledger /mnt/b")(reconcile)
    app.add_typer(budgets)


def list_budgets(config: Config = None, store: Store = None, as_json: AsJson = False) -> None:
    """Print every budget with what is spent, reserved and left in the window that runs now."""
    found, opened = _open(config, store)
    _print(standings(found.budgets, opened), opened.clock(), as_json)


def show(
    name: Annotated[str, typer.Argument(help="The budget.")],
    config: Config = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Print one budget with all its groups, how fast it is used, and when it will be used up."""
    found, opened = _open(config, store)
    budget, now = _budget(found, name), opened.clock()
    rows = list(standings((budget,), opened))
    _print(rows, now, as_json)
    if as_json:
        return
    match = " and ".join(f"{field} {'|'.join(globs)}" for field, globs in budget.match.items()) or "every call"
    typer.echo(f"for {match}; {budget.mode}, {budget.estimator}, {budget.on_store_error}; {budget.source}")
    for row in rows:
        heading = row.heading(now)
        if heading is not None and heading.exhausted_at is not None:
            hours = (heading.exhausted_at - now) / 3600
            typer.echo(
                f"{_group(row.group)}: used up in {hours:.1f} h at {_plain(round(heading.per_hour, 6))} per hour"
            )


def set_spent(
    name: Annotated[str, typer.Argument(help="The budget.")],
    spent: Annotated[str, typer.Argument(help="What its counter is to say was spent, in its unit.")],
    group: Group = None,
    config: Config = None,
    store: Store = None,
) -> None:
    """Set what the counter of the window that runs now says was spent. Limits are set in genops.yaml."""
    found, opened = _open(config, store)
    budget = _budget(found, name)
    given = {field: value for field, _, value in (part.partition("=") for part in group or [])}
    if set(given) != set(budget.group_by):
        wanted = " ".join(f"--group {field}=..." for field in budget.group_by)
        raise ConfigurationError(
            f"budget {name!r} is kept by {', '.join(budget.group_by) or 'no field'}; got {', '.join(given) or 'none'}.",
            fix=f"genops budgets set {name} {spent} {wanted}".strip(),
        )
    try:
        amount = as_counted(Decimal(spent), budget.unit)
    except ArithmeticError:
        raise ConfigurationError(f"{spent!r} is no amount.", fix=f"genops budgets set {name} 12.50") from None
    start = budget.window.at(opened.clock()).start
    key = counter_key(name, {field: given[field] for field in budget.group_by}, budget.window.series, start)
    (before,) = opened.usage([key])
    opened.adjust(key, amount)
    typer.echo(f"{name} {_group(given)}: {_plain(amount_of(before.spent, budget.unit))} -> {spent} {budget.unit}")


def verify(config: Config = None, store: Store = None, ledger: Ledgers = None, as_json: AsJson = False) -> None:
    """Compute the counters from the ledger and report every one that differs."""
    found, opened = _open(config, store)
    drift, checked = _drift(found, opened, settings.load({}, config_file=config).ledger, ledger)
    if as_json:
        typer.echo(json.dumps([_drift_as_dict(each) for each in drift], indent=2))
    else:
        for each in drift:
            typer.echo(_drift_line(each))
        typer.echo(f"{checked} counters checked, {len(drift)} differ from the ledger")
        for budget in found.budgets:
            if not auditable(budget):
                typer.echo(f"not checked: {budget.name} counts {budget.unit}, which the ledger does not say")
        if drift:
            typer.echo("  fix: genops budgets reconcile")
    raise typer.Exit(1 if drift else 0)


def reconcile(config: Config = None, store: Store = None, ledger: Ledgers = None) -> None:
    """Set every counter that differs to what the ledger says. Reservations of calls in flight stay."""
    found, opened = _open(config, store)
    drift, checked = _drift(found, opened, settings.load({}, config_file=config).ledger, ledger)
    for each in drift:
        opened.adjust(each.key, each.recorded)
        typer.echo(f"{_drift_line(each)}: set")
    if not drift:  # a store that was emptied and should be empty is to be trusted again, too
        for row in standings(found.budgets, opened):
            opened.adjust(counter_key(row.budget.name, row.group, row.budget.window.series, row.span.start), row.spent)
    typer.echo(f"{checked} counters checked, {len(drift)} set")


def _open(config: Path | None, store: str | None) -> tuple[BudgetSettings, BudgetStore]:
    path = config or find_file(Path.cwd())
    if path is None:
        raise ConfigurationError(
            "there is no genops.yaml here.", fix="genops budgets list --config path/to/genops.yaml"
        )
    found = budget_settings(read_file(path, asked_for_by="--config" if config else None))
    if not found.budgets:
        raise ConfigurationError(f"{path} has no budgets.", fix="budgets: [{name: org-monthly, limit: 500}]")
    url = store or found.store or f"sqlite:{settings.load({}, config_file=path).ledger.dir / 'budgets.db'}"
    return found, open_budget_store(url, namespace=found.namespace, timeout_s=5.0)


def _budget(found: BudgetSettings, name: str) -> Budget:
    names = {budget.name: budget for budget in found.budgets}
    if name not in names:
        raise ConfigurationError(
            f"there is no budget {name!r}.{did_you_mean(name, names)}", fix=f"use one of {', '.join(names)}"
        )
    return names[name]


def _print(rows: Any, now: float, as_json: bool) -> None:
    rows = list(rows)
    if as_json:
        typer.echo(json.dumps([_as_dict(row, now) for row in rows], indent=2))
        return
    table = Table(show_edge=False, pad_edge=False)
    for column in ("budget", "group", "period", "unit", "spent", "held", "limit", "left", "used"):
        left = column in ("budget", "group", "period", "unit")
        table.add_column(column, justify="left" if left else "right", overflow="fold")
    for row in rows:
        unit = row.budget.unit
        share = (row.spent + row.reserved) / row.limit if row.limit else 1.0
        amounts = (amount_of(row.spent, unit), amount_of(row.reserved, unit), row.budget.limit, row.left)
        cells = [_plain(round(each, 4)) for each in amounts]
        table.add_row(row.budget.name, _group(row.group), row.span.label, unit, *cells, f"{share:.0%}")
    Console().print(table)


def _as_dict(row: Standing, now: float) -> dict[str, Any]:
    unit, heading = row.budget.unit, row.heading(now)
    return {
        "budget": row.budget.name,
        "group": row.group,
        "period": row.span.label,
        "unit": unit,
        "limit": _plain(row.budget.limit),
        "spent": _plain(amount_of(row.spent, unit)),
        "reserved": _plain(amount_of(row.reserved, unit)),
        "left": _plain(row.left),
        "window_end": row.span.end,
        "per_hour": None if heading is None else _plain(round(heading.per_hour, 9)),
        "exhausted_at": None if heading is None or heading.exhausted_at is None else round(heading.exhausted_at),
    }


def _drift(
    found: BudgetSettings, store: BudgetStore, own: settings.LedgerSettings, ledgers: list[Path] | None
) -> tuple[list[Drift], int]:
    entries = [entry for directory in ledgers or [own.dir] for entry in LedgerReader(directory).entries()]
    recorded = spent_by_ledger(entries, found.budgets)
    counters = [counter for budget in found.budgets if auditable(budget) for counter in store.counters(budget.name)]
    since = None if own.retention_days is None else time.time() - own.retention_days * 86_400
    drift = find_drift(recorded, counters, found.budgets, since)
    return drift, len({*recorded, *(counter.key for counter in counters)})


def _drift_line(drift: Drift) -> str:
    name, group, _, _ = parse_key(drift.key)
    said, should = (_plain(amount_of(each, drift.unit)) for each in (drift.counted, drift.recorded))
    return f"{name} {_group(group)}: counter {said}, ledger {should} {drift.unit}"


def _drift_as_dict(drift: Drift) -> dict[str, Any]:
    name, group, _, start = parse_key(drift.key)
    return {
        "budget": name,
        "group": group,
        "window_start": start,
        "unit": drift.unit,
        "counter": _plain(amount_of(drift.counted, drift.unit)),
        "ledger": _plain(amount_of(drift.recorded, drift.unit)),
        "difference": _plain(drift.difference),
    }


def _group(group: dict[str, str]) -> str:
    return ", ".join(f"{field}={value or '(none)'}" for field, value in group.items()) or "all"


def _plain(amount: Decimal) -> str:
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text

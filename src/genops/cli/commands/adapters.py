"""`genops adapters`: which SDKs are installed, in range, patched, and who else wraps their methods."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from genops.core.errors import NotInstalled
from genops.providers._engine import registry
from genops.providers._engine.patching import missing_targets, wrappers_around
from genops.providers._engine.spec import Adapter

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        "adapters",
        epilog="To see who else wraps methods in your application: opentelemetry-instrument genops adapters",
    )(adapters)


def adapters(
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
    installed: Annotated[bool, typer.Option("--installed", help="Only those whose package is here.")] = False,
) -> None:
    """List every adapter: its package, whether it is in range, how many methods are patched, and by whom else."""
    rows = [_row(adapter) for adapter in registry.adapters().values()]
    if installed:
        rows = [row for row in rows if row["version"] is not None]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table(show_edge=False, pad_edge=False)
    for column in ("adapter", "package", "installed", "state", "methods", "also wrapped by"):
        table.add_column(column, no_wrap=column != "also wrapped by")
    for row in rows:
        table.add_row(
            row["adapter"],
            f"{row['package']}{row['requires']}",
            row["version"] or "no",
            row["state"],
            f"{len(row['patched'])} of {len(row['patched']) + len(row['missing'])}" if row["patched"] else "",
            ", ".join(row["others"]),
        )
    Console(soft_wrap=True).print(table)


def _row(adapter: Adapter) -> dict[str, Any]:
    """One adapter, switched on for as long as this command runs."""
    row: dict[str, Any] = {
        "adapter": adapter.name,
        "package": adapter.package.name,
        "requires": adapter.package.requires,
        "version": adapter.package.installed(),
        "state": "not installed",
        "patched": [],
        "missing": [],
        "others": [],
    }
    try:
        version = adapter.package.check()
    except NotInstalled:
        if row["version"] is not None:
            row["state"] = "out of range"
        return row
    patches = registry.instrument(adapter)
    row["missing"] = missing_targets(adapter, version)  # imports the package, which patches it
    row["patched"] = list(patches.methods)
    row["state"] = "patched" if row["patched"] else "not patched"
    around = wrappers_around(adapter)
    row["others"] = sorted({who for chain in around.values() for who in chain if who != "genops"})
    return row

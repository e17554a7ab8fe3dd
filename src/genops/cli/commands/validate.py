"""`genops validate`: check this environment, each finding with its fix."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

import genops
from genops.core.validation import Severity

__all__ = ["register"]

_STYLES = {Severity.OK: "green", Severity.INFO: "cyan", Severity.WARNING: "yellow", Severity.ERROR: "bold red"}


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("validate", epilog="Exit codes: 0 nothing is broken, 1 something is. Example: genops validate --live")(
        validate
    )


def validate(
    live: Annotated[
        bool, typer.Option(help="Also make one free call per provider, and send the backend a span.")
    ] = False,
    backend: Annotated[str | None, typer.Option(help="Check this backend alone: honeycomb, datadog, ...")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check settings, ledger, telemetry and adapters; every finding says what to type."""
    result = genops.validate_setup(live=live, backend=backend)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in result.findings], indent=2))
    else:
        console = Console(highlight=False, soft_wrap=True)
        for finding in result.findings:
            line = Text.assemble(
                (f"{finding.severity.value:<8}", _STYLES[finding.severity]), f"{finding.check:<12}", finding.message
            )
            console.print(line)
            if finding.fix is not None:
                console.print(Text(f"{'':<20}fix: {finding.fix}", "dim"))
    raise typer.Exit(0 if result.is_valid else 1)

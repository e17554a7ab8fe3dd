"""`genops conformance FILE`: check exported telemetry against the GenOps Governance Specification."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from genops import semconv as s
from genops.core.errors import ConfigurationError
from genops.testing.conformance import Level, Report, Violation, check

__all__ = ["register"]

_SHOWN = 5  # violations of one rule; --json has all of them
_EPILOG = (
    "The file is OTLP JSON (one document, or one per line as the Collector's file exporter writes) or OTLP protobuf. "
    "Exit codes: 0 conforms, 1 violations, 2 the file cannot be read. "
    "Example: genops conformance traces.jsonl --level full"
)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("conformance", epilog=_EPILOG)(conformance)


def conformance(
    file: Annotated[Path, typer.Argument(help="Exported spans, of GenOps or of any other runtime.")],
    level: Annotated[
        Level, typer.Option(help="What is claimed; partial demands no reservation, actual and reconciliation.")
    ] = Level.FULL,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole report as JSON.")] = False,
) -> None:
    """Check exported telemetry against every rule of the GenOps Governance Specification."""
    try:
        report = check(file, level=level)
    except ConfigurationError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    if as_json:
        typer.echo(json.dumps(report.to_dict(), indent=2))
    else:
        _print(Console(soft_wrap=True, highlight=False), report)
    raise typer.Exit(0 if report.ok else 1)


def _print(console: Console, report: Report) -> None:
    for rule, group in groupby(report.violations, key=lambda violation: violation.rule):
        violations = list(group)
        console.print(Text.assemble((rule, "bold red"), "  ", (violations[0].text, "bold"), f"  {len(violations)} x"))
        for violation in violations[:_SHOWN]:
            _print_violation(console, violation)
        if len(violations) > _SHOWN:
            console.print(Text(f"    and {len(violations) - _SHOWN} more; --json lists them all", "dim"))
        console.print()
    counts = f"{report.governed} governed of {report.spans} spans, {report.rules} rules"
    claim = f"GenOps v{s.SPEC_VERSION}" + (" - partial" if report.level is Level.PARTIAL else "")
    if report.ok:
        console.print(Text.assemble(("conforms", "bold green"), f" to {claim}: {counts}, violations: 0"))
    else:
        verdict = f" to {claim}: {counts}, violations: {len(report.violations)}"
        console.print(Text.assemble(("does not conform", "bold red"), verdict))


def _print_violation(console: Console, violation: Violation) -> None:
    if violation.span_id is not None:
        identity = f"  trace {violation.trace_id} span {violation.span_id}"
        console.print(Text.assemble("    ", (violation.span_name or "(no name)", "cyan"), (identity, "dim")))
    console.print(Text(f"      found     {violation.found}"))
    console.print(Text(f"      expected  {violation.expected}"))

"""`genops demo`: a real application on real SDKs against replayed traffic, and what governance makes of it."""

from __future__ import annotations

import importlib.util
import socket
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from rich.console import Console
from rich.progress import track as progress

import genops
from genops import semconv as s
from genops.cli._tables import money, print_costs
from genops.config import settings
from genops.core.errors import NotInstalled
from genops.core.ledger import LedgerEntry
from genops.stores import LedgerReader

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from genops.server.access import Access

__all__ = ["SETTINGS", "register"]

SETTINGS = Path(__file__).resolve().parents[1] / "demo" / "genops.yaml"
_SHOWN = ("team", "customer_id", "feature", "model")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    epilog = "Needs no key and no network. Example: genops demo --ledger ./demo-ledger --no-serve"
    app.command("demo", epilog=epilog)(demo)


def demo(
    ledger: Annotated[
        Path | None, typer.Option(help="Where to keep the demo's ledger; a temporary place if left out.")
    ] = None,
    serve: Annotated[
        bool | None, typer.Option(help="Show the dashboard until Ctrl-C; by itself in a terminal only.")
    ] = None,
    port: Annotated[int, typer.Option(help="The dashboard's port, if it is free.", min=0, max=65535)] = 4318,
) -> None:
    """Run a small multi-team application, governed, show what it cost and for whom, and open the dashboard on it."""
    needed = ("openai", "anthropic", "cel_expr_python", "re2")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise NotInstalled(
            f"the demo calls the real SDKs with policies and redaction, and {', '.join(missing)} is missing.",
            fix="pip install 'genops-ai[all]'",
        )
    directory = ledger or Path(tempfile.mkdtemp(prefix="genops-demo-"))
    console = Console()
    before = {entry.call_id for entry in LedgerReader(directory).entries()} if directory.is_dir() else set()
    spans, refused, failed = _run(directory, console)
    entries = [entry for entry in LedgerReader(directory).entries() if entry.call_id not in before]
    for column in _SHOWN:
        console.print()
        print_costs(console, entries, (column,))
    _print_refusals(console, refused, failed)
    _print_budgets(console, entries, spans)
    _print_changes(console, spans)
    _print_span(console, spans)
    agrees = _print_agreement(console, entries, spans)
    if not before:
        _add_history(console, directory, entries)
    console.print("\n[bold]Next[/]")
    console.print(f"  genops costs --ledger {directory} --by team,model", soft_wrap=True, highlight=False)
    console.print("  In your application:  import genops; genops.auto_instrument()", highlight=False)
    console.print("  Without touching it:  genops run -- python app.py", highlight=False)
    _dashboard(console, directory, port, serve)
    raise typer.Exit(0 if agrees else 1)


def _add_history(console: Console, directory: Path, entries: list[LedgerEntry]) -> None:
    from genops.cli.demo.history import DAYS, add_history

    copies = add_history(directory, entries, datetime.now(UTC))
    said = f"{copies} copies of these calls on the {DAYS} days before, so that charts have something to show"
    console.print(f"Added to the demo's ledger: {said} (tag demo=history)", highlight=False, soft_wrap=True)


def _dashboard(console: Console, directory: Path, port: int, wanted: bool | None) -> None:
    """Serve the ledger where somebody looks, until Ctrl-C; say how to elsewhere."""
    command = f"GENOPS_CONFIG={SETTINGS} genops serve --ledger {directory}"
    if not (console.is_terminal if wanted is None else wanted):
        console.print(f"  The dashboard:        {command}", soft_wrap=True, highlight=False)
        return
    try:
        from genops.server.serving import Options, serve, url_of
    except ImportError as error:
        console.print(f"  The dashboard:        pip install 'genops-ai[serve]'   ({error.name} is missing)")
        return

    def announce(access: Access, port: int, grpc_port: int | None) -> None:
        console.print(f"\n[bold]The dashboard[/] {url_of(access.host, port)}   (Ctrl-C ends it)", soft_wrap=True)

    options = Options(directory=directory, port=port if _is_free(port) else 0, grpc_port=None)
    serve(options, settings.load({}, config_file=SETTINGS), announce)
    console.print(f"\nAgain: {command}", soft_wrap=True, highlight=False)


def _is_free(port: int) -> bool:
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _run(directory: Path, console: Console) -> tuple[Sequence[ReadableSpan], list[genops.GenOpsBlocked], list[str]]:
    from genops.cli.demo.app import Application
    from genops.cli.demo.server import demo_server

    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    for file in (SETTINGS, SETTINGS.with_name("policies.yaml")):
        console.print(f"[bold]Settings[/] ({file.name})")
        console.print(file.read_text(), style="dim", highlight=False, markup=False, soft_wrap=True)
    with demo_server() as server:
        genops.auto_instrument(SETTINGS, tracer_provider=provider, ledger={"dir": str(directory)})
        application = Application(server.url)
        try:
            for request in progress(list(application.requests()), description="Handling requests", console=console):
                application.handle(*request)
        finally:
            application.close()
            genops.uninstrument()
    return exporter.get_finished_spans(), application.refused, application.failed


def _print_refusals(console: Console, refused: list[genops.GenOpsBlocked], failed: list[str]) -> None:
    console.print(f"\n[bold]Refused before they were sent[/]: {len(refused)}")
    by_code: dict[str, list[genops.GenOpsBlocked]] = {}
    for refusal in refused:
        by_code.setdefault(refusal.reason_code, []).append(refusal)
    for code, found in by_code.items():
        console.print(f"  {len(found)} x {code}; the first:", highlight=False)
        text = "\n".join(f"    {line}" for line in str(found[0]).splitlines())
        console.print(text, style="red", highlight=False, markup=False, soft_wrap=True)
    console.print(f"[bold]Answered with an error[/], not billed: {len(failed)} ({', '.join(sorted(set(failed)))})")


def _print_budgets(console: Console, entries: list[LedgerEntry], spans: Sequence[ReadableSpan]) -> None:
    """What budgets let through with a remark, and what they made smaller."""
    from genops.cli.demo.app import TICKET_LIMITS

    warned = Counter(entry.policy_name for entry in entries if entry.policy_result == "WARNING")
    said = ", ".join(f"{name} {count}" for name, count in warned.most_common())
    console.print(f"[bold]Let through with a warning[/]: {warned.total()} ({said})", highlight=False)
    limits = [
        int(str(found[s.GEN_AI_REQUEST_MAX_TOKENS]))
        for span in spans
        if (found := span.attributes or {}).get(s.GENOPS_TEAM) == "support" and s.GEN_AI_REQUEST_MAX_TOKENS in found
    ]
    fitted = [limit for limit in limits if limit not in TICKET_LIMITS]
    if fitted:
        down_to = f"{len(fitted)}, with output limits down to {min(fitted)} tokens"
        console.print(f"[bold]Made to fit[/] what support had left: {down_to}", highlight=False, soft_wrap=True)


def _print_changes(console: Console, spans: Sequence[ReadableSpan]) -> None:
    """What rules did to requests instead of refusing them."""
    rerouted: Counter[str] = Counter()
    redacted: Counter[str] = Counter()
    for span in spans:
        found = span.attributes or {}
        if s.GENOPS_POLICY_ORIGINAL_MODEL in found:
            rerouted[f"{found[s.GENOPS_POLICY_ORIGINAL_MODEL]!s} to {found[s.GEN_AI_REQUEST_MODEL]!s}"] += 1
        for each in found.get(s.GENOPS_REDACTION_ENTITIES, ()):  # type: ignore[union-attr]  # a list of texts
            entity, _, count = str(each).partition("=")
            redacted[entity] += int(count)
    for title, counts in (("Sent to another model", rerouted), ("Taken out of requests", redacted)):
        said = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
        console.print(f"[bold]{title}[/]: {counts.total()} ({said})", highlight=False)


def _print_span(console: Console, spans: Sequence[ReadableSpan]) -> None:
    span = next(span for span in spans if s.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS in (span.attributes or {}))
    console.print(f"\n[bold]One call as telemetry[/]: span {span.name!r}", highlight=False)
    for name, value in sorted((span.attributes or {}).items()):
        console.print(f"  {name:<42}{value!s}", highlight=False, markup=False, soft_wrap=True)
    for event in span.events:
        facts: dict[str, Any] = dict(event.attributes or {})
        console.print(f"  event {event.name}", style="cyan", highlight=False)
        console.print(
            f"    {', '.join(f'{key}={value!s}' for key, value in facts.items())}", style="dim", highlight=False
        )


def _print_agreement(console: Console, entries: list[LedgerEntry], spans: Sequence[ReadableSpan]) -> bool:
    """Every amount of the ledger is on exactly one span, as the nearest double."""
    booked = sorted(float(entry.cost) for entry in entries if entry.cost is not None)
    attributes = [span.attributes or {} for span in spans]
    shown = sorted(float(str(found[s.GENOPS_COST_TOTAL])) for found in attributes if s.GENOPS_COST_TOTAL in found)
    total = sum((entry.cost for entry in entries if entry.cost is not None), Decimal(0))
    agrees = booked == shown
    verdict = "[green]agrees[/]" if agrees else "[red]does not agree[/]"
    console.print(f"\nLedger and telemetry: {verdict}, {len(booked)} amounts, {money(total)} USD")
    return agrees

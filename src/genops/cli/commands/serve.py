"""`genops serve`: receive OTLP, and show the ledger."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genops.config import settings
from genops.core.errors import NotInstalled

if TYPE_CHECKING:
    from genops.server.access import Access

__all__ = ["register"]

_EPILOG = (
    "Send to it: OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318. Applications of the ledger directory show up "
    "by themselves. For other machines: genops serve --host 0.0.0.0"
)
_NEEDED = ("duckdb", "pyarrow", "starlette", "uvicorn", "jinja2", "grpc", "google.rpc", "opentelemetry.proto")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("serve", epilog=_EPILOG)(serve)


def serve(
    ledger: Annotated[Path | None, typer.Option(help="The ledger directory, if not that of the settings.")] = None,
    host: Annotated[
        str, typer.Option(help="The address to listen at; any but loopback needs the token.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="The port of the dashboard and of OTLP over HTTP.", min=0, max=65535)
    ] = 4318,
    grpc_port: Annotated[int, typer.Option(help="The port of OTLP over gRPC; 0 for none.", min=0, max=65535)] = 4317,
    token: Annotated[
        str | None, typer.Option(envvar="GENOPS_SERVE_TOKEN", help="The token that requests need; made if left out.")
    ] = None,
) -> None:
    """Receive OTLP and show what was spent, for whom, and what was blocked. Ctrl-C ends it."""
    missing = [name for name in _NEEDED if not _is_there(name)]
    if missing:
        raise NotInstalled(
            f"the server needs {', '.join(missing)}, which is not installed.", fix="pip install 'genops-ai[serve]'"
        )
    from genops.server.serving import EVERYWHERE, Options, serve, url_of

    loaded = settings.load({})
    directory = (ledger or loaded.ledger.dir).expanduser().absolute()

    def announce(access: Access, port: int, grpc_port: int | None) -> None:
        everywhere = access.host in EVERYWHERE
        url = url_of("127.0.0.1" if everywhere else access.host, port)
        typer.echo(f"GenOps serves {directory}")
        typer.echo(f"  dashboard  {url}{access.login_path or '/'}")
        typer.echo(f"  OTLP       {url} (HTTP)" + (f", {access.host}:{grpc_port} (gRPC)" if grpc_port else ""))
        if everywhere:
            typer.echo("  elsewhere  the same, with the name of this machine for 127.0.0.1")
        if access.token is not None:
            typer.echo(f"  token      {access.token}")
            typer.echo(f"  senders    OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer {access.token}'")

    options = Options(directory=directory, host=host, port=port, grpc_port=grpc_port or None, token=token)
    serve(options, loaded, announce)
    typer.echo("\nGenOps has ended; everything that was acknowledged is in the ledger.")


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False

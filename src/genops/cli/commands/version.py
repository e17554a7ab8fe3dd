"""`genops version`: the version, and that of the price data."""

from __future__ import annotations

import typer

from genops import __version__
from genops.core.pricing import PriceBook

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("version")(version)


def version() -> None:
    """Print the version and the price data it carries."""
    typer.echo(f"genops {__version__}, prices {PriceBook.default().version}")

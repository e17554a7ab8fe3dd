"""`genops run -- COMMAND`: govern a program without touching it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from genops.config.environment import exec_with_path
from genops.core.errors import ConfigurationError

__all__ = ["register"]

_EPILOG = "Example: genops run -- python app.py. Settings come from genops.yaml and GENOPS_* variables."


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    settings = {"ignore_unknown_options": True, "allow_interspersed_args": False}
    app.command("run", epilog=_EPILOG, context_settings=settings)(run)


def run(command: Annotated[list[str], typer.Argument(help="The program and its arguments.")]) -> None:
    """Run a Python program with every supported SDK governed; its output and exit status are its own."""
    program = shutil.which(command[0])
    if program is None:
        raise ConfigurationError(f"{command[0]!r} was not found.", fix="genops run -- python app.py")
    bootstrap = Path(__file__).resolve().parents[2] / "_bootstrap"
    exec_with_path(program, command, bootstrap)

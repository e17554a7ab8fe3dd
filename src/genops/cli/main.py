"""The command line's frame: commands, and what happens to mistakes and interrupts."""

from __future__ import annotations

import importlib
import os
import sys

import typer

from genops.core.errors import GenOpsError

__all__ = ["make_app", "run"]

COMMANDS = (
    *("validate", "adapters", "costs", "report", "ship", "budgets", "policy", "kill_switch", "redaction", "prices"),
    *("export", "statement", "reconcile", "forecast", "anomalies", "whatif", "recommend"),
    *("conformance", "demo", "launch", "serve", "version"),
)
_HELP = "Governance for AI: what was spent, for whom, and was it allowed. Start with `genops demo`."


def make_app() -> typer.Typer:
    """The application with every command."""
    app = typer.Typer(
        name="genops", help=_HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
    )
    for name in COMMANDS:
        importlib.import_module(f"genops.cli.commands.{name}").register(app)
    return app


def run() -> int:
    """Run the command in `sys.argv` and return the exit status."""
    try:
        make_app()()
    except GenOpsError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has seen enough
    return 0

"""The command line."""

from __future__ import annotations

import importlib.util
import sys

__all__ = ["main"]


def main() -> None:
    """Run `genops`; exits with the command's status, 2 for a mistake in what was asked, 130 on Ctrl-C."""
    missing = [name for name in ("typer", "rich") if importlib.util.find_spec(name) is None]
    if missing:
        print(f"the command line needs {' and '.join(missing)}.\n  fix: pip install 'genops-ai[cli]'", file=sys.stderr)
        sys.exit(2)
    from genops.cli.main import run

    sys.exit(run())

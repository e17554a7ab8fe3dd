"""Runs when a Python program started by `genops run` starts: switches governance on and never stands in its way."""

import importlib.machinery
import importlib.util
import sys
from pathlib import Path

__all__: list[str] = []


def _run_the_next() -> None:
    """Run the sitecustomize that this one hides, if there is one."""
    here = str(Path(__file__).resolve().parent)
    path = [entry for entry in sys.path if str(Path(entry).resolve()) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def _govern() -> None:
    try:
        import genops
    except ImportError as error:
        print(f"genops run: genops is not installed for this Python ({error}); nothing is governed", file=sys.stderr)
        return
    try:
        genops.auto_instrument()
    except genops.ConfigurationError as error:
        print(f"genops run: {error}\ngenops run: nothing is governed", file=sys.stderr)


_run_the_next()
_govern()

"""Runs when a Python program started by `genops run` starts: switches governance on and never stands in its way."""

import importlib.machinery
import importlib.util
import os
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
    if "multiprocessing.resource_tracker" in " ".join(sys.orig_argv):
        return  # a helper of multiprocessing, which runs no code of the program
    try:
        from genops.zero_code.starting import govern
    except ImportError as error:
        print(f"genops: genops is not installed for this Python ({error})", file=sys.stderr)
        print(f"  fix: {sys.executable} -m pip install genops-ai\ngenops: nothing is governed", file=sys.stderr)
        if os.environ.get("GENOPS_REQUIRED", "off").strip().lower() not in ("off", "false", "no", "0", ""):
            os._exit(2)
        return
    govern()


try:
    _run_the_next()
finally:
    _govern()

"""What installing GenOps without extras brings, and what importing it costs; writes bench/results/footprint.json.

python bench/footprint.py [--processes 41]     after `python bench/setup_venvs.py core`
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

__all__ = ["main"]

RESULTS = Path(__file__).resolve().parent / "results"
VENVS = Path(os.environ.get("BENCH_VENVS", Path(tempfile.gettempdir()) / "bench-venvs"))
# In the environment itself: every distribution, and the bytes on disk once Python has compiled them.
_INSTALLED = """
import importlib.metadata, json, os, sysconfig
found, everything = {}, 0
for folder, _, files in os.walk(sysconfig.get_path("purelib")):
    everything += sum(os.path.getsize(os.path.join(folder, name)) for name in files)
for dist in importlib.metadata.distributions():
    paths = [dist.locate_file(f) for f in dist.files or ()]
    size = sum(os.path.getsize(path) for path in paths if os.path.exists(path) and not str(path).endswith(".pyc"))
    found[dist.metadata["Name"]] = {"version": dist.version, "bytes": size}
print(json.dumps({"packages": found, "bytes_with_compiled": everything}))
"""
_CLOCK = "import time; t = time.perf_counter()\n{statement}\nprint(time.perf_counter() - t)"
STATEMENTS = {
    "import genops": "import genops",
    "import genops; genops.auto_instrument": "import genops; genops.auto_instrument",
    "import opentelemetry.sdk.trace.export": "import opentelemetry.sdk.trace.export",
}


def installed(python: Path) -> dict[str, Any]:
    done = subprocess.run([python, "-c", _INSTALLED], text=True, capture_output=True, check=True)
    return json.loads(done.stdout)


def milliseconds(python: Path, processes: int) -> dict[str, dict[str, float]]:
    """Median time of each statement, and of whole processes with and without the import, taken in turns."""
    inside: dict[str, list[float]] = {statement: [] for statement in STATEMENTS}
    whole: dict[str, list[float]] = {"pass": [], "import genops": []}
    for turn in range(processes + 3):
        for name, statement in STATEMENTS.items():
            code = _CLOCK.format(statement=statement)
            done = subprocess.run([python, "-c", code], text=True, capture_output=True, check=True)
            if turn >= 3:  # the first processes read the files from disk
                inside[name].append(float(done.stdout) * 1e3)
        for code in whole:
            started = time.perf_counter()
            subprocess.run([python, "-c", code], check=True)
            if turn >= 3:
                whole[code].append((time.perf_counter() - started) * 1e3)
    taken = {name: _spread(times) for name, times in inside.items()}
    added = [a - b for a, b in zip(whole["import genops"], whole["pass"], strict=True)]
    return taken | {"process with import genops, over one without": _spread(added)}


def _spread(times: list[float]) -> dict[str, float]:
    times = sorted(times)
    return {
        "median": round(statistics.median(times), 1),
        "p10": round(times[len(times) // 10], 1),
        "p90": round(times[len(times) * 9 // 10], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=41)
    processes = parser.parse_args().processes
    python = VENVS / "core" / "bin" / "python"
    if not python.exists():
        parser.error(f"{python} does not exist.   fix: python bench/setup_venvs.py core")
    found = installed(python)
    packages = found["packages"]
    result = {
        "packages": packages,
        "runtime_packages": len(packages),
        "mib": round(sum(package["bytes"] for package in packages.values()) / 2**20, 1),
        "mib_with_compiled": round(found["bytes_with_compiled"] / 2**20, 1),
        "processes": processes,
        "ms": milliseconds(python, processes),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "footprint.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()

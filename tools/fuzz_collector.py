"""Fuzz every target of the Collector's Go packages for a few thousand inputs each.

    python tools/fuzz_collector.py                    4,000 inputs each
    python tools/fuzz_collector.py --inputs 1000000   more

`go test -list` finds the targets, and a look at the sources says whether it left one out, such as one behind a build
tag. What a fuzzer finds is written to testdata/fuzz of its package, and ends the run. Inputs are counted instead of
seconds: at the end of its time Go's fuzzer now and then takes its own deadline for a failure (golang/go#75804).
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

COLLECTOR = Path(__file__).parents[1] / "collector"
BUILT = COLLECTOR / "dist"  # by `make collector`: a module of its own
_DECLARED = re.compile(r"^func (Fuzz\w+)\(\w+ \*testing\.F\)", re.MULTILINE)


def declared() -> set[tuple[str, str]]:
    """Folder and name of each target in the sources."""
    return {
        (str(path.parent.relative_to(COLLECTOR)), name)
        for path in COLLECTOR.rglob("*_test.go")
        if BUILT not in path.parents
        for name in _DECLARED.findall(path.read_text())
    }


def listed() -> set[tuple[str, str]]:
    """Folder and name of each target that `go test` runs."""
    go = ["go", "test", "-list", "^Fuzz", "./..."]
    lines = subprocess.run(go, cwd=COLLECTOR, check=True, text=True, stdout=subprocess.PIPE).stdout.splitlines()
    module = subprocess.run(["go", "list", "-m"], cwd=COLLECTOR, check=True, text=True, stdout=subprocess.PIPE)
    found: set[tuple[str, str]] = set()
    names: list[str] = []
    for line in lines:
        if line.startswith("Fuzz"):
            names.append(line)
        elif line.startswith("ok"):
            package = line.split()[1].removeprefix(module.stdout.strip()).lstrip("/")
            found.update((package, name) for name in names)
            names = []
    return found


def main() -> int:
    """Run each target, and return 1 if one fails or is left out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=4_000, help="for each target")
    args = parser.parse_args()
    targets = listed()
    if left_out := sorted(declared() - targets):
        print(f"go test does not run {left_out}.\n  fix: remove the build tag", file=sys.stderr)
        return 1
    for folder, name in sorted(targets):
        print(f"{folder} {name}", flush=True)
        options = ["-run", "^$", "-fuzz", f"^{name}$", "-fuzztime", f"{args.inputs}x", "-fuzzminimizetime", "1x"]
        go = ["go", "test", *options, f"./{folder}"]
        done = subprocess.run(go, cwd=COLLECTOR, check=False, text=True, capture_output=True)
        if done.returncode:
            print(f"{done.stdout}{done.stderr}", file=sys.stderr)
            return 1
    print(f"{len(targets)} targets, {args.inputs} inputs each: nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Run the subjects in turns over several rounds and append what they measured to bench/results/overhead-<series>.jsonl.

python bench/overhead/run.py --rounds 3                                  # every series
python bench/overhead/run.py --series time --only floor,genops --rounds 3

Series: `time` (spans only), `metrics` (with the SDK's metrics and logs as well), `total` (CPU of chat calls with everything
that happens in the background), `verify` and `verify-metrics` (what the telemetry carries). Always run `floor` beside a subject: ratios to it carry over between machines, microseconds do not.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

__all__ = ["main"]

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "results"
VENVS = Path(os.environ.get("BENCH_VENVS", Path(tempfile.gettempdir()) / "bench-venvs"))

# subject: the environment it runs in
SUBJECTS = {
    "bare": "bare",
    "floor": "floor",
    "floor_same": "floor",
    "genops": "genops",
    "openllmetry": "openllmetry",
    "openinference": "openinference",
    "openlit": "openlit",
    "otel_genai": "otel_genai",
    "langfuse": "langfuse",
    "logfire": "logfire",
}
WITH_METRICS = ("bare", "floor", "floor_same", "genops", "openllmetry", "openlit", "otel_genai")
SERIES = {
    "time": (tuple(SUBJECTS), []),
    "metrics": (WITH_METRICS, ["--metrics"]),
    "total": (tuple(SUBJECTS), ["--mode", "total"]),
    "verify": (tuple(SUBJECTS), ["--mode", "verify"]),
    "verify-metrics": (WITH_METRICS, ["--mode", "verify", "--metrics", "--scenarios", "chat,stream,embeddings"]),
}


def run_worker(series: str, subject: str, options: list[str]) -> dict[str, Any]:
    load, started = os.getloadavg()[0], time.time()
    env = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", PYTHONHASHSEED="0")
    command = [str(VENVS / SUBJECTS[subject] / "bin" / "python"), "worker.py", subject, *options]
    try:
        done = subprocess.run(command, cwd=HERE, env=env, text=True, capture_output=True, timeout=300, check=False)
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        row = json.loads(lines[-1]) if lines else {"subject": subject, "error": done.stderr.strip().splitlines()[-1:]}
    except subprocess.TimeoutExpired:
        row = {"subject": subject, "error": ["no result within 300 s"]}
    row |= {"series": series, "load": round(load, 2), "wall_s": round(time.time() - started, 1), "options": options}
    with (RESULTS / f"overhead-{series}.jsonl").open("a") as out:
        out.write(json.dumps(row) + "\n")
    note = row.get("error", "")
    print(f"{time.strftime('%H:%M:%S')} {series} {subject} load={load:.1f} {row['wall_s']}s {note}", flush=True)
    return row


def hold_machine() -> Any:
    """One benchmark at a time: two would measure each other, and share their rows. Keep what is returned."""
    held = (Path(tempfile.gettempdir()) / "genops-bench.lock").open("w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit("another benchmark is running on this machine.   fix: wait until it has ended")
    return held


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="subjects, separated by commas")
    parser.add_argument("--series", default=",".join(SERIES))
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of blocks")
    parser.add_argument("--scenarios", default="", help="of chat,stream,async100,embeddings")
    parser.add_argument("--fresh", action="store_true", help="drop earlier rows of these series")
    args = parser.parse_args()
    held = hold_machine()
    RESULTS.mkdir(exist_ok=True)
    shuffle = random.Random(7).shuffle
    for series in args.series.split(","):
        if args.fresh:
            (RESULTS / f"overhead-{series}.jsonl").unlink(missing_ok=True)
        offered, options = SERIES[series]
        names = [name for name in offered if not args.only or name in args.only.split(",")]
        missing = [name for name in names if not (VENVS / SUBJECTS[name] / "bin" / "python").exists()]
        if missing:
            parser.error(f"no environment for {', '.join(missing)} in {VENVS}.   fix: python bench/setup_venvs.py")
        options = [*options, *(["--scenarios", args.scenarios] if args.scenarios else [])]
        once = series.startswith("verify")
        for _ in range(1 if once else args.rounds):
            shuffle(names)
            for name in names:
                run_worker(series, name, options if once else [*options, "--scale", str(args.scale)])
    held.close()


if __name__ == "__main__":
    main()

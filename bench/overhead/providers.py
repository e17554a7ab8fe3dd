"""What each subject adds to a call of Anthropic, Gemini and Bedrock; rows go to bench/results/overhead-providers.jsonl.

python bench/overhead/providers.py --rounds 5 --fresh

In a round every subject has a process of its own for each provider, with a process of `bare` next to it: what a subject adds
is the difference of the two medians, and the median over rounds. `bare` against `bare` is the control.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import time
from pathlib import Path
from typing import Any

from run import RESULTS, VENVS, hold_machine

__all__ = ["main"]

HERE = Path(__file__).resolve().parent
ROWS = RESULTS / "overhead-providers.jsonl"
# subject: the providers it has an instrumentation for
SUBJECTS = {
    "bare": ("anthropic", "gemini", "bedrock"),
    "floor": ("anthropic", "gemini", "bedrock"),
    "genops": ("anthropic", "gemini", "bedrock"),
    "openllmetry": ("anthropic", "gemini", "bedrock"),
    "openinference": ("anthropic", "gemini", "bedrock"),
    "otel_genai": ("anthropic", "gemini", "bedrock"),
    "openlit": ("anthropic", "gemini", "bedrock"),
    "logfire": ("anthropic",),
}


def measured(subject: str, provider: str, calls: int, python: str) -> dict[str, Any]:
    """What one process printed."""
    command = [str(VENVS / f"providers-{python}/bin/python"), "providers_worker.py", subject, provider, str(calls)]
    env = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", PYTHONHASHSEED="0")
    done = subprocess.run(command, cwd=HERE, env=env, text=True, capture_output=True, timeout=300, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else {"error": done.stderr.strip().splitlines()[-1:]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=400, help="of each kind in a process")
    parser.add_argument("--only", default="", help="subjects, separated by commas")
    parser.add_argument("--fresh", action="store_true", help="drop earlier rows")
    args = parser.parse_args()
    held = hold_machine()
    if args.fresh:
        ROWS.unlink(missing_ok=True)
    chosen = [name for name in SUBJECTS if not args.only or name in args.only.split(",")]
    jobs = [(name, provider) for name in chosen for provider in SUBJECTS[name]]
    missing = [name for name in chosen if not (VENVS / f"providers-{name}").exists()]
    if missing:
        names = " ".join(f"providers-{name}" for name in missing)
        parser.error(f"no environment for {', '.join(missing)} in {VENVS}.   fix: python bench/setup_venvs.py {names}")
    for round_number in range(args.rounds):
        random.Random(round_number).shuffle(jobs)
        for subject, provider in jobs:
            load = os.getloadavg()[0]
            bare = measured("bare", provider, args.calls, subject)  # in the subject's environment: the same versions
            own = measured(subject, provider, args.calls, subject)
            row = {"subject": subject, "provider": provider, "load": round(load, 2), "bare": bare, "own": own}
            with ROWS.open("a") as out:
                out.write(json.dumps(row) + "\n")
            note = own.get("error") or bare.get("error") or ""
            print(f"{time.strftime('%H:%M:%S')} {subject} {provider} load={load:.1f} {note}", flush=True)
    held.close()


if __name__ == "__main__":
    main()

"""Price lookups: every library in a process of its own, in turns. Appends to bench/results/pricing.jsonl.

python bench/pricing/run.py --rounds 3
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["main"]

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "results"
VENVS = Path(os.environ.get("BENCH_VENVS", Path(tempfile.gettempdir()) / "bench-venvs"))
# library: its environment
LIBRARIES = {
    "genops PriceBook.price": "genops",
    "genops PriceBook.price, row not remembered": "genops",
    "genops.price_response": "genops",
    "litellm.completion_cost": "litellm",
    "genai_prices.calc_price": "genai_prices",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    held = (Path(tempfile.gettempdir()) / "genops-bench.lock").open("w")  # as in overhead/run.py
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit("another benchmark is running on this machine.   fix: wait until it has ended")
    RESULTS.mkdir(exist_ok=True)
    rows = []
    for _ in range(rounds):
        for library, venv in LIBRARIES.items():
            command = [str(VENVS / venv / "bin" / "python"), "-B", "worker.py", library]
            done = subprocess.run(command, cwd=HERE, text=True, capture_output=True, timeout=300, check=False)
            lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
            if not lines:
                print(library, "failed:", done.stderr.strip().splitlines()[-1:], flush=True)
                continue
            rows.append(json.loads(lines[-1]))
            rates = {name: round(rate) for name, rate in rows[-1]["rate"].items()}
            golden = rows[-1].get("golden")
            note = f" golden: {len(golden['differing'])} of {golden['cases']} differ" if golden else ""
            print(library, rows[-1]["version"], rates, note, flush=True)
    (RESULTS / "pricing.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    held.close()


if __name__ == "__main__":
    main()

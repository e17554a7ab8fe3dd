"""How long a ledger takes to load, and every query to answer: DuckDB, in memory.

    python bench/analytics/run.py                 # 100,000 rows: half a minute
    python bench/analytics/run.py 1000000 10000000 # what docs/benchmarks.md shows: 15 minutes, 12 GiB of disk

Results go to results/analytics.json. The ledgers are kept in the temporary directory for the next time.
"""

import json
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import ledgers

from genops.analytics import Filters, Replica
from genops.analytics.registry import QUERIES

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "results" / "analytics.json"
ROUNDS = 5
LAST_DAY = Filters(since=ledgers.BEGAN + timedelta(days=29))
ASKED = {
    "spend_by": [{"by": ("team", "model")}, {"by": ("customer_id",), "limit": 20}, {"by": ("tag:release", "day")}],
    "spend_over_time": [{"bucket": "day", "by": "model", "top": 5}, {"bucket": "hour", "by": "customer_id", "top": 5}],
    "unit_economics": [{"limit": 20}, {"by": "team"}],
    "calls": [{"limit": 50}, {"limit": 50, "order": "cost"}],
    "outcomes": [{"by": ("team",)}],
    "values": [{"column": "customer_id", "limit": 50}],
    "daily": [{"by": "team"}],
    "usage_by_model": [{}, {"by": ("team",)}],
}


def measure(rows):
    directory = Path(tempfile.gettempdir()) / f"genops-bench-ledger-{rows}"
    if not (directory / "complete").exists():
        shutil.rmtree(directory, ignore_errors=True)
        ledgers.make(rows, directory)
        (directory / "complete").touch()
    replica = Replica(directory)
    began, cpu = time.perf_counter(), time.process_time()
    assert rows == replica.advance()
    found = {
        "rows": rows,
        "load_s": round(time.perf_counter() - began, 1),
        "load_cpu_s": round(time.process_time() - cpu, 1),
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "ledger_mib": (directory / "ledger.db").stat().st_size // 2**20,
        "queries": [],
    }
    call_id = replica.query("calls", limit=1)[0]["call_id"]
    for name in QUERIES:
        for parameters in ASKED.get(name, [{"call_id": call_id} if name == "call" else {}]):
            for what, filters in (("all", Filters()), ("last day", LAST_DAY)):
                taken = []
                for _ in range(ROUNDS):
                    began = time.perf_counter()
                    answer = replica.query(name, filters, **parameters)
                    taken.append((time.perf_counter() - began) * 1000)
                row = {
                    "query": name,
                    "parameters": {k: v for k, v in parameters.items() if k != "call_id"},
                    "of": what,
                    "rows": len(answer),
                }
                found["queries"].append(
                    {**row, "median_ms": round(statistics.median(taken), 1), "min_ms": round(min(taken), 1)}
                )
    replica.close()
    return found


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--one":
        print(json.dumps(measure(int(sys.argv[2]))))
        sys.exit()
    results = {"machine": f"{platform.machine()}, {platform.python_version()}", "runs": []}
    for rows in [int(word) for word in sys.argv[1:]] or [100_000]:  # each in a process of its own: memory is a peak
        done = subprocess.run(
            [sys.executable, __file__, "--one", str(rows)], stdout=subprocess.PIPE, text=True, check=True
        )
        run = json.loads(done.stdout)
        results["runs"].append(run)
        print(f"{rows:,} rows: loaded in {run['load_s']} s ({run['load_cpu_s']} s CPU), {run['memory_mib']} MiB")
        for row in run["queries"]:
            print(
                f"  {row['query']:22}{row['of']:9}{row['median_ms']:9.1f} ms  {row['rows']:6} rows  {row['parameters'] or ''}"
            )
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")

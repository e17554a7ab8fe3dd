"""What a reservation and its settlement cost, by store: p50 and p99 in microseconds, and the spend under eight processes.

python bench/budgets/run.py [--seconds 3] [--redis URL] [--only memory,sqlite] [--litellm PYTHON]

A call stands on four budgets (org, team, customer, feature). Redis is a server of its own on a free port unless a URL is
given; without redis-server on the path it is left out, and the output says so. `--litellm` names the Python of an
environment with litellm, whose BudgetManager does the same work beside it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from decimal import Decimal
from pathlib import Path

from genops.core.budgets.engine import BudgetEngine
from genops.core.budgets.outage import worst_overspend
from genops.core.budgets.model import Budget
from genops.core.budgets.plans import BudgetCall
from genops.stores.budgets import open_budget_store
from genops.stores.budgets.leases import LeasingStore

LIMIT = Decimal(8_000_000)
ATTRIBUTES = {"team": "search", "customer_id": "acme", "feature": "autocomplete"}
COST, ACTUAL = Decimal("0.0123"), {"USD": Decimal("0.0100001")}


def hierarchy(limit: Decimal = LIMIT, slice_: Decimal | None = None) -> list[Budget]:
    groups = {"org": (), "team": ("team",), "customer": ("customer_id",), "feature": ("feature",)}
    return [Budget(name=name, limit=limit, group_by=group, slice=slice_) for name, group in groups.items()]


def pairs(engine: BudgetEngine, seconds: float, name: str = "") -> list[int]:
    """Reserve and settle for so long; nanoseconds of each pair."""
    times, until, number = [], time.perf_counter() + seconds, 0
    for warm in range(200):
        engine.settle(engine.reserve(f"{name}warm{warm}", BudgetCall(ATTRIBUTES, cost=COST)).reservation, ACTUAL)
    while time.perf_counter() < until:
        began = time.perf_counter_ns()
        admission = engine.reserve(
            f"{name}{number}", BudgetCall(ATTRIBUTES, "openai", "gpt-4o", "chat", 100, 200, COST)
        )
        engine.settle(admission.reservation, ACTUAL)
        times.append(time.perf_counter_ns() - began)
        number += 1
    return times


def spend(
    url: str, namespace: str, number: int, out: "multiprocessing.Queue[tuple[list[int], str, int]]", start
) -> None:
    """One of eight, which begin together: 200 calls of 0.01 on one dollar."""
    engine = BudgetEngine(
        [Budget(name="dollar", limit=Decimal(1))], open_budget_store(url, namespace=namespace, timeout_s=30)
    )
    times, settled, granted = [], Decimal(0), 0
    start.wait(60)
    for call in range(200):
        began = time.perf_counter_ns()
        admission = engine.reserve(f"{number}-{call}", BudgetCall({}, cost=Decimal("0.01")))
        if admission.reservation is not None:
            engine.settle(admission.reservation, {"USD": Decimal("0.01")})
            settled, granted = settled + Decimal("0.01"), granted + 1
        times.append(time.perf_counter_ns() - began)
    out.put((times, str(settled), granted))


def contended(url: str) -> dict[str, object]:
    context = multiprocessing.get_context("spawn")
    out, start, namespace = context.Queue(), context.Barrier(8), uuid.uuid4().hex
    workers = [context.Process(target=spend, args=(url, namespace, number, out, start)) for number in range(8)]
    for worker in workers:
        worker.start()
    found = [out.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
    settled = sum(Decimal(amount) for _, amount, _ in found)
    return {
        "calls": 1600,
        "settled_usd": str(settled),
        "overspend_usd": str(max(Decimal(0), settled - 1)),
        **summary([t for times, _, _ in found for t in times]),
    }


def summary(times: list[int]) -> dict[str, float]:
    times.sort()
    return {
        "p50_us": round(times[len(times) // 2] / 1e3, 1),
        "p99_us": round(times[len(times) * 99 // 100] / 1e3, 1),
        "max_us": round(times[-1] / 1e3, 1),
        "pairs": len(times),
    }


def own_redis(folder: Path) -> tuple[str, subprocess.Popen[bytes]] | None:
    if shutil.which("redis-server") is None:
        return None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return f"redis://127.0.0.1:{port}/0", server
        except OSError:
            time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--redis")
    parser.add_argument("--only", default="memory,sqlite,redis")
    parser.add_argument("--litellm")
    arguments = parser.parse_args()
    wanted = arguments.only.split(",")
    with tempfile.TemporaryDirectory() as folder:
        urls = {"memory": "memory:", "sqlite": f"sqlite:{folder}/budgets.db"}
        started = None if arguments.redis or "redis" not in wanted else own_redis(Path(folder))
        if arguments.redis or started:
            urls["redis"] = arguments.redis or started[0]
        elif "redis" in wanted:
            print("redis-server is not installed, so Redis was left out", file=sys.stderr)
        rows = {}
        for name, url in urls.items():
            if name not in wanted:
                continue
            store = open_budget_store(url, namespace=uuid.uuid4().hex, timeout_s=5)
            rows[f"{name}, 4 legs"] = summary(pairs(BudgetEngine(hierarchy(), store), arguments.seconds))
            store.close()
            if name != "memory":
                leasing = LeasingStore(open_budget_store(url, namespace=uuid.uuid4().hex, timeout_s=5))
                budgets = [
                    Budget(name=f"leased-{each.name}", limit=each.limit, group_by=each.group_by, slice=Decimal(10))
                    for each in hierarchy()
                ]
                row = summary(pairs(BudgetEngine(budgets, leasing), arguments.seconds, "leased"))
                rows[f"{name}, 4 legs, leased slices of 10 USD"] = {
                    **row,
                    "worst_overspend_per_process_usd": str(worst_overspend(budgets)["USD"]),
                }
                leasing.close()
                rows[f"{name}, 8 processes on 1 USD"] = contended(
                    url if name == "redis" else f"sqlite:{folder}/dollar.db"
                )
        if arguments.litellm:
            script = [arguments.litellm, str(Path(__file__).with_name("litellm_manager.py"))]
            done = subprocess.run(
                [*script, "--seconds", str(arguments.seconds)], stdout=subprocess.PIPE, text=True, check=True
            )
            rows |= json.loads(done.stdout.strip().splitlines()[-1])
        if started:
            started[1].terminate()
            started[1].wait()
    print(
        json.dumps({"python": platform.python_version(), "cpus": multiprocessing.cpu_count(), "rows": rows}, indent=2)
    )


if __name__ == "__main__":
    main()

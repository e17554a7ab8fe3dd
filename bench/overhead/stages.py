"""Say where the time of a governed call goes: microseconds per stage, each with everything inside it.

python bench/overhead/stages.py [--scenario stream] [--metrics]     in the environment of `genops`

A clock is put around each stage; what the clocks themselves cost is measured and taken off. Stages nest as indented.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import os
import statistics
import sys
import time
from collections import defaultdict
from typing import Any

from subjects import SUBJECTS
from transport import capture_originals, make_clients
from worker import BARE, PLAN, Dropping, make_setting

__all__ = ["main"]

ENGINE, CORE = "genops.providers._engine", "genops.core"
# depth, module, name in it
STAGES = (
    (0, f"{ENGINE}.calls", "GovernedCall._open"),
    (1, f"{CORE}.attribution", "split_call_attributes"),
    (1, f"{CORE}.attribution", "current"),
    (1, f"{CORE}.frame", "Frame.__init__"),
    (1, f"{CORE}.frame", "Frame.admit"),
    (2, f"{CORE}.frame", "Frame._estimate"),
    (2, f"{CORE}.frame", "Frame._decide"),
    (2, f"{CORE}.telemetry", "Telemetry.start"),
    (0, f"{ENGINE}.meters", "StreamMeter.feed"),
    (0, f"{ENGINE}.calls", "GovernedCall._observe"),
    (0, f"{ENGINE}.meters", "StreamMeter.end"),
    (1, f"{ENGINE}.reading", "StreamReader.finish"),
    (1, f"{ENGINE}.meters", "read"),
    (1, f"{CORE}.frame", "Frame.settle"),
    (2, f"{CORE}.frame", "Frame._price"),
    (2, f"{CORE}.frame", "Frame.make_entry"),
    (2, f"{CORE}.frame", "Frame._deliver"),
    (3, f"{CORE}.ledger", "LedgerEntry.to_json"),
    (3, "genops.stores.journal", "JournalLedger._write"),
    (2, f"{CORE}.telemetry", "Telemetry.record"),
    (2, f"{CORE}.telemetry", "Telemetry.finish"),
)


def put_clocks(spent: dict[str, list[int]]) -> list[str]:
    """Wrap every stage that exists; return the names of those that do not."""
    missing = []
    for _, module_name, path in STAGES:
        owner: Any = importlib.import_module(module_name)
        *parents, name = path.split(".")
        for parent in parents:
            owner = getattr(owner, parent, None)
        original = getattr(owner, name, None)
        if original is None:
            missing.append(path)
            continue
        setattr(owner, name, _clocked(original, spent[path]))
    return missing


def _clocked(function: Any, spent: list[int]) -> Any:
    clock = time.perf_counter_ns

    @functools.wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:
        started = clock()
        try:
            return function(*args, **kwargs)
        finally:
            spent.append(clock() - started)

    return timed


def per_call(call: Any, client: Any, calls: int) -> float:
    times = []
    for _ in range(calls):
        started = time.perf_counter_ns()
        call(client)
        times.append(time.perf_counter_ns() - started)
    return statistics.median(times) / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", default="chat", choices=[name for name in PLAN if name != "async100"])
    parser.add_argument("--metrics", action="store_true")
    args = parser.parse_args()
    capture_originals()
    bare_client = make_clients(bare=True)[0]
    setting = make_setting(Dropping(), args.metrics, {})
    subject = SUBJECTS["genops"]()
    subject.setup(setting)
    client = make_clients()[0]
    method, calls = PLAN[args.scenario][0], 80 if args.scenario == "stream" else 1000
    own, bare = getattr(subject, method), getattr(BARE, method)
    per_call(own, client, calls // 4)
    plain, instrumented = per_call(bare, bare_client, calls), per_call(own, client, calls)
    spent: dict[str, list[int]] = defaultdict(list)
    missing = put_clocks(spent)
    empty = _clocked(lambda: None, [])
    started = time.perf_counter_ns()
    for _ in range(20000):
        empty()
    clock_us = (time.perf_counter_ns() - started) / 20000 / 1e3
    per_call(own, client, calls)
    print(f"{args.scenario}: bare {plain:.0f} us, governed {instrumented:.0f} us, added {instrumented - plain:.0f} us")
    print(f"a clock costs {clock_us:.2f} us; stages (median us x how often per call, what is inside included):")
    for depth, _, path in STAGES:
        if spent[path]:
            median = statistics.median(spent[path]) / 1e3 - clock_us
            print(f"{'  ' * depth}{path:<{44 - 2 * depth}}{median:8.1f}   x{len(spent[path]) / calls:g}")
    for path in missing:
        print(f"not found: {path}")


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)

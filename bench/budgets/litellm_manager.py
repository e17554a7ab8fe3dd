"""litellm's BudgetManager on the work of run.py: check, then record. Runs in a virtual environment with litellm.

python bench/budgets/litellm_manager.py [--seconds 3]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # no request for prices


def response():
    """A response of gpt-4o that costs 0.01 USD: 1,000 tokens of output."""
    import litellm

    usage = litellm.Usage(prompt_tokens=0, completion_tokens=1000, total_tokens=1000)
    return litellm.ModelResponse(model="gpt-4o", usage=usage)


def manager(limit: float):
    from litellm import BudgetManager

    made = BudgetManager(project_name="bench", client_type="local")
    if not made.is_valid_user("acme"):
        made.create_budget(total_budget=limit, user="acme")
        made.save_data()
    return made


def call(made, answer) -> bool:
    if made.get_current_cost("acme") >= made.get_total_budget("acme"):
        return False
    made.update_cost("acme", completion_obj=answer)
    return True


def spend(folder: str, out, start) -> None:
    os.chdir(folder)
    made, answer, torn = None, response(), 0
    while made is None:
        try:
            made = manager(1.0)
        except ValueError:  # another process was writing the file
            torn += 1
            time.sleep(0.01)
    times, granted = [], 0
    start.wait(60)
    for _ in range(200):
        began = time.perf_counter_ns()
        granted += call(made, answer)
        times.append(time.perf_counter_ns() - began)
    out.put((times, granted, torn))


def summary(times: list[int]) -> dict[str, float]:
    times.sort()
    return {
        "p50_us": round(times[len(times) // 2] / 1e3, 1),
        "p99_us": round(times[len(times) * 99 // 100] / 1e3, 1),
        "pairs": len(times),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        made, answer, times = manager(8e6), response(), []
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            began = time.perf_counter_ns()
            call(made, answer)
            times.append(time.perf_counter_ns() - began)
        alone = summary(times)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        manager(1.0)
        context = multiprocessing.get_context("spawn")
        out, start = context.Queue(), context.Barrier(8)
        workers = [context.Process(target=spend, args=(folder, out, start)) for _ in range(8)]
        for worker in workers:
            worker.start()
        found = [out.get(timeout=60) for _ in workers]
        for worker in workers:
            worker.join()
        settled = sum(granted for _, granted, _ in found) / 100
        together = {
            "calls": 1600,
            "settled_usd": f"{settled:.2f}",
            "overspend_usd": f"{max(0.0, settled - 1):.2f}",
            "torn_reads_at_start": sum(torn for _, _, torn in found),
            **summary([each for times, _, _ in found for each in times]),
        }
    print(
        json.dumps(
            {"litellm BudgetManager, one budget": alone, "litellm BudgetManager, 8 processes on 1 USD": together}
        )
    )


if __name__ == "__main__":
    main()

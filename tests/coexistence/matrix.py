"""Runs every combination of peers, checks what became of each call, and writes the table in docs/concepts.

python tests/coexistence/matrix.py            check; the table must say what was found
python tests/coexistence/matrix.py --write    check, and write the table

Every call must be one request, one ledger entry with reported usage, and one span with that entry's cost.
"""

from __future__ import annotations

import difflib
import itertools
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/concepts/coexistence.md"
BEGIN, END = "<!-- matrix: written by make test-coexistence -->", "<!-- end of matrix -->"
NEWEST = ("otel", "openllmetry", "openinference", "langfuse", "logfire")
OLDER = (*NEWEST, "openlit")  # which needs older SDKs: only what it is part of runs on them
LEAVING = ("otel", "openllmetry", "openinference")
TITLES = {
    "otel": "OpenTelemetry genai-*",
    "openllmetry": "OpenLLMetry",
    "openinference": "OpenInference",
    "langfuse": "Langfuse",
    "logfire": "Logfire",
    "openlit": "OpenLIT",
    "langchain-openllmetry": "LangChain, by OpenLLMetry",
    "langchain-openinference": "LangChain, by OpenInference",
    "crewai-openllmetry": "CrewAI, by OpenLLMetry",
    "crewai-openinference": "CrewAI, by OpenInference",
    "litellm-openinference": "LiteLLM, by OpenInference",
}
TIMEOUT_S = 600  # on a machine that is busy; alone it takes a few seconds


class Job(NamedTuple):
    environment: str
    order: str
    peers: tuple[str, ...]
    sampled: bool
    calls: str


def jobs() -> Iterator[Job]:
    """Every run: alone, in pairs, all together, in both orders; sampled out; taken off; below frameworks."""
    for environment, peers, calls in (
        ("newest", NEWEST, "openai,anthropic,gemini"),
        ("older", OLDER, "openai,anthropic"),
    ):
        sets: list[tuple[str, ...]] = [(), *((peer,) for peer in peers), *itertools.combinations(peers, 2), peers]
        for chosen, order in itertools.product(sets, ("genops-first", "peers-first")):
            if environment == "older" and chosen and "openlit" not in chosen:
                continue
            if chosen or order == "genops-first":
                yield Job(environment, order, chosen, True, calls)
        yield Job(environment, "genops-first", peers, False, calls)
    yield from (Job("newest", "leaving", order, True, "openai,anthropic") for order in (LEAVING, LEAVING[::-1]))
    for framework in ("langchain-openllmetry", "langchain-openinference"):
        for below in ((), ("otel",), ("openllmetry",), ("openinference",), ("otel", "openllmetry", "openinference")):
            yield Job("newest", "genops-first", (framework, *below), True, "langchain")
    for framework in ("crewai-openllmetry", "crewai-openinference"):
        for below in ((), ("otel",), ("openllmetry",), ("openinference",)):
            yield Job("crewai", "genops-first", (framework, *below), True, "crewai")
    for peers in ((), ("litellm-openinference",), ("litellm-openinference", "openlit")):
        yield Job("older", "genops-first", peers, True, "litellm,litellm-anthropic")


def run(job: Job) -> tuple[Job, list[dict[str, Any]], str]:
    """What one process found, and what it wrote to its standard error if it found nothing."""
    python = ROOT / f".venv-peers/{job.environment}/bin/python"
    probe = Path(__file__).with_name("probe.py")
    sampled = "on" if job.sampled else "off"
    done = subprocess.run(
        [python, probe, job.order, ",".join(job.peers), sampled, job.calls],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"call"')]
    return job, lines, "" if done.returncode == 0 else done.stderr[-2000:]


def fault_of(job: Job, found: dict[str, Any]) -> str | None:
    """What is wrong with one call; None if nothing is."""
    governed = not found["mode"].startswith("ungoverned")
    if found["failure"] is not None:
        return str(found["failure"])
    if found["requests"] != 1:
        return f"{found['requests']} requests"
    if found["entries"] != int(governed):
        return f"{found['entries']} entries"
    if governed and found["source"] != ["reported"]:
        return f"usage is {found['source']}"
    costs = [float(found["ledger"])] if governed and job.sampled else []
    if len(costs) != len(found["costs"]) or any(abs(a - b) > 1e-12 for a, b in zip(costs, found["costs"], strict=True)):
        return f"the ledger has {found['ledger']}, the spans {found['costs']}"
    if (
        governed
        and found["usage_twice"]
        and found["foreign"]
        and not job.calls.startswith(("langchain", "litellm", "crewai"))
    ):
        return "usage is on our span and on another's"
    return None


def table(results: list[tuple[Job, list[dict[str, Any]], list[str]]]) -> str:
    """The rows of the page: for each set of peers, how many calls were made and how many came out right."""
    rows: dict[tuple[tuple[str, ...], str, str], list[int]] = defaultdict(lambda: [0, 0])
    for job, found, faults in results:
        what = "taken off one by one" if job.order == "leaving" else "" if job.sampled else "sampling off"
        row = rows[job.peers, job.calls.replace(",", ", "), what]
        row[0] += len(found)
        row[1] += len(found) - len(faults)
    lines = ["| Installed beside GenOps | Calls of | | Calls | One entry, one cost |", "|---|---|---|---:|---:|"]
    for (peers, calls, what), (made, right) in rows.items():
        names = " + ".join(TITLES[peer] for peer in peers) or "nothing"
        lines.append(f"| {names} | {calls} | {what} | {made} | {right} |")
    return "\n".join(lines)


def main() -> int:
    results, failures = [], []
    with ThreadPoolExecutor(2) as pool:
        for job, found, error in pool.map(run, jobs()):
            faults = [f"{each['call']} {each['mode']}: {fault}" for each in found if (fault := fault_of(job, each))]
            if error or not found:
                faults.append(error or "nothing came out")
            failures += [f"{job.environment} {job.order} {'+'.join(job.peers)}: {fault}" for fault in faults]
            results.append((job, found, faults))
    made = table(results)
    page = PAGE.read_text()
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    new = f"{head}{BEGIN}\n\n{made}\n\n{END}{tail}"
    print(made)
    if "--write" in sys.argv:
        PAGE.write_text(new)
    elif new != page:
        print(
            *difflib.unified_diff(page.splitlines(), new.splitlines(), "the page", "found", n=0, lineterm=""), sep="\n"
        )
        failures.append(f"{PAGE.relative_to(ROOT)} says something else.\n  fix: make coexistence-table")
    for failure in failures:  # last, so that the end of a log shows what is wrong
        print(failure, file=sys.stderr)
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())

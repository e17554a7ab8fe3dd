"""From the measurements to bench/results/summary.json and the tables of docs/benchmarks.md.

python bench/report.py            write both
python bench/report.py --check    exit 1 if docs/benchmarks.md does not hold the tables of summary.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ["main"]

BENCH = Path(__file__).resolve().parent
RESULTS = BENCH / "results"
SUMMARY = RESULTS / "summary.json"
PAGE = BENCH.parent / "docs" / "benchmarks.md"
SCENARIOS = {"chat": "chat", "stream": "stream, 100 chunks", "async100": "async x100", "embeddings": "embeddings"}
ORDER = (
    *("bare", "floor", "floor_same", "genops"),
    *("openllmetry", "openinference", "openlit", "otel_genai", "langfuse", "logfire"),
)
PEERS = ORDER[4:]
PACKAGES = {
    "genops": "genops-ai",
    "openllmetry": "opentelemetry-instrumentation-openai",
    "openinference": "openinference-instrumentation-openai",
    "openlit": "openlit",
    "otel_genai": "opentelemetry-instrumentation-genai-openai",
    "langfuse": "langfuse",
    "logfire": "logfire",
    "litellm": "litellm",
    "genai_prices": "genai-prices",
}


# -- summary -----------------------------------------------------------------------------------------------------------


def rows(name: str) -> list[dict[str, Any]]:
    path = RESULTS / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def spread(values: Iterable[float], digits: int = 1) -> dict[str, float]:
    values = sorted(values)
    return {
        "median": round(statistics.median(values), digits),
        "min": round(values[0], digits),
        "max": round(values[-1], digits),
    }


def added(series: str) -> dict[str, Any]:
    """Per subject and scenario the rounds' median, lowest and highest of what a call costs more."""
    collected: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows(f"overhead-{series}"):
        for scenario, measured in row.get("scenarios", {}).items():
            collected[row["subject"]][scenario].append(measured | {"booked": row.get("booked_per_call")})
    found: dict[str, Any] = {}
    for subject in ORDER:
        for scenario, rounds in collected.get(subject, {}).items():
            cell = {key: spread(r[key] for r in rounds) for key in ("added_us", "added_cpu_us") if key in rounds[0]}
            cell["rounds"] = len(rounds)
            if "bare" in rounds[0]:
                cell["bare_us"] = round(statistics.median(r["bare"]["median_us"] for r in rounds), 1)
                cell["spans_per_call"] = round(statistics.median(r["spans_per_call"] for r in rounds), 2)
            if rounds[0]["booked"] is not None:
                cell["booked_per_call"] = min(r["booked"] for r in rounds)
            found.setdefault(subject, {})[scenario] = cell
    return found


def provenance(series: str) -> dict[str, Any] | None:
    """How a series came about: rounds, scale, the builds of genops that were measured, and what else the machine did."""
    found = [row for row in rows(f"overhead-{series}") if "scenarios" in row]
    if not found:
        return None
    scales = {row["options"][row["options"].index("--scale") + 1] for row in found if "--scale" in row["options"]}
    own = [row for row in found if row["subject"] == "genops"]
    loads = [row["load"] for row in found]
    return {
        "rounds": len(own),
        "scale": ", ".join(sorted(scales)),
        "builds": sorted({row.get("build") or "not recorded" for row in own}),
        "load": f"{min(loads):.1f}..{max(loads):.1f}",
    }


def carried() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for series in ("verify", "verify-metrics"):
        for row in rows(f"overhead-{series}"):
            for scenario, seen in row.get("carries", {}).items():
                kept = {key: value for key, value in seen.items() if key not in ("keys", "cost")}
                kept["cost"] = sorted(seen["cost"])
                found.setdefault(series, {}).setdefault(row["subject"], {})[scenario] = kept
    return found


def prices() -> dict[str, Any]:
    collected: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows("pricing"):
        collected[row["library"]].append(row)
    found = {}
    for library, rounds in collected.items():
        rates = {case: spread((r["rate"][case] for r in rounds), 0) for case in rounds[0]["rate"]}
        found[library] = {"version": rounds[0]["version"], "per_cpu_second": rates, "rounds": len(rounds)}
        if "golden" in rounds[0]:
            found[library]["golden"] = rounds[0]["golden"]
    return found


def other_providers() -> dict[str, Any]:
    """What each subject adds to a call of each provider: the difference to the bare process next to it, over rounds."""
    cells: dict[str, dict[str, dict[str, list[float]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for row in rows("overhead-providers"):
        if "error" in row["own"] or "error" in row["bare"]:
            continue
        cell = cells[row["subject"]][row["provider"]]
        for name in ("chat", "stream"):
            cell[name].append(row["own"][name] - row["bare"][name])
            cell[f"bare {name}"].append(row["bare"][name])
        cell["spans"].append(row["own"]["spans_per_call"])
    return {
        subject: {
            provider: {name: spread(values, 2 if name == "spans" else 1) for name, values in cell.items()}
            for provider, cell in found.items()
        }
        for subject, found in cells.items()
    }


def collector() -> dict[str, Any] | None:
    path = RESULTS / "collector.json"
    return json.loads(path.read_text()) if path.exists() else None


def soak() -> dict[str, Any] | None:
    path = RESULTS / "soak.json"
    return json.loads(path.read_text()) if path.exists() else None


def machine() -> dict[str, Any]:
    info = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return {
        "cpu": model.group(1) if model else platform.processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def versions() -> dict[str, dict[str, str]]:
    """What was installed beside each subject."""
    wanted = {"openai", "opentelemetry-sdk", *PACKAGES.values()}
    found: dict[str, dict[str, str]] = {}
    for path in sorted((RESULTS / "freeze").glob("*.txt")):
        pins = dict(line.split("==") for line in path.read_text().split() if "==" in line)
        found[path.stem] = {name: pins[name] for name in sorted(wanted) if name in pins}
    return found


def summary() -> dict[str, Any]:
    footprint = RESULTS / "footprint.json"
    return {
        "machine": machine(),
        "versions": versions(),
        "time": added("time"),
        "metrics": added("metrics"),
        "total": added("total"),
        "provenance": {series: made for series in ("time", "metrics", "total") if (made := provenance(series))},
        "carries": carried(),
        "providers": other_providers(),
        "soak": soak(),
        "collector": collector(),
        "pricing": prices(),
        "footprint": json.loads(footprint.read_text()) if footprint.exists() else None,
    }


# -- tables ------------------------------------------------------------------------------------------------------------


def table(head: list[str], body: list[list[str]]) -> str:
    rule = "|" + "|".join("---" if i == 0 else "---:" for i in range(len(head))) + "|"
    return "\n".join(["| " + " | ".join(head) + " |", rule, *("| " + " | ".join(line) + " |" for line in body)])


def microseconds(value: float) -> str:
    return f"{value:,.0f}"


def overhead_table(series: dict[str, Any], key: str = "added_us") -> str:
    scenarios = [name for name in SCENARIOS if any(name in found for found in series.values())]
    body = []
    for subject, found in series.items():
        line = [f"**{subject}**" if subject == "genops" else subject]
        for name in scenarios:
            cell = found[name][key]
            line.append(f"{microseconds(cell['median'])} [{microseconds(cell['min'])}..{microseconds(cell['max'])}]")
        body.append(line)
    return table(["added per call, µs", *(SCENARIOS[name] for name in scenarios)], body)


def ratio_table(series: dict[str, Any], key: str = "added_us") -> str:
    """How many times the time of each other subject GenOps adds, in the same run."""
    own = series["genops"]
    scenarios = [name for name in SCENARIOS if name in own]
    body = []
    for subject, found in series.items():
        if subject in ("bare", "genops"):
            continue
        cells = [own[name][key]["median"] / found[name][key]["median"] for name in scenarios]
        body.append([subject, *(f"{cell:.2f}" for cell in cells)])
    return table(["genops over", *(SCENARIOS[name] for name in scenarios)], body)


def providers_table(found: dict[str, Any]) -> str:
    names = ("anthropic", "gemini", "bedrock")
    body = []
    for subject in ORDER:
        if subject not in found:
            continue
        line = [f"**{subject}**" if subject == "genops" else subject]
        for provider in names:
            cell = found[subject].get(provider)
            spans = cell["spans"]["median"] if cell else 0
            for name in ("chat", "stream"):
                value = cell[name]["median"] if cell else None
                traced = subject == "bare" or (cell is not None and spans > 0)
                line.append("-" if value is None else microseconds(value) if traced else "no span")
        body.append(line)
    return table(
        ["added per call, µs", *(f"{provider}, {name}" for provider in names for name in ("chat", "stream"))], body
    )


def collector_table(found: dict[str, Any]) -> str:
    rates = found["rates"]
    body = []
    for name, kinds in rates.items():
        line = [name]
        how = next((end for end in (", exported", ", as deployed") if name.endswith(end)), "")
        base = rates[f"passthrough{how}"]
        for kind in ("plain", "content", "other"):
            share = kinds[kind]["spans_per_core"] / base[kind]["spans_per_core"]
            line.append(f"{kinds[kind]['spans_per_core']:,} ({share:.0%}, {kinds[kind]['us_per_span']:.1f} µs)")
        body.append(line)
    return table(
        ["spans a second of one core", "calls, 16 attributes", "calls with 2 KB of messages", "other spans"], body
    )


def collector_soak_table(found: dict[str, Any]) -> str:
    teams, customers = found["soak"]["teams"], found["soak"]["customers"]
    body = [
        [f"{one['s']:,}", f"{one['customers']:,}", f"{one['mib']:.0f}", f"{other['mib']:.0f}"]
        for one, other in zip(teams, customers, strict=True)
    ]
    head = ["after s", "distinct customers so far", "resident MiB, budgets of teams", "and one of each customer"]
    return table(head, body)


def soak_table(found: dict[str, Any]) -> str:
    calls = [each for each in found["calls"] if each["calls"] % 40_000 == 0]
    body = [[f"{each['calls']:,} calls", f"{each['mib']:.1f}"] for each in calls]
    streams = found["abandoned_streams"][-1]
    return table(
        ["after", "resident MiB"], [*body, [f"and {streams['streams']:,} abandoned streams", f"{streams['mib']:.1f}"]]
    )


def carried_table(found: dict[str, Any]) -> str:
    body = []
    for subject in ORDER:
        if subject == "bare" or subject not in found:
            continue
        chat, stream = found[subject]["chat"], found[subject]["stream"]
        body.append(
            [
                subject,
                f"{chat['spans_per_call']:g} / {stream['spans_per_call']:g}",
                str(chat["attributes"]),
                str(len(chat["events"])),
                "yes" if chat["cost"] else "no",
                "yes" if chat["prompt_on_span"] or chat["answer_on_span"] else "no",
            ]
        )
    head = [
        "subject",
        "spans per chat / stream",
        "attributes of a chat span",
        "events",
        "cost",
        "prompt or answer text",
    ]
    return table(head, body)


def price_table(found: dict[str, Any]) -> str:
    cases = list(next(iter(found.values()))["per_cpu_second"])
    body = [
        [f"{library} {entry['version']}", *(f"{entry['per_cpu_second'][case]['median']:,.0f}" for case in cases)]
        for library, entry in found.items()
    ]
    return table(["prices per CPU second", *cases], body)


def golden_table(found: dict[str, Any]) -> str:
    body = []
    for library, entry in found.items():
        golden = entry.get("golden")
        if golden:
            agreeing = golden["cases"] - len(golden["differing"])
            body.append([library, f"{agreeing} of {golden['cases']}", ", ".join(golden["differing"]) or "none"])
    return table(["library", "golden cases that agree", "those that differ"], body)


def footprint_table(found: dict[str, Any]) -> str:
    body = [
        ["runtime packages", str(found["runtime_packages"]), "under 12"],
        ["installed, MiB", f"{found['mib']:g}", "under 40"],
        ["installed and compiled, MiB", f"{found['mib_with_compiled']:g}", "under 40"],
    ]
    for name, time in found["ms"].items():
        goal = "under 50" if name == "import genops" else ""
        body.append([f"{name}, ms", f"{time['median']:g} [{time['p10']:g}..{time['p90']:g}]", goal])
    return table(["genops-ai without extras", "measured", "goal"], body)


def provenance_table(found: dict[str, Any]) -> str:
    body = [[series, str(p["rounds"]), p["scale"], ", ".join(p["builds"]), p["load"]] for series, p in found.items()]
    return table(["series", "rounds", "scale", "build of genops", "load of the machine, 1 minute"], body)


def goals_table(found: dict[str, Any]) -> str:
    """The goals, and whether these measurements meet them."""
    body = []

    def goal(name: str, wanted: str, measured: str, met: bool) -> None:
        body.append([name, wanted, measured, "yes" if met else "**no**"])

    for series in ("time", "metrics"):
        measured = found[series]
        own = measured.get("genops")
        if own is None:
            continue
        label = "spans only" if series == "time" else "with metrics and logs"
        for scenario, limit in (("chat", 1.6), ("stream", 2.0)):
            for floor in ("floor_same", "floor"):
                ratio = own[scenario]["added_us"]["median"] / measured[floor][scenario]["added_us"]["median"]
                goal(f"{scenario} over {floor}, {label}", f"at most {limit}", f"{ratio:.2f}", ratio <= limit)
        for scenario in own:
            added_us = own[scenario]["added_us"]["median"]
            less = [p for p in PEERS if p in measured and measured[p][scenario]["added_us"]["median"] <= added_us]
            wanted, text = "less than every peer", f"not less than {', '.join(less)}" if less else "less than all"
            goal(f"{SCENARIOS[scenario]}, {label}", wanted, text, not less)
    if found["pricing"]:
        own, peer = found["pricing"]["genops PriceBook.price"], found["pricing"]["litellm.completion_cost"]
        ratio = min(
            rate["median"] / peer["per_cpu_second"][case]["median"] for case, rate in own["per_cpu_second"].items()
        )
        goal("price lookups over litellm's, the least of the cases", "at least 10", f"{ratio:.1f}", ratio >= 10)
        wrong = [len(entry["golden"]["differing"]) for entry in (own, peer)]
        goal("golden cases that differ", f"at most litellm's {wrong[1]}", str(wrong[0]), wrong[0] <= wrong[1])
    if found["footprint"]:
        footprint = found["footprint"]
        imported = footprint["ms"]["import genops"]["median"]
        goal("import genops, ms", "under 50", f"{imported:g}", imported < 50)
        goal(
            "installed and compiled, MiB",
            "under 40",
            f"{footprint['mib_with_compiled']:g}",
            footprint["mib_with_compiled"] < 40,
        )
        goal("runtime packages", "under 12", str(footprint["runtime_packages"]), footprint["runtime_packages"] < 12)
    return table(["what", "goal", "measured", "met"], body)


def versions_table(found: dict[str, dict[str, str]]) -> str:
    body = []
    for subject, pins in found.items():
        package = PACKAGES.get(subject)
        own = "this tree" if subject in ("genops", "core") else pins.get(package or "", "")
        if subject != "core":
            body.append([subject, package or "", own, pins.get("openai", ""), pins.get("opentelemetry-sdk", "")])
    return table(["environment", "package", "version", "openai", "opentelemetry-sdk"], body)


def tables(found: dict[str, Any]) -> dict[str, str]:
    made = {
        "versions": versions_table(found["versions"]),
        "provenance": provenance_table(found["provenance"]),
        "goals": goals_table(found),
    }
    for series in ("time", "metrics"):
        if "genops" in found[series]:
            made[series] = overhead_table(found[series])
            made[f"{series}-ratios"] = ratio_table(found[series])
    if "genops" in found["total"]:
        made["total"] = overhead_table(found["total"], "added_cpu_us")
    if found.get("providers"):
        made["providers"] = providers_table(found["providers"])
    if found.get("collector") and "rates" in found["collector"]:
        made["collector"] = collector_table(found["collector"])
    if found.get("collector") and "soak" in found["collector"]:
        made["collector-soak"] = collector_soak_table(found["collector"])
    if found.get("soak"):
        made["soak"] = soak_table(found["soak"])
    if found["carries"].get("verify"):
        made["carries"] = carried_table(found["carries"]["verify"])
    if found["pricing"]:
        made |= {"pricing": price_table(found["pricing"]), "golden": golden_table(found["pricing"])}
    if found["footprint"]:
        made["footprint"] = footprint_table(found["footprint"])
    return made


def filled(page: str, made: dict[str, str]) -> str:
    """The page with every `<!-- table: name -->` block replaced by the table of that name."""

    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        return f"<!-- table: {name} -->\n{made.get(name, 'not measured')}\n<!-- end -->"

    return re.sub(r"<!-- table: ([\w-]+) -->\n.*?<!-- end -->", replace, page, flags=re.DOTALL)


def same_load(found: dict[str, Any]) -> list[str]:
    """Where the hand-written span no longer carries what GenOps' span does."""
    problems = []
    for series, subjects in found["carries"].items():
        own, floor = subjects.get("genops"), subjects.get("floor_same")
        for scenario in own or {}:
            if floor is None:
                continue
            for key in ("attributes", "log"):
                if abs((own[scenario].get(key) or 0) - (floor[scenario].get(key) or 0)) > (6 if key == "log" else 0):
                    problems.append(
                        f"{series} {scenario}: genops has {own[scenario][key]} {key}, floor_same {floor[scenario][key]}"
                    )
            if sorted(own[scenario]["events"].values()) != sorted(floor[scenario]["events"].values()):
                problems.append(f"{series} {scenario}: the events differ")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        found = json.loads(SUMMARY.read_text())
        page = PAGE.read_text()
        if filled(page, tables(found)) != page:
            print(f"{PAGE.name} differs from {SUMMARY.name}.   fix: python bench/report.py")
            return 1
        return 0
    earlier = json.loads(SUMMARY.read_text()) if SUMMARY.exists() else {}
    found = {name: value or earlier.get(name) for name, value in summary().items()}  # rows are not committed
    SUMMARY.write_text(json.dumps(found, indent=1, sort_keys=False) + "\n")
    PAGE.write_text(filled(PAGE.read_text(), tables(found)))
    for problem in same_load(found):
        print(f"floor_same is out of date: {problem}.   fix: its counts in bench/overhead/subjects.py")
    for name, text in tables(found).items():
        print(f"\n{name}\n{text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

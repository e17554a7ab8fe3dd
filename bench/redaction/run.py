"""Recall, precision and time of redaction engines on the corpus of this folder.

python bench/redaction/run.py                          this interpreter's engines, and the peers in their environment
python bench/redaction/run.py --seed 99                another corpus of the same kind
python bench/redaction/run.py --gitleaks strings.json  also gitleaks' own test strings, see gitleaks_strings.py

The peers run in $BENCH_VENVS/redaction_peers, which `bench/setup_venvs.py redaction_peers` makes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from corpus import look_alikes, personal, secrets
from engines import ENGINES

ROOT = Path(__file__).resolve().parents[2]
VENVS = Path(os.environ.get("BENCH_VENVS", Path(tempfile.gettempdir()) / "bench-venvs"))
PEERS = ("presidio", "scrubadub", "detect-secrets")
SECRET = {"SECRET", "API_KEY", "JWT", "PRIVATE_KEY"}


def code_chunks(size=2000):
    """Clean code: this project's own sources in pieces of `size` characters."""
    text = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "src/genops").rglob("*.py")))
    return [text[at : at + size] for at in range(0, min(len(text), 200_000), size)]


def quality(find, texts, kinds=None):
    """Recall by entity (covered and of the right type) and precision over everything found of those types."""
    wanted, found, right, hits = Counter(), Counter(), 0, 0
    for text, gold in texts:
        finds = [each for each in find(text) if kinds is None or each[2] in kinds]
        for start, end, entity in gold:
            same = SECRET if entity == "SECRET" else {entity}
            wanted[entity] += 1
            found[entity] += any(s <= start and e >= end and name in same for s, e, name in finds)
        for s, e, name in finds:
            hits += 1
            right += any(
                s < end and start < e and name in (SECRET if entity == "SECRET" else {entity})
                for start, end, entity in gold
            )
    return {
        "recall": {entity: round(found[entity] / wanted[entity], 3) for entity in sorted(wanted)},
        "recall_all": round(found.total() / wanted.total(), 4),
        "precision": round(right / hits, 4) if hits else None,
    }


def speed(find, slow):
    """Clean code in pieces of 2 kB: the first pass builds the engine's states, the third is what a service sees."""
    chunks = code_chunks()[: 10 if slow else 100]
    passes = []
    for _ in range(3):
        times = []
        for chunk in chunks:
            started = time.perf_counter()
            find(chunk)
            times.append(time.perf_counter() - started)
        passes.append(times)
    return {
        "us_per_2kB_first_pass_mean": round(statistics.mean(passes[0]) * 1e6, 1),
        "us_per_2kB_p50": round(statistics.median(passes[2]) * 1e6, 1),
        "us_per_2kB_mean": round(statistics.mean(passes[2]) * 1e6, 1),
        "MB_per_s": round(sum(map(len, chunks)) / sum(passes[2]) / 1e6, 2),
    }


def worst(find):
    """The slowest of 1 MB inputs of one repeated piece, in seconds."""
    taken = {}
    for unit in ("a", "1", "1 ", "@", "a@", "key=", "+1", "x:", "eyJ.", "é", "token is "):
        text = unit * (1_000_000 // len(unit))
        started = time.perf_counter()
        find(text)
        taken[unit] = round(time.perf_counter() - started, 2)
    unit = max(taken, key=taken.get)
    return {"input": f"1 MB of {unit!r}", "seconds": taken[unit]}


def measure(name, seed, count, gitleaks):
    started = time.perf_counter()
    find = ENGINES[name]()
    find("warm up a@example.com")
    made = {"load_ms": round((time.perf_counter() - started) * 1000)}
    slow = name in PEERS
    if name != "detect-secrets":
        made["personal"] = quality(
            find,
            personal(seed, count),
            None if slow else {"EMAIL", "PHONE", "CREDIT_CARD", "IBAN", "NATIONAL_ID", "IP"},
        )
    if name in ("genops", "detect-secrets"):
        made["secrets"] = quality(find, secrets(seed, count))
    lines = look_alikes(seed, count)
    made["look_alikes_hit"] = f"{sum(bool(find(line)) for line in lines)}/{len(lines)}"
    made["speed"] = speed(find, slow)
    if name == "genops":
        made["worst_case"] = worst(find)
    if gitleaks and name in ("genops", "detect-secrets"):
        made["gitleaks"] = against_gitleaks(find, json.loads(Path(gitleaks).read_text()))
    return made


def against_gitleaks(find, cases):
    """gitleaks' own test strings: how many of its positives have a secret found, by string and by rule, and its negatives."""
    by_rule, negatives, hit = {}, 0, 0
    # A string that is a positive of one rule is no negative because another rule is not to take it.
    keys = {text for case in cases for text in case["positives"]}
    tried = set(keys)
    for case in cases:
        for text in case["positives"][:200]:
            by_rule.setdefault(case["rule"], []).append(any(name in SECRET for _, _, name in find(text)))
        for text in set(case["negatives"]) - tried:
            tried.add(text)
            negatives += 1
            hit += any(name in SECRET for _, _, name in find(text))
    every = [found for founds in by_rule.values() for found in founds]
    return {
        "positives": f"{sum(every)}/{len(every)}",
        "mean_over_rules": round(statistics.mean(statistics.mean(founds) for founds in by_rule.values()), 3),
        "negatives_hit": f"{hit}/{negatives}",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=2800)
    parser.add_argument("--gitleaks")
    parser.add_argument("--engine", help="only this one, in this interpreter")
    options = parser.parse_args()
    if options.engine:
        print(json.dumps(measure(options.engine, options.seed, options.count, options.gitleaks)))
        return 0
    results = {}
    for name in ENGINES:
        python = VENVS / "redaction_peers/bin/python" if name in PEERS else sys.executable
        if not Path(python).exists():
            print(f"{name}: no environment.  fix: python bench/setup_venvs.py redaction_peers", file=sys.stderr)
            continue
        command = [
            python,
            __file__,
            "--engine",
            name,
            "--seed",
            options.seed,
            "--count",
            options.count if name not in PEERS else options.count // 4,
        ]
        command += ["--gitleaks", options.gitleaks] if options.gitleaks else []
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
        results[name] = (
            json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {"failed": done.stderr[-400:]}
        )
        print(name, json.dumps(results[name], indent=1), flush=True)
    target = ROOT / "bench/results/redaction.json"
    target.write_text(json.dumps({"seed": options.seed, "count": options.count, "engines": results}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

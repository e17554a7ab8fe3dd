"""Build src/genops/data/redaction_rules.json from spec/redaction/rules.yaml; `--check` says if it is up to date."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
SOURCE, TARGET = ROOT / "spec/redaction/rules.yaml", ROOT / "src/genops/data/redaction_rules.json"
_FIELDS = ("id", "entity", "pattern", "group", "boundary", "validate", "min", "near", "unless", "rank")


def render() -> str:
    """The compiled file: key facts are patterns, word lists are in the rules that use them, every rule has a rank."""
    document: dict[str, Any] = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    rules = [_rule(rule, document) for rule in document["rules"]]
    rules += [_key_rule(row, document["alphabets"]) for row in document["keys"]]
    names = [rule["id"] for rule in rules]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise SystemExit(f"two rules are called {', '.join(doubled)}.\n  fix: rename one in {SOURCE.relative_to(ROOT)}")
    body = {"entities": document["entities"], "rules": rules}
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:12]
    made = {"version": f"{document['version']}-{digest}", **body}
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def _rule(rule: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    rule = rule | {"pattern": rule["pattern"].replace("{vendors}", "|".join(document["vendors"]))}
    for field in ("near", "unless"):
        if field in rule:
            rule[field] = document["words"][rule[field]]
    rule.setdefault("rank", _rank(rule, document["entities"]))
    return {field: rule[field] for field in _FIELDS if field in rule}


def _rank(rule: dict[str, Any], entities: dict[str, str]) -> int:
    """How specific a rule is: 3 an own form, 2 a checked one, 1 announced by a word, 0 guessed from a name."""
    if rule["id"].startswith(("assigned", "secret-value")):
        return 0
    if "near" in rule:
        return 2 if rule["entity"] == "NATIONAL_ID" and "validate" in rule else 1
    if entities[rule["entity"]] == "secret":
        return 3
    return 1 if rule["entity"] == "PHONE" else 2


def _key_rule(row: list[Any], alphabets: dict[str, str]) -> dict[str, Any]:
    name, prefixes, alphabet, length = row
    least, _, most = str(length).partition("-")
    count = f"{{{least}}}" if not most else f"{{{least},{most}}}"
    starts = "|".join(re.escape(prefix) for prefix in prefixes)
    lead = r"\b" if all(prefix[0].isalnum() or prefix[0] == "_" for prefix in prefixes) else ""
    return {
        "id": name,
        "entity": "API_KEY",
        "pattern": f"{lead}(?:{starts}){alphabets[alphabet]}{count}",
        "boundary": "token",
        "validate": "key",
        "min": 2.5,
        "rank": 3,
    }


def main() -> int:
    made = render()
    if "--check" in sys.argv:
        if TARGET.exists() and TARGET.read_text(encoding="utf-8") == made:
            return 0
        print(f"{TARGET.relative_to(ROOT)} is out of date.\n  fix: make generate")
        return 1
    TARGET.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

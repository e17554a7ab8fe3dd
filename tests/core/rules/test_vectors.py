"""The policy vectors: what every runtime has to decide, refuse and say alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from genops.config.files import Document
from genops.config.policies import parse_policy, read_given, rule_set
from genops.config.shapes import Value
from genops.core.errors import ConfigurationError
from genops.core.rules.cel import CelError, compile_condition
from genops.core.rules.inputs import HAS, INPUTS
from genops.core.rules.trials import Trial, try_rules

VECTORS = Path(__file__).resolve().parents[3] / "spec/vectors/policy"


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    return found


def _given(written: dict[str, Any]) -> dict[str, Any]:
    return read_given(Value(written, Document("input", written)))


def _told(trial: Trial) -> dict[str, Any]:
    decision, notes = trial.decision, trial.decision.notes
    told: dict[str, Any] = {"result": decision.result.value}
    if decision.violations:
        told |= {
            "rule": decision.policy_name,
            "reason_code": decision.reason_code,
            "message": decision.reason,
            "fix": decision.violations[0].fix,
            "rules": list(dict.fromkeys(each.rule for each in decision.violations)),
        }
    if list(trial.rules) != told.get("rules", []):
        told["true"] = list(trial.rules)
    told |= {name: list(getattr(notes, name)) for name in ("shadow", "errors", "exceptions") if getattr(notes, name)}
    if notes.actions is not None:
        told["actions"] = list(notes.actions.described())
    return told


@pytest.mark.parametrize("case", _read("decisions.json")["cases"], ids=lambda case: case["name"])
def test_decision(case):
    """Every call of the case is decided as the vector says, for the reasons that it gives."""
    files = [parse_policy(text, name=name) for name, text in case["files"].items()]
    rules = rule_set(files, trusted_keys=case["trusted_keys"])

    assert case["version"] == rules.version
    for call in case["calls"]:
        assert call["expect"] == _told(try_rules(rules, _given(call["input"]))), call["input"]


@pytest.mark.parametrize("case", _read("mistakes.json")["cases"], ids=lambda case: case["name"])
def test_mistake(case):
    """The file is refused with the place, what is wrong, and what to type."""
    with pytest.raises(ConfigurationError) as caught:
        parse_policy(case["text"])

    assert caught.value.message.startswith(f"{case['place']}: {case['says']}")
    assert caught.value.fix
    assert case.get("fix", caught.value.fix) == caught.value.fix


def _outcome(condition: str, bound: dict[str, Any]) -> bool | str:
    try:
        return compile_condition(condition, "x").holds(bound)
    except CelError:
        return "error"
    except ConfigurationError:
        return "refused"


def test_conditions():
    """Every condition comes to what the vector says; so do those that the Collector's engine evaluates differently."""
    vectors = _read("conditions.json")
    facts = _given(vectors["facts"])
    bound = facts | {f"{HAS}{name}": name in facts for name, each in INPUTS.items() if each.optional}

    for case in vectors["cases"]:
        assert case["expect"] == _outcome(case["condition"], bound), case["condition"]
    for case in vectors["differences"]:
        assert case["python"] == _outcome(case["condition"], bound), case["condition"]

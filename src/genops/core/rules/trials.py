"""Trials: what rules say to a call that somebody describes. For tests in policy files, explanations and comparisons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from genops.core.decision import Decision
from genops.core.rules.inputs import INPUTS
from genops.core.rules.model import RuleTest
from genops.core.rules.ruleset import Finding, RuleSet

__all__ = ["Trial", "changed_rules", "disagreements", "try_rules"]


@dataclass(frozen=True, slots=True)
class Trial:
    """What rules found about one described call, and the decision on it."""

    findings: tuple[Finding, ...]
    decision: Decision

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that are true of the call, or could not be decided."""
        return tuple(finding.rule.name for finding in self.findings)


def try_rules(rules: RuleSet, given: Mapping[str, Any], *, now: datetime | None = None) -> Trial:
    """Ask `rules` about a call with the inputs `given`. `now` is the time of exceptions, and of the call by default."""
    known = dict(given)
    known.setdefault("now", now or datetime.now(UTC))
    flags = {**rules.flags, **known.get("flags", {})}
    asked = RuleSet(rules.rules, exemptions=rules.exemptions, flags=flags) if flags != rules.flags else rules
    scope = asked.scope({name: value for name, value in known.items() if not INPUTS[name].dynamic})
    at = now or known["now"]
    return Trial(tuple(scope.findings(known.get)), scope.decide(known.get, at))


def disagreements(test: RuleTest, trial: Trial) -> list[str]:
    """How `trial` differs from what `test` expects; nothing if it passes."""
    decision, found = trial.decision, []
    if decision.result is not test.decision:
        why = f" ({decision.reason})" if decision.reason else ""
        found.append(f"expected {test.decision}, found {decision.result}{why}")
    if test.reason_code is not None and decision.reason_code != test.reason_code:
        found.append(f"expected reason code {test.reason_code}, found {decision.reason_code}")
    if test.rules is not None and set(test.rules) != set(trial.rules):
        found.append(f"expected rules {_list(test.rules)}, found {_list(trial.rules)}")
    if test.actions is not None and test.actions != decision.notes.actions:
        actions = decision.notes.actions
        done = actions.described() if actions is not None else ()
        found.append(f"expected actions {_list(test.actions.described())}, found {_list(done)}")
    return found


def changed_rules(before: RuleSet, after: RuleSet) -> list[tuple[str, str]]:
    """The rules that were added, removed or changed, by name, with what happened to each."""
    old, new = ({rule.name: rule for rule in rules.rules} for rules in (before, after))
    changes = []
    for name in dict.fromkeys((*old, *new)):
        if name not in new:
            changes.append((name, "removed"))
        elif name not in old:
            changes.append((name, "added"))
        else:
            fields = [
                each
                for each in old[name].__slots__
                if each != "source" and getattr(old[name], each) != getattr(new[name], each)
            ]
            if fields:
                changes.append((name, f"changed: {', '.join(fields)}"))
    return changes


def _list(names: Sequence[str] | Iterable[str]) -> str:
    return ", ".join(names) or "none"

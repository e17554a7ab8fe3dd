"""Rule sets: the rules of the policy files, evaluated together for one call.

All rules about a call are evaluated and the most severe decides. What depends only on the kind of call and on its payer
is decided once (`RuleSet.scope`); the conditions left for each call are evaluated together, in one crossing into CEL.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from genops.core.attribution_values import warn_once
from genops.core.decision import Actions, Decision, Notes, Result, Violation
from genops.core.errors import ApprovalRequired, ConfigurationError, PolicyBlocked, RateLimited
from genops.core.matching import Index, matches
from genops.core.rules.cel import CelError, Condition, compile_condition, together
from genops.core.rules.inputs import HAS, INPUTS, Lookup
from genops.core.rules.model import RULE_ERROR, Exemption, Mode, OnTrouble, Rule

__all__ = ["Finding", "RuleSet", "Scope", "findings_decision"]

_ERROR_SHOWN = 200  # characters of a CEL error that telemetry shows


class Finding(NamedTuple):
    """A rule whose condition is true (`trouble` None), or could not be decided: `trouble` says why."""

    rule: Rule
    trouble: str | None = None
    unknown: bool = False  # the trouble is a fact that nobody stated


class _Compiled(NamedTuple):
    rule: Rule
    condition: Condition

    @property
    def dynamic(self) -> bool:
        return any(INPUTS[name].dynamic for name in self.condition.reads | self.condition.asks)


class RuleSet:
    """The rules of all policy files, compiled. Raises `ConfigurationError` for a condition that cannot be one.

    `flags` are switches that conditions read; `exemptions` are valid signatures only: checking them is the loader's.
    """

    def __init__(
        self,
        rules: Iterable[Rule] = (),
        *,
        exemptions: Iterable[Exemption] = (),
        flags: Mapping[str, bool] | None = None,
    ) -> None:
        self.rules = tuple(rules)
        self.exemptions = tuple(exemptions)
        self.flags = dict(flags or {})
        _refuse_duplicates(self.rules)
        _refuse_strays(self.exemptions, self.rules)
        self._compiled = [_Compiled(rule, compile_condition(rule.condition, rule.source)) for rule in self.rules]
        self._index = Index((each.rule.match, each) for each in self._compiled)
        self._batches: dict[tuple[str, ...], Condition] = {}
        self.version = _version(self.rules, self.exemptions, self.flags)

    @property
    def redacts(self) -> bool:
        """Whether some rule looks for personal data and secrets, or takes them out: that needs a redactor."""
        return any(
            "entities" in each.condition.reads or (each.rule.actions is not None and each.rule.actions.redact)
            for each in self._compiled
        )

    def current(self, now_ns: int) -> RuleSet:
        """These rules, at any time: a rule set is the simplest source of rules."""
        return self

    def scope(self, static: Mapping[str, Any], now: datetime | None = None) -> Scope:
        """What the rules say to calls with these static inputs. What is not known is left out or None.

        Permissions that have run out at `now` are left out.
        """
        known = {name: value for name, value in static.items() if value is not None}
        known["flags"] = self.flags
        about = self._index.find(known.get)
        settled = [finding for each in about if not each.dynamic for finding in _decide(each, known.get)]
        valid = (each for each in self.exemptions if now is None or now < each.expires)
        exempt = [each for each in valid if matches(each.match, known.get)]
        return Scope(self, known, settled, [each for each in about if each.dynamic], exempt)

    def scoped(self, static: Mapping[str, Any]) -> list[Rule]:
        """The rules whose match a call with these static inputs is in."""
        return [each.rule for each in self._index.find(static.get)]

    def batch(self, open_rules: Sequence[_Compiled]) -> Condition:
        """The conditions of `open_rules` as one expression."""
        key = tuple(each.rule.name for each in open_rules)
        found = self._batches.get(key)
        if found is None:
            found = self._batches[key] = together([each.condition for each in open_rules])
        return found


class Scope:
    """The rules about calls of one kind for one payer."""

    def __init__(
        self,
        rules: RuleSet,
        static: Mapping[str, Any],
        settled: Sequence[Finding],
        open_rules: Sequence[_Compiled],
        exemptions: Sequence[Exemption],
    ) -> None:
        self.rules = rules
        self._static = static
        self._settled = settled
        self._open = open_rules
        self._exemptions = exemptions
        self._ends = min((each.expires for each in exemptions), default=None)
        names = {name for each in open_rules for name in each.condition.reads | each.condition.asks}
        fixed = sorted(name for name in names if not INPUTS[name].dynamic)
        self._dynamic = tuple((name, INPUTS[name].optional) for name in sorted(names) if INPUTS[name].dynamic)
        self._fixed = _bound(static, fixed)
        self._batch = rules.batch(open_rules) if open_rules else None
        self._settled_decision: Decision | None = None
        self._tells_of_the_call = any(finding.rule.tells_of_the_call for finding in settled)

    def is_current(self, rules: RuleSet, now: datetime) -> bool:
        """Whether the scope is of `rules`, and no permission in it has run out."""
        return self.rules is rules and (self._ends is None or now < self._ends)

    def decide(self, value: Lookup, now: datetime) -> Decision:
        """Return the decision on one call. `value` gives its dynamic inputs; it is asked for those that are read."""
        found = self.findings(value) if self._batch is not None else self._settled
        if found is not self._settled or self._tells_of_the_call:
            return self._decided(found, value, now)
        if self._settled_decision is None:
            self._settled_decision = self._decided(found, value, now)
        return self._settled_decision

    def findings(self, value: Lookup) -> Sequence[Finding]:
        """Every rule that is true of a call, or could not be decided, in the order of the files."""
        if self._batch is None:
            return self._settled
        values = self._fixed.copy()
        for name, optional in self._dynamic:
            given = value(name)
            if given is not None:
                values[name] = given
            if optional:
                values[HAS + name] = given is not None
        truths = self._all_at_once(values)
        if truths is not None:
            if True not in truths:
                return self._settled
            found = [Finding(each.rule) for each, true in zip(self._open, truths, strict=True) if true]
        else:
            get = _Facts(self._static, value).get
            found = [finding for each in self._open for finding in _decide(each, get)]
        return _in_order((*self._settled, *found), self.rules.rules) if found else self._settled

    def _all_at_once(self, bound: Mapping[str, Any]) -> list[bool] | None:
        """What each open condition comes to; None if one of them cannot be decided, and each has to be asked."""
        assert self._batch is not None  # there are open rules
        try:
            return self._batch.each(bound)
        except CelError:
            return None

    def _decided(self, found: Sequence[Finding], value: Lookup, now: datetime) -> Decision:
        exempt = {each.rule: each for each in self._exemptions if now < each.expires}
        return findings_decision(found, exempt, _Facts(self._static, value).get, self.rules.version)


class _Facts(NamedTuple):
    static: Mapping[str, Any]
    dynamic: Lookup

    def get(self, name: str) -> Any:
        return self.dynamic(name) if INPUTS[name].dynamic else self.static.get(name)


def _bound(values: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """What a condition is evaluated with: the known facts, and for each optional one whether it is known."""
    bound: dict[str, Any] = {}
    for name in names:
        if name in values:
            bound[name] = values[name]
        if INPUTS[name].optional:
            bound[f"{HAS}{name}"] = name in values
    return bound


def _decide(each: _Compiled, get: Lookup) -> list[Finding]:
    rule, condition = each
    names = condition.reads | condition.asks
    values = {name: known for name in names if (known := get(name)) is not None}
    try:
        return [Finding(rule)] if condition.holds(_bound(values, names)) else []
    except CelError as error:
        missing = sorted(name for name in condition.reads if name not in values)
        if missing:
            return [Finding(rule, f"{' and '.join(missing)} is not known", unknown=True)]
        return [Finding(rule, str(error)[:_ERROR_SHOWN])]


def _in_order(found: Iterable[Finding], rules: Sequence[Rule]) -> list[Finding]:
    place = {rule.name: number for number, rule in enumerate(rules)}
    return sorted(found, key=lambda finding: place[finding.rule.name])


def findings_decision(
    found: Iterable[Finding], exempt: Mapping[str, Exemption], fact: Lookup, version: str | None
) -> Decision:
    """Make the decision out of what was found."""
    violations: list[Violation] = []
    shadow: list[str] = []
    errors: list[str] = []
    exceptions: list[str] = []
    actions: Actions | None = None
    for finding in found:
        rule = finding.rule
        if finding.trouble is not None:
            errors.append(f"{rule.name}: {finding.trouble}")
            violations.extend(_trouble(finding))
        elif rule.name in exempt:
            exceptions.append(f"{rule.name}: {exempt[rule.name].id}")
        elif rule.mode is Mode.SHADOW:
            shadow.append(f"{rule.name}: {rule.decision}")
        else:
            if rule.actions is not None and rule.mode is Mode.ENFORCE:
                actions = rule.actions if actions is None else actions.with_more(rule.actions)
            violations.extend(_violation(rule, fact))
    for violation in violations:
        if violation.result is Result.WARNING:
            warn_once((violation.rule, violation.reason_code, fact("model")), violation.message)
    notes = Notes(
        version=version,
        shadow=tuple(shadow),
        errors=tuple(errors),
        exceptions=tuple(exceptions),
        actions=actions,
    )
    return Decision.of(violations, notes)


def _violation(rule: Rule, fact: Lookup) -> Iterable[Violation]:
    """The violation of a rule that is true of a call; none for one that only acts."""
    result = Result.WARNING if rule.mode is Mode.WARN else rule.decision
    if result is Result.ALLOWED:
        return
    verb = "warns of" if result is Result.WARNING else "refuses"
    said = _filled(rule.message, fact) or rule.description or f"this call: {rule.condition}"
    yield Violation(
        rule=rule.name,
        reason_code=rule.code,
        message=f"rule {rule.name!r} {verb} {said}" if rule.message is None else f"rule {rule.name!r}: {said}",
        fix=_fix(rule, fact),
        result=result,
        refusal=_refusal(rule),
        retry_after_s=rule.retry_after_s,
    )


def _refusal(rule: Rule) -> type[PolicyBlocked] | type[RateLimited]:
    if rule.decision is Result.RATE_LIMITED:
        return RateLimited
    return ApprovalRequired if rule.approval else PolicyBlocked


def _fix(rule: Rule, fact: Lookup) -> str:
    if rule.approval:
        team = fact("team")
        how = f"genops policy approve {rule.name} --match team={team} --owner NAME --expires 8h --key KEYFILE"
        return f"have it approved: {how}; then call again"
    said = _filled(rule.fix, fact)
    return f"{said}; or change rule {rule.name!r} ({rule.source})" if said else f"change the call, or {rule.source}"


def _filled(text: str | None, fact: Lookup) -> str | None:
    """`text` with {model} and the like filled in."""
    if text is None or "{" not in text:
        return text
    return text.format_map(_Words(fact))


class _Words(dict[str, str]):
    def __init__(self, fact: Lookup) -> None:
        self._fact = fact

    def __missing__(self, name: str) -> str:
        value = self._fact(name)
        if value is None:
            return "an unknown " + name
        return ", ".join(value) if isinstance(value, list) else str(value)


def _trouble(finding: Finding) -> Iterable[Violation]:
    rule = finding.rule
    choice = rule.on(rule.on_unknown if finding.unknown else rule.on_error)
    if choice is OnTrouble.ALLOW or rule.mode is Mode.SHADOW:
        return
    key = "on_unknown" if finding.unknown else "on_error"
    fix = f"test has_..., or set `{key}: allow`" if finding.unknown else f"correct the condition, or set `{key}: warn`"
    yield Violation(
        rule=rule.name,
        reason_code=RULE_ERROR,
        message=f"rule {rule.name!r} could not be decided: {finding.trouble} ({key} is {choice})",
        fix=f"{fix} in {rule.source}",
        result=Result.BLOCKED if choice is OnTrouble.BLOCK else Result.WARNING,
    )


def _refuse_duplicates(rules: Iterable[Rule]) -> None:
    seen: dict[str, Rule] = {}
    for rule in rules:
        if rule.name in seen:
            raise ConfigurationError(
                f"{rule.source}: rule {rule.name!r} is there already ({seen[rule.name].source}).",
                fix="give each rule a name of its own",
            )
        seen[rule.name] = rule


def _refuse_strays(exemptions: Iterable[Exemption], rules: Iterable[Rule]) -> None:
    names = {rule.name for rule in rules}
    for each in exemptions:
        if each.rule not in names:
            raise ConfigurationError(
                f"{each.source}: exception {each.id!r} is from rule {each.rule!r}, which is not there.",
                fix=f"rule: one of {', '.join(sorted(names)) or 'the rules, of which there are none'}",
            )


def _version(rules: Sequence[Rule], exemptions: Sequence[Exemption], flags: Mapping[str, bool]) -> str:
    """Twelve hexadecimal digits that change when anything does that can change a decision.

    Source: spec/policy/README.md, "Version"; other runtimes make the same.
    """
    said = {
        "rules": [_plain(rule) for rule in rules],
        "exceptions": [each.signed_fields() for each in exemptions],
        "flags": dict(flags),
    }
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _plain(rule: Rule) -> dict[str, Any]:
    wait = rule.retry_after_s
    return {
        "name": rule.name,
        "condition": rule.condition,
        "match": {key: list(patterns) for key, patterns in rule.match.items()},
        "decision": rule.decision,
        "reason_code": rule.reason_code,
        "mode": rule.mode,
        "on_error": rule.on_error,
        "on_unknown": rule.on_unknown,
        "message": rule.message,
        "fix": rule.fix,
        "retry_after_s": int(wait) if wait is not None and wait.is_integer() else wait,
        "actions": rule.actions.described() if rule.actions is not None else None,
        "approval": rule.approval,
    }

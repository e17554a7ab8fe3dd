"""Policy files: from YAML to rules, or an error that says file, line and what to type.

spec/policy/README.md describes the format.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from genops.config.budgets import Duration
from genops.config.files import Document, parse, read_file
from genops.config.shapes import Choice, Count, Flag, ListOf, MapOf, Names, Raw, Shape, Table, Text, Value
from genops.core._suggest import did_you_mean
from genops.core.decision import Actions, Result
from genops.core.errors import ConfigurationError
from genops.core.matching import MATCH_KEYS, Match
from genops.core.rules.cel import compile_condition, kind_of, write_out
from genops.core.rules.inputs import HAS, INPUTS, Kind
from genops.core.rules.model import Exemption, Mode, OnTrouble, Rule, RuleTest
from genops.core.rules.ruleset import RuleSet
from genops.core.rules.signing import is_signed

__all__ = [
    "POLICY_FILE",
    "PolicyFile",
    "find_policy_files",
    "parse_policy",
    "read_given",
    "read_moment",
    "read_policy_file",
    "rule_set",
]

_NAME = re.compile(r"[A-Za-z_]\w*")
_MODES = Choice(tuple(Mode))
_TROUBLE = Choice(tuple(OnTrouble))
_RESULT = Choice(tuple(result.value for result in Result))
_ALWAYS = "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """What one policy file says."""

    name: str
    source: str
    rules: tuple[Rule, ...]
    exemptions: tuple[Exemption, ...] = ()
    tests: tuple[RuleTest, ...] = ()
    description: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Condition:
    """One CEL expression. A list is refused: it does not say whether all or any of it must be true."""

    def read(self, value: Value) -> str:
        if isinstance(value.given, bool):
            return "true" if value.given else "false"
        if isinstance(value.given, list | tuple):
            raise value.error(
                f"{value.name} is a list, which does not say whether all or any of it must be true.",
                "write one expression, with && or ||",
            )
        return Text("model == 'gpt-4o'").read(value)


@dataclass(frozen=True, slots=True)
class _Moment:
    """A date, which lasts until its end in UTC, or a time with its offset."""

    def read(self, value: Value) -> datetime:
        text = value.given if isinstance(value.given, str) else ""
        try:
            if len(text) == len("2026-12-31"):
                return datetime.combine(date.fromisoformat(text) + timedelta(days=1), time(), UTC)
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise value.expected("a date or a time", "2026-12-31, or 2026-12-31T18:00:00+01:00") from None
        if moment.tzinfo is None:
            raise value.error(f"{value.name} has no offset from UTC.", f"{text}Z")
        return moment


def read_moment(value: Value) -> datetime:
    """A date, which lasts until its end in UTC, or a time with its offset. Raises `ConfigurationError`."""
    return _Moment().read(value)


_MATCH = Table({key: Names("search", single=True) for key in MATCH_KEYS})
_ACTIONS: Mapping[str, Shape] = {
    "reroute": Text("gpt-4o-mini"),
    "max_output_tokens": Count(1, 1000),
    "redact": Names("EMAIL", single=True),
}
_RULE = Table(
    {
        "name": Text("no-frontier-models"),
        "description": Text("what it is for"),
        "match": _MATCH,
        "condition": _Condition(),
        "decision": _RESULT,
        "reason_code": Text("POLICY_DENY_MODEL"),
        "mode": _MODES,
        "on_error": _TROUBLE,
        "on_unknown": _TROUBLE,
        "message": Text("{model} is not for {team}"),
        "fix": Text("use gpt-4o-mini"),
        "retry_after": Duration(),
        "actions": Table(_ACTIONS),
        "approval": Flag(),
    },
    required=("name",),
)
_EXCEPTION = Table(
    {
        "id": Text("exc-2026-0117"),
        "rule": Text("no-frontier-models"),
        "owner": Text("ada@example.com"),
        "reason": Text("load test for the launch"),
        "expires": _Moment(),
        "match": _MATCH,
        "signature": Text("..."),
    },
    required=("id", "rule", "owner", "reason", "expires", "signature"),
)
_EXPECT = Table(
    {
        "decision": _RESULT,
        "rules": Names("no-frontier-models", empty=True),
        "reason_code": Text("POLICY_DENY_MODEL"),
        "actions": Table(_ACTIONS),
    },
    required=("decision",),
)
_TEST = Table(
    {"name": Text("interns cannot use o3"), "input": Raw(Mapping), "expect": Raw(object)}, required=("name", "expect")
)
POLICY_FILE = Table(
    {
        "name": Text("production"),
        "description": Text("what it is for"),
        "match": _MATCH,
        "mode": _MODES,
        "on_error": _TROUBLE,
        "on_unknown": _TROUBLE,
        "flags": MapOf(Flag()),
        "variables": Raw(Mapping),
        "rules": ListOf(_RULE),
        "exceptions": ListOf(_EXCEPTION),
        "tests": ListOf(_TEST),
    }
)


def read_policy_file(path: Path, *, name: str | None = None) -> PolicyFile:
    """Read one policy file; `name` is what messages call it. Raises `ConfigurationError` with file and line."""
    shown = name or str(path)
    document = read_file(path, asked_for_by="policy_files")
    return _read(Document(shown, document.values, document.lines, document.texts), path.stem)


def parse_policy(text: str, *, name: str = "policy.yaml") -> PolicyFile:
    """Read a policy from text. Raises `ConfigurationError` with line."""
    return _read(parse(text, name=name), Path(name).stem)


def find_policy_files(patterns: Iterable[str], base: Path) -> tuple[Path, ...]:
    """The files that the globs name, from `base`, sorted. Raises `ConfigurationError` for a glob that names none."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(pattern).expanduser()
        anchor, relative = (
            (Path(path.anchor), str(path.relative_to(path.anchor))) if path.is_absolute() else (base, pattern)
        )
        paths = sorted(each for each in anchor.glob(relative) if each.is_file())
        if not paths:
            raise ConfigurationError(
                f"policy_files names {pattern}, and there is no such file in {base}.", fix="create it, or correct it"
            )
        found |= dict.fromkeys(paths)
    return tuple(found)


def rule_set(files: Sequence[PolicyFile], *, trusted_keys: Sequence[str] = ()) -> RuleSet:
    """All rules together; a flag of a later file goes before that of an earlier one.

    Raises `ConfigurationError` for an exception that no trusted key has signed.
    """
    exemptions = [each for policy in files for each in policy.exemptions]
    for each in exemptions:
        if not trusted_keys:
            raise ConfigurationError(
                f"{each.source}: exception {each.id!r} cannot be checked: there are no trusted_keys.",
                fix="trusted_keys: [...] in genops.yaml; genops policy keygen KEYFILE makes a pair of keys",
            )
        if not is_signed(each, trusted_keys):
            raise ConfigurationError(
                f"{each.source}: exception {each.id!r} is not signed by a trusted key, or was changed since.",
                fix="sign it: genops policy except RULE ... --key KEYFILE",
            )
    flags = {name: on for policy in files for name, on in policy.flags.items()}
    return RuleSet([rule for policy in files for rule in policy.rules], exemptions=exemptions, flags=flags)


def _read(document: Document, stem: str) -> PolicyFile:
    value = Value(document.values, document)
    given = POLICY_FILE.read(value)
    if not given.get("rules") and not given.get("exceptions"):
        raise value.error("the file has neither rules nor exceptions.", "rules: [{name: ..., condition: ...}]")
    variables = _variables(value, given.get("variables", {}))
    rules = []
    for place, each in enumerate(given.get("rules", ())):
        rules.append(_rule(value.child("rules").child(place), each, given, variables))
    exceptions = given.get("exceptions", ())
    tests = given.get("tests", ())
    return PolicyFile(
        name=given.get("name", stem),
        source=document.name,
        rules=tuple(rules),
        exemptions=tuple(
            Exemption(source=value.child("exceptions").child(place).place, **each)
            for place, each in enumerate(exceptions)
        ),
        tests=tuple(_test(value.child("tests").child(place), each) for place, each in enumerate(tests)),
        description=given.get("description"),
        variables=variables,
        flags=given.get("flags", {}),
    )


def _variables(value: Value, given: Mapping[str, Any]) -> dict[str, str]:
    """The variables, each with those above it written out, and each checked by itself."""
    variables: dict[str, str] = {}
    for name in given:
        at = value.child("variables").child(name)
        if _NAME.fullmatch(str(name)) is None:
            raise at.error(f"{name!r} cannot be a variable.", "letters, digits and _, for example cheap")
        if name in INPUTS or name.removeprefix(HAS) in INPUTS:
            raise at.error(f"{name!r} is an input already.", "call the variable something else")
        text = write_out(_Condition().read(at), variables, at.place)
        kind_of(text, at.place)
        variables[name] = text
    return variables


def _rule(value: Value, given: dict[str, Any], file: Mapping[str, Any], variables: Mapping[str, str]) -> Rule:
    if "condition" not in given and not given.get("match") and not file.get("match"):
        raise value.error(
            f"rule {given['name']!r} has neither a condition nor a match.", "condition: model == 'gpt-4o'"
        )
    at = value.child("condition") if "condition" in given else value
    condition = write_out(given.pop("condition", _ALWAYS), variables, at.place)
    compile_condition(condition, at.place)
    actions = _actions(given.pop("actions", None))
    decision = given.pop("decision", "ALLOWED" if actions is not None else "BLOCKED")
    stated: dict[str, Any] = {key: file[key] for key in ("mode", "on_error", "on_unknown") if key in file} | given
    kinds = {"mode": Mode, "on_error": OnTrouble, "on_unknown": OnTrouble}
    stated |= {key: kind(stated[key]) for key, kind in kinds.items() if key in stated}
    stated["match"] = _joined(value, file.get("match", {}), given.get("match", {}))
    if "retry_after" in stated:
        stated["retry_after_s"] = float(stated.pop("retry_after"))
    return Rule(condition=condition, decision=Result(decision), actions=actions, source=value.place, **stated)


def _joined(value: Value, of_file: Match, of_rule: Match) -> Match:
    """The scope of a rule inside that of its file: what the rule says goes, for a key that both name."""
    for key in of_rule:
        if key in of_file and of_rule[key] != of_file[key]:
            raise value.child("match").error(
                f"match says {key}: {', '.join(of_rule[key])}, and the file's match {key}: {', '.join(of_file[key])}.",
                f"keep {key} in one of the two places",
            )
    return {**of_file, **of_rule}


def _actions(given: Mapping[str, Any] | None) -> Actions | None:
    return Actions(**given) if given else None


# -- tests inside a file -----------------------------------------------------------------------------------------------

_NEUTRAL: Mapping[str, Any] = {
    "team": "team",
    "project": "project",
    "environment": "production",
    "tags": {},
    "provider": "openai",
    "operation": "chat",
    "operation_type": "inference",
    "streamed": False,
    "flags": {},
    "input_tokens": 100,
    "max_output_tokens": 100,
    "tools": [],
    "entities": [],
}


def _test(value: Value, given: Mapping[str, Any]) -> RuleTest:
    expect = value.child("expect")
    said: dict[str, Any] = {"decision": _RESULT.read(expect)} if isinstance(expect.given, str) else _EXPECT.read(expect)
    return RuleTest(
        name=given["name"],
        given=read_given(value.child("input")) if "input" in given else dict(_NEUTRAL),
        decision=Result(said["decision"]),
        rules=said.get("rules"),
        reason_code=said.get("reason_code"),
        actions=_actions(said.get("actions")),
        source=value.place,
    )


def read_given(value: Value) -> dict[str, Any]:
    """The inputs of a call as somebody writes them; what every call has is filled in. Raises `ConfigurationError`."""
    found: dict[str, Any] = dict(_NEUTRAL)
    for name in value.given:
        at = value.child(name)
        if name not in INPUTS:
            raise at.error(
                f"{name!r} is no input of a rule.{did_you_mean(str(name), INPUTS)}", f"use {', '.join(INPUTS)}"
            )
        found[name] = _of_kind(at, INPUTS[name].kind)
    return found


_TYPES: Mapping[Kind, tuple[type, ...]] = {
    Kind.STRING: (str, int),
    Kind.BOOL: (bool,),
    Kind.INT: (int,),
    Kind.DOUBLE: (int, float, Decimal),
    Kind.STRINGS: (list, tuple),
    Kind.TEXTS: (Mapping,),
    Kind.FLAGS: (Mapping,),
}


def _of_kind(value: Value, kind: Kind) -> Any:
    given: Any = value.given
    if kind is Kind.TIMESTAMP:
        return _Moment().read(value) if isinstance(given, str) else given
    types: Any = _TYPES[kind]
    if not isinstance(given, types) or (isinstance(given, bool) and kind is not Kind.BOOL):
        raise value.expected(kind.value, {"string": "text", "double": "0.5", "int": "100"}.get(kind.value, "..."))
    if kind is Kind.DOUBLE:
        return float(given)
    if kind is Kind.STRING:
        return Text("text").read(value)
    return [str(each) for each in given] if kind is Kind.STRINGS else given

"""Lint: rules that are valid and can still not mean what they say. Found by trying every case that tells values apart.

A condition compares inputs with the literals that stand in it, so trying those literals, values between and beside
them, and absence, tries every case there is. Where that is not so (`matches`, too many inputs), nothing is claimed.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from genops.core._suggest import did_you_mean
from genops.core.decision import Result
from genops.core.matching import MATCH_KEYS, any_glob, matches
from genops.core.rules.cel import CelError, Condition, compile_condition
from genops.core.rules.inputs import HAS, INPUTS, Kind
from genops.core.rules.model import Exemption, Mode, OnTrouble, Rule

__all__ = ["Remark", "lint"]

_MOST_CASES = 20_000  # about 0.1 s of one rule
_STRING = re.compile(r"""[rR]?("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')""")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_KEYED = re.compile(r"""\b(tags|flags)\s*(?:\[\s*|\.)["']?([A-Za-z_][\w.-]*)["']?""")
_IN_MAP = re.compile(r"""["']([^"']+)["']\s+in\s+(tags|flags)""")
_ARITHMETIC = re.compile(r"[+*/%]|\s-\s")  # of sums, the literals alone do not tell every case
_FUNCTION = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
_UNDERSTOOD = frozenset({"startsWith", "endsWith", "contains", "exists", "all", "exists_one", "has"}) | {
    "getHours",
    "getDayOfWeek",
    "getMinutes",
}
_SEVERITY = {Result.ALLOWED: 0, Result.WARNING: 1, Result.RATE_LIMITED: 2, Result.BLOCKED: 3}
_MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
_OPERATIONS = ("chat", "embeddings", "image_generation", "text_to_speech", "transcription", "text_completion")


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about a rule that its author should look at. `kind` is one of the names in docs/guides/policies.md."""

    source: str
    rule: str
    kind: str
    message: str


def lint(rules: Sequence[Rule], exemptions: Iterable[Exemption] = (), *, now: datetime | None = None) -> list[Remark]:
    """Return what is odd about `rules`, in their order; nothing if nothing is."""
    compiled = [(rule, compile_condition(rule.condition, rule.source)) for rule in rules]
    remarks: list[Remark] = []
    for rule, condition in compiled:
        remarks.extend(_unguarded(rule, condition))
        remarks.extend(_odd_scope(rule))
        remarks.extend(_constant(rule, condition))
    remarks.extend(_shadowed(compiled))
    when = now or datetime.now(UTC)
    for each in exemptions:
        if each.expires <= when:
            text = f"exception {each.id!r} ran out on {each.expires:%Y-%m-%d}; remove it"
            remarks.append(Remark(each.source, each.rule, "expired-exception", text))
    return remarks


def _unguarded(rule: Rule, condition: Condition) -> Iterator[Remark]:
    unknown = sorted(
        name
        for name in condition.reads - condition.asks
        if INPUTS[name].optional and name not in ("model", *rule.match)
    )
    if unknown and rule.on_unknown is None and rule.mode is not Mode.SHADOW:
        choice = "blocked" if rule.on(None) is OnTrouble.BLOCK else "warned of"
        facts = " and ".join(unknown)
        text = f"calls whose {facts} is not known are {choice}; test {HAS}{unknown[0]}, or say on_unknown"
        yield Remark(rule.source, rule.name, "unknown-input", text)


def _odd_scope(rule: Rule) -> Iterator[Remark]:
    for pattern in rule.match.get("operation", ()):
        if not any(any_glob((pattern,), each) for each in _OPERATIONS):
            hint = did_you_mean(pattern, _OPERATIONS)
            yield Remark(rule.source, rule.name, "unreachable", f"no operation is called {pattern!r}.{hint}")


def _constant(rule: Rule, condition: Condition) -> Iterator[Remark]:
    cases = _cases(rule, [condition])
    if cases is None or not condition.reads | condition.asks:
        if condition.text == "false":
            yield Remark(rule.source, rule.name, "never-true", "the condition is never true")
        return
    seen = {_truth(condition, case) for case in cases}
    if True not in seen:
        yield Remark(rule.source, rule.name, "never-true", "no call within its match makes the condition true")
    elif seen == {True}:
        yield Remark(rule.source, rule.name, "always-true", "every call within its match makes the condition true")


def _shadowed(compiled: Sequence[tuple[Rule, Condition]]) -> Iterator[Remark]:
    """Rules that never decide, because a rule that is as severe, and stands before it or is more severe, does."""
    for place, (rule, condition) in enumerate(compiled):
        if not _decides(rule):
            continue
        for other_place, (other, its_condition) in enumerate(compiled):
            stronger = _SEVERITY[other.decision] - _SEVERITY[rule.decision]
            goes_first = stronger > 0 or (stronger == 0 and other_place < place)
            if other is rule or not _decides(other) or not goes_first:
                continue
            if _implies(rule, condition, other, its_condition):
                text = f"whenever it is true, so is {other.name!r} ({other.decision}), which decides"
                yield Remark(rule.source, rule.name, "shadowed", text)
                break


def _decides(rule: Rule) -> bool:
    return rule.mode is Mode.ENFORCE and rule.decision is not Result.ALLOWED


def _implies(rule: Rule, condition: Condition, other: Rule, its_condition: Condition) -> bool:
    cases = _cases(rule, [condition, its_condition], also=other)
    if cases is None:
        return False
    some = False
    for case in cases:
        if _truth(condition, case) is True:
            some = True
            if not matches(other.match, _text_of(case)) or _truth(its_condition, case) is not True:
                return False
    return some


def _text_of(case: Mapping[str, Any]) -> Any:
    def fact(key: str) -> str | None:
        value = case.get(key)
        return value if isinstance(value, str) else None

    return fact


def _truth(condition: Condition, case: Mapping[str, Any]) -> bool | None:
    names = condition.reads | condition.asks
    values = {name: case[name] for name in names if case.get(name) is not None}
    values |= {f"{HAS}{name}": case.get(name) is not None for name in names if INPUTS[name].optional}
    try:
        return condition.holds(values)
    except CelError:
        return None


# -- the cases that tell values apart ----------------------------------------------------------------------------------


def _cases(rule: Rule, conditions: Sequence[Condition], *, also: Rule | None = None) -> Iterator[dict[str, Any]] | None:
    """Every case within the match of `rule`; None if there are too many, or a condition cannot be taken apart."""
    text = " ".join(each.text for each in conditions)
    bare = _STRING.sub('""', text)
    if _ARITHMETIC.search(bare) or not {found[1] for found in _FUNCTION.finditer(bare)} <= _UNDERSTOOD:
        return None
    scoped = set(rule.match) | set(also.match if also is not None else ())
    names = sorted(scoped.union(*(each.reads | each.asks for each in conditions)))
    domains = [_domain(name, text, rule, also) for name in names]
    size = 1
    for domain in domains:
        size *= len(domain)
    if size > _MOST_CASES:
        return None
    return (dict(zip(names, values, strict=True)) for values in itertools.product(*domains))


def _domain(name: str, text: str, rule: Rule, also: Rule | None) -> list[Any]:
    given = INPUTS[name]
    literals = [found[1][1:-1] for found in _STRING.finditer(text)]
    if name in MATCH_KEYS:
        patterns = [*rule.match.get(name, ()), *(also.match.get(name, ()) if also is not None else ())]
        samples = [
            made for each in (*literals, *map(_sample, patterns), "~") for made in (each, f"{each}~", f"~{each}")
        ]
        within = rule.match.get(name)
        texts: list[Any] = [each for each in dict.fromkeys(samples) if within is None or any_glob(within, each)]
        return texts if within is not None or not given.optional else [None, *texts]
    domain = _DOMAINS[given.kind](literals, text, name)
    return [None, *domain] if given.optional else domain


def _sample(pattern: str) -> str:
    """A text that a glob matches."""
    return re.sub(r"\[(.)[^\]]*\]", r"\1", pattern).replace("*", "").replace("?", "x")


def _texts(literals: list[str], text: str, name: str) -> list[Any]:
    return list(dict.fromkeys(made for each in (*literals, "~") for made in (each, f"{each}~", f"~{each}")))


def _numbers(literals: list[str], text: str, name: str) -> list[Any]:
    """Each number that stands in the text, and one on either side of it."""
    found = {float(number) for number in _NUMBER.findall(_STRING.sub('""', text))} | {0.0, 1.0}
    near = {value for each in found for value in (each, each - 1, each + 1, each * 0.999, each * 1.001)}
    allowed = sorted(value for value in near if value >= 0)
    return allowed if INPUTS[name].kind is Kind.DOUBLE else sorted({int(value) for value in allowed})


def _lists(literals: list[str], text: str, name: str) -> list[Any]:
    items = [*dict.fromkeys(literals), "~"]
    return [[], *([each] for each in items), *(list(pair) for pair in itertools.combinations(items, 2)), items]


def _maps(literals: list[str], text: str, name: str) -> list[Any]:
    keys = {key for which, key in _KEYED.findall(text) if which == name}
    keys |= {key for key, which in _IN_MAP.findall(text) if which == name}
    values: list[Any] = [True, False] if INPUTS[name].kind is Kind.FLAGS else _texts(literals, text, name)
    each = [[None, *values] for _ in keys]
    chosen = itertools.islice(itertools.product(*each), _MOST_CASES)
    return [{key: value for key, value in zip(sorted(keys), row, strict=True) if value is not None} for row in chosen]


def _times(literals: list[str], text: str, name: str) -> list[Any]:
    return [_MONDAY + timedelta(hours=hour) for hour in range(7 * 24)]


def _flags(literals: list[str], text: str, name: str) -> list[Any]:
    return [True, False]


_DOMAINS: Mapping[Kind, Any] = {
    Kind.STRING: _texts,
    Kind.BOOL: _flags,
    Kind.INT: _numbers,
    Kind.DOUBLE: _numbers,
    Kind.STRINGS: _lists,
    Kind.TEXTS: _maps,
    Kind.FLAGS: _maps,
    Kind.TIMESTAMP: _times,
}

"""Conformance: whether exported telemetry keeps every rule of the GenOps Governance Specification.

    report = check("traces.json")          # OTLP JSON or protobuf, of GenOps or of any other runtime
    report = check(exporter.get_finished_spans(), level="partial")
    assert report.ok, report

A governed span, an AI Workload Unit of the specification, is one that carries the specification's version, an
operation, a decision or accounting, as attribute or as event. Other spans are counted and passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from genops import semconv as s
from genops.core.errors import ConfigurationError
from genops.testing import _rules_accounting, _rules_decision, _rules_unit
from genops.testing._rule import Rule
from genops.testing._spans import Event, Source, Span, read_spans

__all__ = ["RULES", "Event", "Level", "Report", "Rule", "Span", "Violation", "check", "is_governed", "read_spans"]

RULES: Mapping[str, Rule] = {
    rule.id: rule for rule in (*_rules_unit.RULES, *_rules_decision.RULES, *_rules_accounting.RULES)
}


def _namespace(name: str) -> str:
    return name.rpartition(".")[0] + "."


_MARKS = tuple(_namespace(n) for n in (s.GENOPS_OPERATION_NAME, s.GENOPS_POLICY_RESULT, s.GENOPS_ACCOUNTING_UNIT))
_EVENT_MARKS = tuple(_namespace(name) for name in (s.EVENT_POLICY_EVALUATED, s.EVENT_BUDGET_RESERVATION))


class Level(StrEnum):
    """What a runtime claims. *Partial* is for one without the accounting invariant."""

    FULL = "full"
    PARTIAL = "partial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One rule broken in one place; the span fields are None if no single span breaks it."""

    rule: str
    text: str
    span_name: str | None
    trace_id: str | None
    span_id: str | None
    found: str
    expected: str

    def __str__(self) -> str:
        where = "" if self.span_id is None else f" (span {self.span_name!r}, {self.trace_id}/{self.span_id})"
        return f"{self.rule} {self.text} found {self.found}; expected {self.expected}{where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was checked, and every violation, in the order of the rules."""

    level: Level
    spans: int
    governed: int
    rules: int
    violations: tuple[Violation, ...]

    @property
    def ok(self) -> bool:
        """Whether the telemetry conforms at `level`."""
        return not self.violations

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-ready values."""
        return {"ok": self.ok, "spec_version": s.SPEC_VERSION, **asdict(self), "level": self.level.value}

    def __str__(self) -> str:
        verdict = "conforms" if self.ok else f"does not conform, violations: {len(self.violations)}"
        head = f"GenOps v{s.SPEC_VERSION}, {self.level}: {verdict} ({self.governed} governed of {self.spans} spans)"
        return "\n".join((head, *(f"  {violation}" for violation in self.violations)))


def check(spans: Source, *, level: Level | str = Level.FULL) -> Report:
    """Check `spans` against every rule of the specification at `level`: "full", or "partial" without accounting.

    `spans` is the path of a file, its bytes, an OTLP JSON document, or spans of OpenTelemetry's SDK. Raises
    `ConfigurationError` if it cannot be read or the level does not exist. If nothing is governed, that is a violation.

    Source: GenOps Governance Specification v0.1.0; spec/README.md tells how each rule is read.
    """
    if level not in tuple(Level):
        raise ConfigurationError(f"unknown level {level!r}.", fix='use level="full" or level="partial"')
    everything = read_spans(spans)
    governed = [span for span in everything if is_governed(span)]
    rules = [rule for rule in RULES.values() if level == Level.FULL or not rule.full_only]
    return Report(
        level=Level(level),
        spans=len(everything),
        governed=len(governed),
        rules=len(rules),
        violations=tuple(violation for rule in rules for violation in _violations(rule, governed)),
    )


def is_governed(span: Span) -> bool:
    """Whether `span` is an AI Workload Unit."""
    return any(
        name == s.GENOPS_SPEC_VERSION or name.startswith(_MARKS) for name in (*span.attributes, *span.contradictions)
    ) or any(event.name.startswith(_EVENT_MARKS) for event in span.events)


def _violations(rule: Rule, governed: list[Span]) -> list[Violation]:
    return [
        Violation(
            rule=rule.id,
            text=rule.text,
            span_name=finding.span.name if finding.span else None,
            trace_id=finding.span.trace_id if finding.span else None,
            span_id=finding.span.span_id if finding.span else None,
            found=finding.found,
            expected=finding.expected,
        )
        for finding in rule.check(governed)
    ]

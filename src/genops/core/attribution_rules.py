"""Attribution rules: which governance attributes a call must carry, and with which values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from genops.core._suggest import did_you_mean
from genops.core.attribution_values import ATTRIBUTION_FIELDS, Attribution, fix_for, warn_once
from genops.core.decision import ALLOWED, Decision, Result, Violation
from genops.core.errors import AttributionBlocked, ConfigurationError

__all__ = ["REASON_ATTRIBUTION_INVALID", "AttributionRules", "FieldRule", "RuleMode", "check"]

REASON_ATTRIBUTION_INVALID = "x_attribution_invalid"  # an extension code: the closed set has none for attribution


class RuleMode(StrEnum):
    """What happens to a call that breaks an attribution rule."""

    WARN = "warn"
    BLOCK = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRule:
    """What one attribute must be. `pattern` is a regular expression that the whole value must match."""

    required: bool = False
    allowed: tuple[str, ...] = ()
    pattern: str | None = None
    mode: RuleMode = RuleMode.WARN

    def __post_init__(self) -> None:
        if self.pattern is None:
            return
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ConfigurationError(
                f"{self.pattern!r} is no regular expression: {error}.", fix=r"for example pattern: 'cc-\d{4}'"
            ) from error

    def problem(self, name: str, value: str | None) -> str | None:
        """What is wrong with `value` as the attribute called `name`; None if nothing is."""
        if value is None:
            return f"{name} is required and not set." if self.required else None
        if self.allowed and value not in self.allowed:
            return f"{name} is {value!r}, allowed: {', '.join(self.allowed)}.{did_you_mean(value, self.allowed)}"
        if self.pattern is not None and re.fullmatch(self.pattern, value) is None:
            return f"{name} is {value!r}, which does not match the pattern {self.pattern!r}."
        return None


@dataclass(frozen=True, slots=True)
class AttributionRules:
    """The rules by attribute name. Without any, every attribution is allowed."""

    rules: Mapping[str, FieldRule] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.rules:
            if name not in ATTRIBUTION_FIELDS:
                raise ConfigurationError(
                    f"a rule for the unknown attribute {name!r}.{did_you_mean(name, ATTRIBUTION_FIELDS)}",
                    fix=f"use one of {', '.join(ATTRIBUTION_FIELDS)}",
                )

    def decide(self, attribution: Attribution) -> Decision:
        """Return what the rules say; a broken rule in mode warn is logged once per process, field and value."""
        if not self.rules:
            return ALLOWED
        violations = check(attribution, self)
        if not violations:
            return ALLOWED
        for violation in violations:
            if violation.result is Result.WARNING:
                warn_once((violation.rule, violation.message), f"{violation.message}\n  fix: {violation.fix}")
        return Decision.of(violations)


def check(attribution: Attribution, rules: AttributionRules) -> tuple[Violation, ...]:
    """Return every rule that `attribution` breaks, in the order of the fields."""
    violations = []
    for name in ATTRIBUTION_FIELDS:
        rule = rules.rules.get(name)
        problem = None if rule is None else rule.problem(name, getattr(attribution, name))
        if rule is None or problem is None:
            continue
        violations.append(
            Violation(
                rule=f"attribution.{name}",
                reason_code=REASON_ATTRIBUTION_INVALID,
                message=problem,
                fix=fix_for(name),
                result=Result.BLOCKED if rule.mode is RuleMode.BLOCK else Result.WARNING,
                refusal=AttributionBlocked,
            )
        )
    return tuple(violations)

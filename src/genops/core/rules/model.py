"""Rules: conditions on a call, and what follows when one is true. Values, as policy files state them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from string import Formatter
from typing import Any

from genops.core._suggest import did_you_mean
from genops.core.decision import Actions, Result
from genops.core.errors import ConfigurationError
from genops.core.matching import Match
from genops.core.rules.inputs import INPUTS, Kind

__all__ = [
    "APPROVAL_REQUIRED",
    "REASON_CODES",
    "RULE_ERROR",
    "Exemption",
    "Mode",
    "OnTrouble",
    "Rule",
    "RuleTest",
    "default_reason_code",
]

APPROVAL_REQUIRED = "x_approval_required"
RULE_ERROR = "x_policy_error"
# Those of the closed set that a rule of the user's own can mean.
REASON_CODES = ("POLICY_DENY_MODEL", "POLICY_DENY_REGION", "POLICY_DENY_CONTENT", "RATE_LIMITED", "BUDGET_EXCEEDED")
_EXTENSION = re.compile(r"x_[a-z0-9_]+")
_IN_MESSAGES = frozenset(
    {Kind.STRING, Kind.INT, Kind.DOUBLE, Kind.STRINGS}
)  # the kinds of inputs that read well in a sentence


class Mode(StrEnum):
    """What becomes of a true condition: the decision; a warning in its place; nothing but a note in the telemetry."""

    ENFORCE = "enforce"
    WARN = "warn"
    SHADOW = "shadow"


class OnTrouble(StrEnum):
    """What follows when a condition cannot be decided."""

    BLOCK = "block"
    WARN = "warn"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One condition. It is true of the calls that the rule is against.

    `decision` ALLOWED is for rules that only act. `on_error` and `on_unknown` say what follows when the condition fails
    or needs a fact that nobody stated; both default to what `mode` makes of a block.
    """

    name: str
    condition: str  # CEL, over INPUTS; variables of the file are written out
    match: Match = field(default_factory=dict)
    decision: Result = Result.BLOCKED
    reason_code: str | None = None
    mode: Mode = Mode.ENFORCE
    on_error: OnTrouble | None = None
    on_unknown: OnTrouble | None = None
    message: str | None = None
    fix: str | None = None
    retry_after_s: float | None = None
    actions: Actions | None = None
    approval: bool = False
    description: str | None = None
    source: str = "code"  # where it is written: policies/prod.yaml:14

    def __post_init__(self) -> None:
        code = self.reason_code
        if code is not None and code not in REASON_CODES and _EXTENSION.fullmatch(code) is None:
            raise self.error(
                f"reason_code is {code!r}.{did_you_mean(code, REASON_CODES)}",
                f"use {', '.join(REASON_CODES)}, or a code of your own: x_lower_case",
            )
        if code is not None and self.decision is Result.ALLOWED:
            raise self.error("a rule that decides ALLOWED has no reason_code.", "remove reason_code")
        if self.decision is Result.ALLOWED and self.actions is None:
            raise self.error("a rule that decides ALLOWED and does nothing is no rule.", "decision: WARNING")
        if self.actions is not None and self.decision not in (Result.ALLOWED, Result.WARNING):
            raise self.error(
                f"a call that is {self.decision} is not sent, so nothing can be done to it.",
                "decision: ALLOWED or WARNING, or remove actions",
            )
        if self.approval and self.decision is not Result.BLOCKED:
            raise self.error("approval is for rules that decide BLOCKED.", "decision: BLOCKED")
        if self.retry_after_s is not None and self.decision is not Result.RATE_LIMITED:
            raise self.error("retry_after is for rules that decide RATE_LIMITED.", "decision: RATE_LIMITED")
        for key in ("message", "fix"):
            self._check_placeholders(key, getattr(self, key))

    def _check_placeholders(self, key: str, text: str | None) -> None:
        usable = [name for name, each in INPUTS.items() if each.kind in _IN_MESSAGES]
        try:
            fields = [(name, form or how) for _, name, form, how in Formatter().parse(text or "") if name is not None]
        except ValueError as error:
            raise self.error(f"{key}: {error}.", "write {{ and }} for braces, {model} for the model") from error
        for name, form in fields:
            if name not in usable:
                raise self.error(
                    f"{key} names {{{name}}}.{did_you_mean(name, usable)}", f"use {{{'}, {'.join(usable)}}}"
                )
            if form:
                raise self.error(f"{key} says how to write {{{name}}}, which is not read.", f"write {{{name}}}")

    def error(self, message: str, fix: str) -> ConfigurationError:
        """An error about this rule."""
        return ConfigurationError(f"{self.source}: rule {self.name!r}: {message}", fix=fix)

    @property
    def code(self) -> str:
        """The reason code of a violation."""
        if self.reason_code is not None:
            return self.reason_code
        return APPROVAL_REQUIRED if self.approval else default_reason_code(self.name, self.decision)

    @property
    def tells_of_the_call(self) -> bool:
        """Whether its message differs between calls of one kind: {estimated_cost} does, {model} does not."""
        names = {name for _, name, _, _ in Formatter().parse(f"{self.message or ''}{self.fix or ''}") if name}
        return any(INPUTS[name].dynamic for name in names)

    def on(self, trouble: OnTrouble | None) -> OnTrouble:
        """What to do in case of trouble: as stated, else as strict as the rule is."""
        strict = self.mode is Mode.ENFORCE and self.decision in (Result.BLOCKED, Result.RATE_LIMITED)
        return trouble or (OnTrouble.BLOCK if strict else OnTrouble.WARN)


def default_reason_code(name: str, decision: Result) -> str:
    """RATE_LIMITED where that is the decision, else an extension code made of the rule's name."""
    if decision is Result.RATE_LIMITED:
        return Result.RATE_LIMITED.value
    return "x_" + re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """A signed, time-boxed permission to break one rule. An approval is one, too."""

    id: str
    rule: str
    owner: str
    reason: str
    expires: datetime
    match: Match = field(default_factory=dict)
    signature: str = ""
    source: str = "code"

    def signed_fields(self) -> dict[str, Any]:
        """What the signature is over."""
        return {
            "id": self.id,
            "rule": self.rule,
            "owner": self.owner,
            "reason": self.reason,
            "expires": self.expires.astimezone(UTC).isoformat(),
            "match": {key: list(patterns) for key, patterns in sorted(self.match.items())},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTest:
    """A call and what the rules are expected to say to it. What is None is not looked at."""

    name: str
    given: Mapping[str, Any]
    decision: Result
    rules: tuple[str, ...] | None = None
    reason_code: str | None = None
    actions: Actions | None = None
    source: str = "code"

"""A decision: what governance says to one call before it is sent, and which rules it rests on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from genops.core.errors import GenOpsBlocked, PolicyBlocked, RateLimited

__all__ = ["ALLOWED", "NO_NOTES", "Actions", "Decision", "Notes", "Result", "Violation"]


class Result(StrEnum):
    """The complete set of the GenOps specification."""

    ALLOWED = "ALLOWED"
    WARNING = "WARNING"
    BLOCKED = "BLOCKED"
    RATE_LIMITED = "RATE_LIMITED"


_SEVERITY = {Result.ALLOWED: 0, Result.WARNING: 1, Result.RATE_LIMITED: 2, Result.BLOCKED: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One rule that a call breaks: what was found, what is allowed, and what to type."""

    rule: str  # name of the policy, or attribution.<field>
    reason_code: str
    message: str
    fix: str | None = None
    result: Result = Result.BLOCKED
    refusal: type[GenOpsBlocked] = PolicyBlocked  # what is raised if it blocks
    retry_after_s: float | None = None  # of a RATE_LIMITED one: when the call may go through


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """What rules do to a call instead of refusing it."""

    reroute: str | None = None  # the model to send it to, of the same provider
    max_output_tokens: int | None = None  # the most output it may ask for
    redact: tuple[str, ...] = ()  # kinds of personal data and secrets to take out of the request; "all" for every one

    def with_more(self, other: Actions) -> Actions:
        """Both: the first model to go to, the lower limit, everything that either redacts."""
        limits = [each for each in (self.max_output_tokens, other.max_output_tokens) if each is not None]
        return Actions(
            reroute=self.reroute or other.reroute,
            max_output_tokens=min(limits, default=None),
            redact=tuple(dict.fromkeys((*self.redact, *other.redact))),
        )

    def described(self) -> tuple[str, ...]:
        """The actions as telemetry shows them: reroute=gpt-4o-mini."""
        each = (("reroute", self.reroute), ("max_output_tokens", self.max_output_tokens))
        done = tuple(f"{name}={value}" for name, value in each if value is not None)
        return (*done, f"redact={','.join(self.redact)}") if self.redact else done


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """What there is to tell of a decision besides its violations. Each entry starts with the name of its rule."""

    version: str | None = None  # of the policy files: a hash of what they say
    shadow: tuple[str, ...] = ()  # broken rules that are only being watched
    errors: tuple[str, ...] = ()  # rules that could not be evaluated
    exceptions: tuple[str, ...] = ()  # broken rules that the call is excepted from
    actions: Actions | None = None


NO_NOTES = Notes()


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one call. The first of `violations` is the most severe one and gives the answer its reason."""

    violations: tuple[Violation, ...] = ()
    notes: Notes = NO_NOTES

    @classmethod
    def of(cls, violations: Iterable[Violation], notes: Notes = NO_NOTES) -> Decision:
        """Decide by the most severe of `violations`; among equals, by the one given first."""
        ordered = tuple(sorted(violations, key=lambda violation: -_SEVERITY[violation.result]))
        return cls(ordered, notes) if ordered or notes is not NO_NOTES else ALLOWED

    def joined(self, more: Iterable[Violation]) -> Decision:
        """This decision with `more` violations beside its own."""
        found = tuple(more)
        return Decision.of((*self.violations, *found), self.notes) if found else self

    @classmethod
    def from_refusal(cls, refusal: GenOpsBlocked) -> Decision:
        """The decision that a refusal raised elsewhere, by a budget for one, amounts to."""
        limited = refusal.reason_code == Result.RATE_LIMITED.value
        return cls(
            (
                Violation(
                    rule=refusal.rule,
                    reason_code=refusal.reason_code,
                    message=refusal.message,
                    fix=refusal.fix,
                    result=Result.RATE_LIMITED if limited else Result.BLOCKED,
                    refusal=type(refusal),
                ),
            )
        )

    @property
    def result(self) -> Result:
        return self.violations[0].result if self.violations else Result.ALLOWED

    @property
    def blocked(self) -> bool:
        """Whether the call must not be sent."""
        return bool(self.violations) and _SEVERITY[self.violations[0].result] >= _SEVERITY[Result.RATE_LIMITED]

    @property
    def reason_code(self) -> str | None:
        """None exactly when the result is ALLOWED."""
        return self.violations[0].reason_code if self.violations else None

    @property
    def policy_name(self) -> str | None:
        return self.violations[0].rule if self.violations else None

    @property
    def reason(self) -> str | None:
        return self.violations[0].message if self.violations else None

    def refusal(self) -> GenOpsBlocked:
        """The exception to raise for a blocked call. Every blocking rule is in its message."""
        if not self.blocked:
            raise ValueError(f"a decision of {self.result} refuses nothing")
        first, *others = [violation for violation in self.violations if violation.result is not Result.WARNING]
        message = "\n".join((first.message, *(f"  also: {violation.message}" for violation in others)))
        refusal = first.refusal(message, reason_code=first.reason_code, rule=first.rule, fix=first.fix)
        refusal.decision = self
        if isinstance(refusal, RateLimited):
            refusal.retry_after_s = first.retry_after_s
        return refusal

    def raise_if_blocked(self) -> None:
        """Raise `GenOpsBlocked` (its subclass for the kind of rule) if the call must not be sent."""
        if self.blocked:
            raise self.refusal()


ALLOWED = Decision()

"""Validation: findings about a set-up, each with what to type to fix it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Finding", "Severity", "ValidationResult"]


class Severity(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"  # it works, less well than it could
    ERROR = "error"  # it does not work


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was checked. `fix` is what to type, None when there is nothing to do."""

    check: str
    severity: Severity
    message: str
    fix: str | None = None

    def __post_init__(self) -> None:
        if self.severity is Severity.ERROR and self.fix is None:
            raise ValueError(f"finding {self.check!r} is an error without a fix")


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """All findings of one validation, in the order they were made."""

    findings: tuple[Finding, ...]

    @property
    def is_valid(self) -> bool:
        """Whether nothing is broken; warnings are allowed."""
        return not self.errors

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity is Severity.WARNING)

    def __add__(self, other: ValidationResult) -> ValidationResult:
        return ValidationResult(self.findings + other.findings)

    def __str__(self) -> str:
        return "\n".join(_line(finding) for finding in self.findings)


def _line(finding: Finding) -> str:
    line = f"{finding.severity.value:<8}{finding.check:<12}{finding.message}"
    return line if finding.fix is None else f"{line}\n{'':<20}fix: {finding.fix}"

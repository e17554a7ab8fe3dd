"""Setup health: what `genops validate` finds here, which SDKs are governed, and what to do next."""

from __future__ import annotations

import threading
import time
from typing import Any

import genops
from genops.core.validation import Finding, Severity, ValidationResult
from genops.providers._engine import registry
from genops.server.dashboard.view import View

__all__ = ["Checks", "setup"]

_FRESH_S = 30.0
_HUES = {Severity.OK: "good", Severity.INFO: "", Severity.WARNING: "warn", Severity.ERROR: "bad"}
_FIRST = (Severity.ERROR, Severity.WARNING, Severity.INFO)


class Checks:
    """The checks of this environment, made again when they are older than half a minute. They import the SDKs."""

    def __init__(self) -> None:
        self._busy = threading.Lock()
        self._found: ValidationResult | None = None
        self._at = 0.0

    def found(self) -> ValidationResult:
        """The findings."""
        with self._busy:
            if self._found is None or time.monotonic() - self._at > _FRESH_S:
                self._found = genops.validate_setup()
                self._at = time.monotonic()
            return self._found


def setup(view: View) -> dict[str, Any]:
    """What is there without looking closer; the checks follow by themselves, because they take their time."""
    settings = view.state.settings
    totals = view.state.source.query("sums")[0]
    seen = {row["provider"]: row for row in view.state.source.query("sums", by=("provider",), limit=100)}
    adapters = [
        {
            "name": adapter.name,
            "package": adapter.package.name,
            "requires": adapter.package.requires,
            "version": adapter.package.installed(),
            "seen": seen.get(adapter.provider),
        }
        for adapter in registry.adapters().values()
    ]
    adapters.sort(key=lambda each: (each["version"] is None, each["name"]))
    return {
        "totals": totals,
        "adapters": adapters,
        "steps": _steps(view, totals),
        "settings": settings,
    }


def _rank(finding: Finding) -> int:
    return _FIRST.index(finding.severity)


def findings(checks: Checks) -> dict[str, Any]:
    """What was found, what is broken first."""
    found = checks.found()
    todo = sorted((each for each in found.findings if each.severity is not Severity.OK), key=_rank)
    done = [each for each in found.findings if each.severity is Severity.OK]
    return {"open": todo, "done": done, "hues": _HUES, "result": found}


def _steps(view: View, totals: dict[str, Any]) -> list[tuple[str, str]]:
    """What to do next, and what to type for it."""
    settings = view.state.settings
    steps = []
    if not totals["calls"]:
        steps.append(("Govern an application, without changing it", "genops run -- python app.py"))
    if settings.source is None:
        steps.append(
            ("Write a genops.yaml beside your application", "attribution:\n  team: search\n  environment: production")
        )
    if totals["unpriced"]:
        steps.append(
            (
                "Some calls have no price: give their models one in genops.yaml",
                'custom_rates:\n  - {model: shop-7b, unit: 1m_tokens, usd: "0.20"}',
            )
        )
    if not settings.budgets.budgets:
        steps.append(("Set a budget", "budgets:\n  - {name: team-monthly, group_by: [team], limit: 500}"))
    if not settings.policy.files and not settings.policies.policies:
        steps.append(("Write a rule", "policy_files: [policies/*.yaml]"))
    if not settings.redaction.stated:
        steps.append(("Take personal data out of requests", "redaction: {requests: [personal]}"))
    return steps

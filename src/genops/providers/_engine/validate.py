"""Validating the whole set-up: settings, ledger, OpenTelemetry, and every adapter whose package is here."""

from __future__ import annotations

import os
import socket
import time
from importlib import metadata
from urllib.parse import urlsplit

from opentelemetry import trace

from genops.config import settings as config
from genops.config.environment import detect_otel_environment
from genops.config.settings import Settings
from genops.config.watching import FileKillSwitch
from genops.core.attribution import AttributionSources, missing_required
from genops.core.attribution_values import fix_for
from genops.core.errors import BudgetStoreError, ConfigurationError
from genops.core.rules.lint import lint
from genops.core.validation import Finding, Severity, ValidationResult
from genops.engines import open_engines
from genops.exporters.checking import check_backend
from genops.providers._engine import registry
from genops.providers._engine.surface import validate_adapter
from genops.stores.budgets import open_budget_store

__all__ = ["validate_setup"]

_PEERS = (
    *("traceloop-sdk", "opentelemetry-instrumentation-openai", "opentelemetry-instrumentation-anthropic"),
    *(
        "openinference-instrumentation-openai",
        "openinference-instrumentation-anthropic",
        "openlit",
        "langfuse",
        "logfire",
    ),
    *("opentelemetry-instrumentation-genai-openai", "opentelemetry-instrumentation-genai-anthropic"),
)


def validate_setup(*, live: bool = False, backend: str | None = None) -> ValidationResult:
    """Check what stands between this environment and governed calls; each finding says what to type.

    With `live`, every adapter makes one call that costs nothing, and one span is sent to the backend of the settings.
    With `backend`, that backend alone is checked; docs/reference/backends.md has their names. Nothing is changed.
    """
    if backend is not None:
        return ValidationResult(tuple(check_backend(backend, live=live)))
    try:
        settings = config.load({})
    except ConfigurationError as error:
        broken = Finding(check="settings", severity=Severity.ERROR, message=error.message, fix=error.fix or "see above")
        return ValidationResult((broken,))
    findings = [
        _settings(settings),
        *_attribution(settings.attribution),
        _ledger(settings),
        *_budgets(settings),
        *_policies(settings),
        *_redaction(settings),
        *_kill_switch(settings),
        *(check_backend(settings.backend, live=live) if settings.backend is not None else _telemetry()),
        *_peers(),
    ]
    result = ValidationResult(tuple(findings))
    installed = [adapter for adapter in registry.adapters().values() if adapter.package.installed() is not None]
    for adapter in installed:
        result += validate_adapter(adapter)(live=live)
    if not installed:
        packages = ", ".join(adapter.package.name for adapter in registry.adapters().values())
        nothing = Finding(
            check="adapters",
            severity=Severity.WARNING,
            message=f"no supported SDK is installed ({packages})",
            fix="pip install openai",
        )
        result += ValidationResult((nothing,))
    return result


def _settings(settings: Settings) -> Finding:
    where = settings.source or "no genops.yaml found, so defaults and GENOPS_* variables"
    if not settings.enabled:
        return Finding(
            check="settings",
            severity=Severity.WARNING,
            message=f"governance is switched off ({where})",
            fix="enabled: true in genops.yaml, or unset GENOPS_ENABLED",
        )
    return Finding(check="settings", severity=Severity.OK, message=f"read from {where}")


def _attribution(sources: AttributionSources) -> list[Finding]:
    resolved = sources.resolve()
    missing = missing_required(resolved)
    findings = [
        Finding(check="attribution", severity=Severity.ERROR, message=f"{name} is not set", fix=fix_for(name))
        for name in missing
    ]
    for name, origin in sources.origins.items():
        value = getattr(resolved, name)
        if sources.derived.get(name) == value:
            findings.append(
                Finding(
                    check="attribution",
                    severity=Severity.WARNING,
                    message=f"{name} is not set; {value!r} is used ({origin})",
                    fix=fix_for(name),
                )
            )
    return findings or [
        Finding(check="attribution", severity=Severity.OK, message="team, project and environment are set")
    ]


def _policies(settings: Settings) -> list[Finding]:
    """Whether policy files and engines can be used, and what lint finds in the rules."""
    try:
        engines = open_engines(settings.policy.engines, settings.policy.base)
        rules = settings.policy.load()[0] if settings.policy.files else None
    except ConfigurationError as error:
        fix = error.fix or "see above"
        return [Finding(check="policy", severity=Severity.ERROR, message=error.message, fix=fix)]
    findings = []
    if engines:
        names = ", ".join(each.engine.name for each in engines)
        findings.append(
            Finding(check="policy", severity=Severity.OK, message=f"engines asked about each call: {names}")
        )
    if rules is not None:
        said = f"{len(rules.rules)} rules, version {rules.version}"
        findings.append(Finding(check="policy", severity=Severity.OK, message=said))
        odd = lint(rules.rules, rules.exemptions)
        if odd:
            said = f"{len(odd)} rules to look at, the first: {odd[0].rule!r} ({odd[0].kind})"
            findings.append(Finding(check="policy", severity=Severity.WARNING, message=said, fix="genops policy lint"))
    return findings


def _redaction(settings: Settings) -> list[Finding]:
    if not (settings.redaction.stated or settings.telemetry.content):
        return []
    try:
        redaction = settings.redaction.open()
    except ConfigurationError as error:
        fix = error.fix or "see above"
        return [Finding(check="redaction", severity=Severity.ERROR, message=error.message, fix=fix)]
    always = ", ".join(redaction.always) or "what rules name"
    return [Finding(check="redaction", severity=Severity.OK, message=f"taken out of requests: {always}")]


def _kill_switch(settings: Settings) -> list[Finding]:
    stop = FileKillSwitch(settings.policy.kill_switch, settings.policy.stop).stop(time.time_ns())
    if stop is None:
        return []
    message = stop.violation().message
    return [Finding(check="kill-switch", severity=Severity.WARNING, message=message, fix="genops kill-switch off")]


def _ledger(settings: Settings) -> Finding:
    if not settings.ledger.enabled:
        return Finding(check="ledger", severity=Severity.INFO, message="switched off")
    directory = settings.ledger.dir
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        return Finding(
            check="ledger",
            severity=Severity.ERROR,
            message=f"{directory} cannot be written",
            fix="export GENOPS_LEDGER_DIR=...   (a directory that can be written)",
        )
    return Finding(check="ledger", severity=Severity.OK, message=f"kept in {directory}")


def _budgets(settings: Settings) -> list[Finding]:
    """Whether the store of the budgets answers; nothing where there are none."""
    found = settings.budgets
    if not found.budgets:
        return []
    try:
        if found.store is not None:  # else a file beside the ledger, which has been looked at
            store = open_budget_store(found.store, namespace=found.namespace)
            store.counters(found.budgets[0].name)
            store.close()
    except (BudgetStoreError, ConfigurationError) as error:
        return [Finding(check="budgets", severity=Severity.ERROR, message=error.message, fix=error.fix or "see above")]
    many = f"{len(found.budgets)} budgets and rate limits, counted in {found.store or 'a file beside the ledger'}"
    return [Finding(check="budgets", severity=Severity.OK, message=many)]


def _telemetry() -> list[Finding]:
    environment = detect_otel_environment()
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return [Finding(check="telemetry", severity=Severity.OK, message="the application has its own tracer provider")]
    if not environment.has_endpoint:
        return [
            Finding(
                check="telemetry",
                severity=Severity.INFO,
                message="no OTLP endpoint is set; the ledger is kept all the same",
                fix="export OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318",
            )
        ]
    findings = [_reachable(str(environment.traces_endpoint))]
    if _version("opentelemetry-exporter-otlp-proto-http") is None:
        findings.append(
            Finding(
                check="telemetry",
                severity=Severity.ERROR,
                message="the OTLP exporter is not installed",
                fix="pip install 'genops-ai[otlp]'",
            )
        )
    return findings


def _reachable(endpoint: str) -> Finding:
    parts = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}")
    port = parts.port or (443 if parts.scheme == "https" else 4318)
    try:
        socket.create_connection((parts.hostname or "localhost", port), timeout=2).close()
    except OSError as error:
        return Finding(
            check="telemetry",
            severity=Severity.WARNING,
            message=f"{endpoint} does not answer ({error})",
            fix="start the Collector, or correct OTEL_EXPORTER_OTLP_ENDPOINT",
        )
    return Finding(check="telemetry", severity=Severity.OK, message=f"{endpoint} answers")


def _peers() -> list[Finding]:
    return [
        Finding(check="peers", severity=Severity.INFO, message=f"{name} {version} is installed, too")
        for name in _PEERS
        if (version := _version(name)) is not None
    ]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None

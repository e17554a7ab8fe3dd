"""Checking a backend: its variables, its packages, and, if asked, whether it takes a span."""

from __future__ import annotations

import importlib
import logging
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.trace import SpanContext

from genops.config.environment import detect_otel_environment
from genops.core.errors import ConfigurationError
from genops.core.validation import Finding, Severity
from genops.exporters.backends import find_backend
from genops.exporters.destinations import Destination, Signal, resolve
from genops.exporters.otlp import exporter_to
from genops.exporters.signing import signed_session

__all__ = ["check_backend"]

_PATIENCE_S = 5.0  # for the span that is sent, retries included
_MOST_QUOTED = 200  # characters of a refusal


def check_backend(name: str, *, live: bool = False) -> list[Finding]:
    """Return what stands between this environment and the backend `name`; with `live`, one span is sent to it."""
    try:
        destination = resolve(find_backend(name))
        exporter, answers = _exporter(destination)
    except ConfigurationError as error:
        return [_finding(Severity.ERROR, error.message, error.fix or "see above")]
    backend = destination.backend
    findings = [
        _finding(Severity.OK, f"{signal} go to {endpoint}") for signal, endpoint in destination.endpoints.items()
    ]
    findings += [
        _finding(Severity.INFO, f"{signal} are not sent", f"export {variable}=...   (if they are wanted)")
        for signal, variable in destination.left_out.items()
    ]
    if detect_otel_environment().has_endpoint:
        said = f"OTEL_EXPORTER_OTLP_ENDPOINT is set and not heeded: backend {name!r} goes before it"
        findings.append(_finding(Severity.WARNING, said, "unset OTEL_EXPORTER_OTLP_ENDPOINT, or backend"))
    findings += [_finding(Severity.INFO, pitfall) for pitfall in backend.pitfalls]
    if live:
        findings.append(_sent(destination, exporter, answers))
    exporter.shutdown()
    return findings


def _finding(severity: Severity, message: str, fix: str | None = None) -> Finding:
    return Finding(check="backend", severity=severity, message=message, fix=fix)


def _exporter(destination: Destination) -> tuple[Any, list[Any]]:
    """The exporter of spans, and the list that every answer to it is put in."""
    answers: list[Any] = []
    session = signed_session(destination, Signal.TRACES) or importlib.import_module("requests").Session()
    session.hooks["response"].append(lambda answer, **_: answers.append(answer))
    return exporter_to(destination, Signal.TRACES, session=session, timeout=_PATIENCE_S), answers


def _sent(destination: Destination, exporter: Any, answers: list[Any]) -> Finding:
    """Send one span through the very exporter that is used, and say what came back."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExportResult
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    at = time.time_ns()
    span = ReadableSpan(
        "genops validate",
        context=SpanContext(random.getrandbits(128) | 1, random.getrandbits(64) | 1, is_remote=False),
        resource=Resource.create(dict(destination.resource)),
        instrumentation_scope=InstrumentationScope("genops"),
        start_time=at,
        end_time=at,
    )
    endpoint = destination.endpoints[Signal.TRACES]
    with _quiet() as said:
        arrived = exporter.export([span]) is SpanExportResult.SUCCESS
    if arrived:
        return _finding(Severity.OK, f"one span was sent to {endpoint} and taken (HTTP {answers[-1].status_code})")
    if not answers:
        reason = said[-1] if said else "no answer"
        return _finding(Severity.ERROR, f"{endpoint} does not answer: {reason[:_MOST_QUOTED]}", _override(destination))
    answer = answers[-1]
    body = " ".join(answer.text.split())[:_MOST_QUOTED]
    return _finding(
        Severity.ERROR,
        f"{endpoint} refuses the span: HTTP {answer.status_code} {body}".rstrip(),
        _fix(destination, answer.status_code),
    )


@contextmanager
def _quiet() -> Iterator[list[str]]:
    """Keep the exporter's own messages from being printed; they are told in the finding."""
    said: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger, handler = logging.getLogger("opentelemetry.exporter"), Kept()
    propagated = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield said
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagated


def _fix(destination: Destination, status: int) -> str:
    secrets = [each.name for each in destination.backend.variables if each.default in (None, "")]
    if status in (401, 403):
        return f"check {', '.join(secrets)}: the key, its scopes, and that it is of this address"
    if status in (404, 405, 415):
        return _override(destination)
    return f"see {destination.backend.source}"


def _override(destination: Destination) -> str:
    return f"check the address; {destination.backend.override}=https://... replaces it"

"""OTLP: set OpenTelemetry up from the standard `OTEL_*` variables, where the application has not done so."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from opentelemetry import _logs, metrics, trace

from genops.config.environment import detect_otel_environment
from genops.config.settings import Settings
from genops.core.errors import NotInstalled
from genops.exporters.forking import PerProcessExporter

__all__ = ["configure_otlp_exporter", "set_up_if_absent"]

_log = logging.getLogger(__name__)


def set_up_if_absent(settings: Settings, redact: Callable[[Any], Any] | None = None) -> str | None:
    """Set up tracing, metrics and logs if the application has none; return where they go, None for nowhere.

    Without an OTLP endpoint in the environment and without `telemetry.console`, nothing is set up. `redact` is applied
    to whatever is exported, also by other instrumentations.
    """
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return "the application's own OpenTelemetry providers"
    if settings.telemetry.console:
        _install(_console(), None, None, redact)
        return "the console"
    environment = detect_otel_environment()
    if not environment.has_endpoint:
        return None
    try:
        return configure_otlp_exporter(settings=settings, redact=redact)
    except NotInstalled as problem:
        _log.warning("%s", problem)
        return None


def configure_otlp_exporter(
    endpoint: str | None = None,
    *,
    headers: dict[str, str] | None = None,
    settings: Settings | None = None,
    redact: Callable[[Any], Any] | None = None,
) -> str:
    """Export spans, metrics and logs by OTLP over HTTP and return where to.

    `endpoint` is the base URL of a backend or Collector, e.g. http://localhost:4318; left out, the standard variables
    `OTEL_EXPORTER_OTLP_*` decide. `redact` gives a value without what must not leave the process. Raises `NotInstalled`
    without the `otlp` extra.
    """
    settings = settings or Settings()
    exporters: list[Any] = []
    for signal, name in (("trace", "OTLPSpanExporter"), ("metric", "OTLPMetricExporter"), ("_log", "OTLPLogExporter")):
        arguments: dict[str, Any] = {}
        if endpoint is not None:
            path = {"trace": "traces", "metric": "metrics", "_log": "logs"}[signal]
            arguments["endpoint"] = f"{endpoint.rstrip('/')}/v1/{path}"
        if headers is not None:
            arguments["headers"] = headers
        exporters.append(PerProcessExporter(partial(_exporter(signal, name), **arguments)))
    spans, readings, records = exporters
    readings = readings if settings.telemetry.metrics else None
    _install(spans, readings, records if settings.telemetry.logs else None, redact)
    return endpoint or detect_otel_environment().traces_endpoint or "http://localhost:4318"


def _exporter(signal: str, name: str) -> Any:
    try:
        module = importlib.import_module(f"opentelemetry.exporter.otlp.proto.http.{signal}_exporter")
    except ImportError:
        raise NotInstalled(
            "an OTLP endpoint is set and the exporter is not installed, so telemetry goes nowhere.",
            fix="pip install 'genops-ai[otlp]'",
        ) from None
    return getattr(module, name)


def _console() -> Any:
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter

    return ConsoleSpanExporter()


def _install(spans: Any, readings: Any, records: Any, redact: Callable[[Any], Any] | None) -> None:
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if redact is not None:
        from genops.exporters.redacting import RedactingLogExporter, RedactingSpanExporter

        spans = RedactingSpanExporter(spans, redact)
        records = RedactingLogExporter(records, redact) if records is not None else None
    tracers = TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(spans))
    trace.set_tracer_provider(tracers)
    if readings is not None:
        metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(readings)]))
    if records is not None:
        loggers = LoggerProvider()
        loggers.add_log_record_processor(BatchLogRecordProcessor(records))
        _logs.set_logger_provider(loggers)

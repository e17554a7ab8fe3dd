"""OTLP: set OpenTelemetry up for a backend, or from the standard `OTEL_*` variables, where nobody has done so."""

from __future__ import annotations

import importlib
import logging
import uuid
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from opentelemetry import _logs, metrics, trace

from genops.config.environment import detect_otel_environment
from genops.config.settings import Settings
from genops.core.errors import ConfigurationError, NotInstalled
from genops.exporters.backends import find_backend
from genops.exporters.destinations import Destination, Signal, Temporality, resolve
from genops.exporters.forking import PerProcessExporter
from genops.exporters.signing import signed_session

__all__ = ["configure_otlp_exporter", "exporter_to", "set_up_if_absent"]

_log = logging.getLogger(__name__)
_ours: tuple[weakref.ref[Any], str | None, str] | None = None  # the tracer provider set up here, for whom, to where
_CLASSES = {
    Signal.TRACES: ("trace", "OTLPSpanExporter"),
    Signal.METRICS: ("metric", "OTLPMetricExporter"),
    Signal.LOGS: ("_log", "OTLPLogExporter"),
}


def set_up_if_absent(settings: Settings, redact: Callable[[Any], Any] | None = None) -> str | None:
    """Set up tracing, metrics and logs if the application has none; return where they go, None for nowhere.

    Without a backend, an OTLP endpoint in the environment or `telemetry.console`, nothing is set up, and neither is a
    backend where OTEL_SDK_DISABLED says so. `redact` is applied to whatever is exported, also by other
    instrumentations. Raises `ConfigurationError` for a backend whose variables are not set and `NotInstalled` for one
    without the `otlp` extra.
    """
    global _ours  # a process has one tracer provider
    current = trace.get_tracer_provider()
    if not isinstance(current, trace.ProxyTracerProvider):
        backend, where = None, "the application's own OpenTelemetry providers"
        if _ours is not None and _ours[0]() is current:  # by identity: Logfire's provider has no hash
            _, backend, where = _ours
        if settings.backend not in (None, backend):
            _log.warning("backend %s is not set up: this process exports already, to %s", settings.backend, where)
        return where
    exporting_to = _set_up(settings, redact)
    if exporting_to is not None:
        _ours = weakref.ref(trace.get_tracer_provider()), settings.backend, exporting_to
    return exporting_to


def _set_up(settings: Settings, redact: Callable[[Any], Any] | None) -> str | None:
    if settings.telemetry.console:
        _install({Signal.TRACES: _console()}, None, redact)
        return "the console"
    environment = detect_otel_environment()
    if settings.backend is not None and not environment.disabled:
        return configure_otlp_exporter(backend=settings.backend, settings=settings, redact=redact)
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
    backend: str | None = None,
    settings: Settings | None = None,
    redact: Callable[[Any], Any] | None = None,
) -> str:
    """Export spans, metrics and logs by OTLP over HTTP and return where to.

    `endpoint` is the base URL of a backend or Collector, e.g. http://localhost:4318; left out, `backend` (a name of
    docs/reference/backends.md) decides, and without one the standard variables `OTEL_EXPORTER_OTLP_*`. `redact` gives a
    value without what must not leave the process. Raises `NotInstalled` without the `otlp` extra and
    `ConfigurationError` for a backend whose variables are not set.
    """
    settings = settings or Settings()
    if backend is not None:
        if endpoint is not None or headers is not None:
            raise ConfigurationError(
                "a backend has its own endpoint and headers.", fix="give backend=, or endpoint= and headers="
            )
        destination = resolve(find_backend(backend))
        makers = {signal: partial(exporter_to, destination, signal) for signal in destination.endpoints}
    else:
        destination = None
        makers = {signal: partial(_plain, signal, endpoint, headers) for signal in Signal}
    wanted = {Signal.TRACES: True, Signal.METRICS: settings.telemetry.metrics, Signal.LOGS: settings.telemetry.logs}
    exporters = {signal: PerProcessExporter(make) for signal, make in makers.items() if wanted[signal]}
    _install(exporters, destination, redact)
    if destination is not None:
        return f"{destination.backend.title}, {destination.endpoints[Signal.TRACES]}"
    return endpoint or detect_otel_environment().traces_endpoint or "http://localhost:4318"


def exporter_to(destination: Destination, signal: Signal, **more: Any) -> Any:
    """Return OpenTelemetry's exporter of one signal, as the backend wants it; `more` are arguments of its own."""
    http = _module("")
    arguments: dict[str, Any] = {
        "endpoint": destination.endpoints[signal],
        "headers": dict(destination.headers[signal]),
        "compression": http.Compression.Gzip,
        "session": more.get("session") or signed_session(destination, signal),
    }
    if signal is Signal.METRICS:
        arguments |= _readings(destination)
    made = _class(signal)(**{**more, **arguments})
    most = destination.backend.request_bytes
    if signal is Signal.TRACES and most is not None:
        from genops.exporters.splitting import SplittingSpanExporter

        return SplittingSpanExporter(made, most)
    return made


def _readings(destination: Destination) -> dict[str, Any]:
    """How counters and histograms are read for the backend; what can go down stays cumulative."""
    from opentelemetry.sdk import metrics as sdk
    from opentelemetry.sdk.metrics.export import AggregationTemporality as Kind
    from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation

    arguments: dict[str, Any] = {}
    if destination.backend.temporality is not None:
        kind = Kind.DELTA if destination.backend.temporality is Temporality.DELTA else Kind.CUMULATIVE
        arguments["preferred_temporality"] = dict.fromkeys((sdk.Counter, sdk.Histogram, sdk.ObservableCounter), kind)
    if destination.backend.exponential_histograms:
        arguments["preferred_aggregation"] = {sdk.Histogram: ExponentialBucketHistogramAggregation()}
    return arguments


def _plain(signal: Signal, endpoint: str | None, headers: Mapping[str, str] | None) -> Any:
    """An exporter as the standard variables say, or to `endpoint`."""
    arguments: dict[str, Any] = {}
    if endpoint is not None:
        arguments["endpoint"] = f"{endpoint.rstrip('/')}/v1/{signal}"
    if headers is not None:
        arguments["headers"] = headers
    return _class(signal)(**arguments)


def _class(signal: Signal) -> Any:
    module, name = _CLASSES[signal]
    return getattr(_module(f".{module}_exporter"), name)


def _module(name: str) -> Any:
    try:
        return importlib.import_module(f"opentelemetry.exporter.otlp.proto.http{name}")
    except ImportError:
        raise NotInstalled(
            "telemetry is to be sent and the exporter is not installed, so it goes nowhere.",
            fix="pip install 'genops-ai[otlp]'",
        ) from None


def _console() -> Any:
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter

    return ConsoleSpanExporter()


def _install(
    exporters: dict[Signal, Any], destination: Destination | None, redact: Callable[[Any], Any] | None
) -> None:
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    spans, records = exporters[Signal.TRACES], exporters.get(Signal.LOGS)
    if redact is not None:
        from genops.exporters.redacting import RedactingLogExporter, RedactingSpanExporter

        spans = RedactingSpanExporter(spans, redact)
        records = RedactingLogExporter(records, redact) if records is not None else None
    # Two processes that count into one series overwrite each other: each is an instance, if nobody says which.
    instance = Resource({"service.instance.id": str(uuid.uuid4())})
    resource = instance.merge(Resource.create(dict(destination.resource) if destination is not None else None))
    longest = destination.backend.attribute_length if destination is not None else None
    tracers = TracerProvider(resource=resource, span_limits=_span_limits(longest))
    tracers.add_span_processor(BatchSpanProcessor(spans))
    trace.set_tracer_provider(tracers)
    if Signal.METRICS in exporters:
        reader = PeriodicExportingMetricReader(exporters[Signal.METRICS])
        metrics.set_meter_provider(MeterProvider([reader], resource=resource))
    if records is not None:
        loggers = LoggerProvider(resource=resource)
        loggers.add_log_record_processor(BatchLogRecordProcessor(records))
        _logs.set_logger_provider(loggers)


def _span_limits(longest: int | None) -> Any:
    """The limits of the standard variables, and no attribute longer than the backend keeps."""
    from opentelemetry.sdk.trace import SpanLimits

    given = SpanLimits()
    if longest is None:
        return given
    stated = [each for each in (given.max_attribute_length, longest) if each is not None]
    on_spans = [each for each in (given.max_span_attribute_length, longest) if each is not None]
    return SpanLimits(max_attribute_length=min(stated), max_span_attribute_length=min(on_spans))

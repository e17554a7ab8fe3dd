"""Redacting exporters: what leaves the process has no personal data and no secrets in it, whoever recorded it.

They wrap any OpenTelemetry exporter and copy what has to change; the spans and records of the application stay as they
are. Attributes, events, links, the status text and the bodies of log records are looked at.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Link, Status

if TYPE_CHECKING:
    from opentelemetry.sdk._logs.export import LogRecordExporter

__all__ = ["RedactingLogExporter", "RedactingSpanExporter", "redacted_attributes"]

Redact = Callable[[Any], Any]
"""Gives the same value without what must not be in it; the very same object if nothing is found."""

# Identifiers, names and numbers: never content. Hexadecimal ids look like keys.
_NEVER_CONTENT = (
    *("genops.", "server.", "service.", "telemetry.", "error.type", "otel.", "code.", "thread.", "process."),
    *("gen_ai.operation.", "gen_ai.provider.", "gen_ai.request.", "gen_ai.response.", "gen_ai.usage.", "gen_ai.system"),
    *("http.request.method", "http.response.", "network.", "rpc.", "trace_id", "span_id"),
)
_CONTENT = ("gen_ai.system_instructions", "gen_ai.response.text")


def redacted_attributes(attributes: Mapping[str, Any] | None, redact: Redact) -> Mapping[str, Any] | None:
    """The attributes with every text redacted that may be content; the same object if nothing is found."""
    changed: dict[str, Any] = {}
    for key, value in (attributes or {}).items():
        if isinstance(value, str | list | tuple | dict) and not _is_safe(key):
            found = redact(value)
            if found is not value:
                changed[key] = found
    return {**(attributes or {}), **changed} if changed else attributes


def _is_safe(key: str) -> bool:
    return key.startswith(_NEVER_CONTENT) and not key.startswith(_CONTENT)


class RedactingSpanExporter(SpanExporter):
    """Exports spans through `exporter`, redacted."""

    def __init__(self, exporter: SpanExporter, redact: Redact) -> None:
        self._exporter = exporter
        self._redact = redact

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export copies of the spans in which something was found, and the others as they are."""
        return self._exporter.export([self._redacted(span) for span in spans])

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)

    def _redacted(self, span: ReadableSpan) -> ReadableSpan:
        given = span.attributes  # a new view each time it is asked for
        attributes = redacted_attributes(given, self._redact)
        events = [self._event(event) for event in span.events]
        links = [self._link(link) for link in span.links]
        said = span.status.description
        description = self._redact(said) if said else said
        same_parts = all(map(_is, events, span.events)) and all(map(_is, links, span.links))
        if attributes is given and same_parts and description is said:
            return span
        return ReadableSpan(
            name=span.name,
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=attributes,
            events=events,
            links=links,
            kind=span.kind,
            instrumentation_scope=span.instrumentation_scope,
            status=Status(span.status.status_code, description),
            start_time=span.start_time,
            end_time=span.end_time,
        )

    def _event(self, event: Event) -> Event:
        given = event.attributes
        attributes = redacted_attributes(given, self._redact)
        return event if attributes is given else Event(event.name, attributes, event.timestamp)

    def _link(self, link: Link) -> Link:
        given = link.attributes
        attributes = redacted_attributes(given, self._redact)
        return link if attributes is given else Link(link.context, attributes)


def _is(one: object, other: object) -> bool:
    return one is other


class RedactingLogExporter:
    """Exports log records through `exporter`, redacted. Wraps any `LogRecordExporter` of OpenTelemetry."""

    def __init__(self, exporter: LogRecordExporter, redact: Redact) -> None:
        self._exporter = exporter
        self._redact = redact

    def export(self, batch: Sequence[Any]) -> Any:
        """Export copies of the records in which something was found, and the others as they are."""
        return self._exporter.export([self._redacted(each) for each in batch])

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # of OpenTelemetry

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return bool(self._exporter.force_flush(timeout_millis))

    def _redacted(self, data: Any) -> Any:
        record = data.log_record
        given = record.attributes
        attributes = redacted_attributes(given, self._redact)
        body = self._redact(record.body) if isinstance(record.body, str | list | tuple | dict) else record.body
        if attributes is given and body is record.body:
            return data
        changed = copy.copy(record)
        changed.attributes, changed.body = attributes, body
        whole = copy.copy(data)
        object.__setattr__(whole, "log_record", changed)
        return whole

"""Spans as the conformance checker sees them, and how they are read from what exporters write."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genops.core.errors import ConfigurationError, NotInstalled

__all__ = ["Event", "Source", "Span", "read_spans"]

# What `read_spans` takes: a file, the bytes of one, the dictionary of an OTLP JSON document, or spans in memory.
Source = Path | str | bytes | Mapping[str, Any] | Iterable[Any]

_SIGNALS = ("resourceSpans", "resourceLogs", "resourceMetrics", "resourceProfiles")
_FIX = "give OTLP JSON, one document or one per line, or the bytes of an OTLP protobuf ExportTraceServiceRequest"


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a span."""

    name: str
    time_ns: int
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One exported span; ids in hexadecimal, times in nanoseconds since the Unix epoch.

    A null attribute value is None. `contradictions` are the names of attributes that were given twice, with different
    values.
    """

    trace_id: str
    span_id: str
    name: str
    start_ns: int = 0
    end_ns: int = 0
    attributes: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    contradictions: tuple[str, ...] = ()

    def events_named(self, name: str) -> tuple[Event, ...]:
        """The events called `name`, in the order they are recorded in."""
        return tuple(event for event in self.events if event.name == name)


def read_spans(source: Source) -> tuple[Span, ...]:
    """Return the spans in `source`: a path, bytes, an OTLP JSON document, or spans of OpenTelemetry's SDK.

    Raises `ConfigurationError` for what cannot be read, and `NotInstalled` if it is protobuf and the package
    opentelemetry-proto is absent.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        try:
            return _from_bytes(path.read_bytes(), str(path))
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be read: {error.strerror}.", fix=_FIX) from error
    if isinstance(source, bytes):
        return _from_bytes(source, "the input")
    if isinstance(source, Mapping):
        return _from_document(source, "the input")
    return tuple(span if isinstance(span, Span) else _from_readable(span) for span in source)


def _from_bytes(data: bytes, origin: str) -> tuple[Span, ...]:
    """JSON where it is JSON, else protobuf: a message may begin with the bytes of a brace, JSON never with a tag."""
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return _from_protobuf(data, origin)
    if not text:
        return ()
    try:
        return _from_document(json.loads(text), origin)
    except json.JSONDecodeError as error:
        if not text.startswith("{") or not text.splitlines()[0].rstrip().endswith("}"):
            return _from_protobuf(data, origin, because=f"line {error.lineno} is not JSON ({error.msg})")
    return tuple(_from_lines(text, origin))


def _from_lines(text: str, origin: str) -> Iterator[Span]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
        except json.JSONDecodeError as error:
            raise ConfigurationError(f"{origin}: line {number} is not JSON ({error.msg}).", fix=_FIX) from error
        yield from _from_document(document, f"{origin}: line {number}")


# -- OTLP JSON ---------------------------------------------------------------------------------------------------------


def _from_document(document: Any, origin: str) -> tuple[Span, ...]:
    if not isinstance(document, Mapping) or not any(signal in document for signal in _SIGNALS):
        raise ConfigurationError(f"{origin} is JSON, and has no resourceSpans.", fix=_FIX)
    try:
        return tuple(
            _from_json(span)
            for resource in document.get("resourceSpans", ())
            for scope in resource.get("scopeSpans", ())
            for span in scope.get("spans", ())
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{origin} is not OTLP JSON: {type(error).__name__}: {error}.", fix=_FIX) from error


def _from_json(span: Mapping[str, Any]) -> Span:
    attributes, contradictions = _gather(
        (item["key"], _json_value(item["value"])) for item in span.get("attributes", ())
    )
    return Span(
        trace_id=span.get("traceId", "").lower(),
        span_id=span.get("spanId", "").lower(),
        name=span.get("name", ""),
        start_ns=int(span.get("startTimeUnixNano", 0)),
        end_ns=int(span.get("endTimeUnixNano", 0)),
        attributes=attributes,
        events=tuple(
            Event(
                event.get("name", ""),
                int(event.get("timeUnixNano", 0)),
                {item["key"]: _json_value(item["value"]) for item in event.get("attributes", ())},
            )
            for event in span.get("events", ())
        ),
        contradictions=contradictions,
    )


def _json_value(value: Mapping[str, Any]) -> Any:
    for kind, stated in value.items():
        match kind:
            case "intValue":
                return int(stated)
            case "doubleValue":
                return float(stated)
            case "arrayValue":
                return tuple(_json_value(item) for item in stated.get("values", ()))
            case "kvlistValue":
                return {item["key"]: _json_value(item["value"]) for item in stated.get("values", ())}
            case "stringValue" | "boolValue" | "bytesValue":
                return stated
    return None


# -- OTLP protobuf -----------------------------------------------------------------------------------------------------


def _from_protobuf(data: bytes, origin: str, because: str | None = None) -> tuple[Span, ...]:
    try:
        from google.protobuf.message import DecodeError
        from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
    except ImportError as error:
        raise NotInstalled(
            f"{origin} is not JSON; to read it as OTLP protobuf takes opentelemetry-proto, which is not installed.",
            fix="pip install opentelemetry-proto",
        ) from error
    message = TracesData()  # an ExportTraceServiceRequest has the same fields
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        told = f": {because}, and" if because else ": it is not text, and"
        raise ConfigurationError(f"{origin} cannot be read{told} not OTLP protobuf either.", fix=_FIX) from error
    if not message.resource_spans:
        raise ConfigurationError(f"{origin} has no resource spans, read as OTLP protobuf.", fix=_FIX)
    return tuple(
        _from_message(span)
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    )


def _from_message(span: Any) -> Span:
    attributes, contradictions = _gather((item.key, _message_value(item.value)) for item in span.attributes)
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        name=span.name,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        attributes=attributes,
        events=tuple(
            Event(
                event.name,
                event.time_unix_nano,
                {item.key: _message_value(item.value) for item in event.attributes},
            )
            for event in span.events
        ),
        contradictions=contradictions,
    )


def _message_value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    stated = getattr(value, kind)
    if kind == "array_value":
        return tuple(_message_value(item) for item in stated.values)
    if kind == "kvlist_value":
        return {item.key: _message_value(item.value) for item in stated.values}
    return stated


# -- in memory ---------------------------------------------------------------------------------------------------------


def _from_readable(span: Any) -> Span:
    try:
        context = span.get_span_context()
        return Span(
            trace_id=format(context.trace_id, "032x"),
            span_id=format(context.span_id, "016x"),
            name=span.name,
            start_ns=span.start_time or 0,
            end_ns=span.end_time or 0,
            attributes=_plain(span.attributes),
            events=tuple(Event(event.name, event.timestamp, _plain(event.attributes)) for event in span.events),
        )
    except AttributeError as error:
        raise ConfigurationError(
            f"{type(span).__name__} is not a finished span of OpenTelemetry's SDK: {error}.",
            fix="give what InMemorySpanExporter.get_finished_spans() returns",
        ) from error


def _plain(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    """The attributes as an exporter would send them: text that is a member of an enumeration is text."""
    return {name: str.__str__(value) if isinstance(value, str) else value for name, value in (attributes or {}).items()}


def _gather(pairs: Iterable[tuple[str, Any]]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The attributes as a mapping, and the names that were given two values."""
    gathered: dict[str, Any] = {}
    contradictions = []
    for key, value in pairs:
        if key in gathered and (type(gathered[key]), gathered[key]) != (type(value), value):
            contradictions.append(key)
        gathered.setdefault(key, value)
    return gathered, tuple(dict.fromkeys(contradictions))

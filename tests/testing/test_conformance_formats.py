"""Whatever format spans come in, the checker sees the same spans; what it cannot read, it says so."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum, StrEnum
from typing import Any

import pytest
from conformance_traces import executed, lacking, refused, with_event
from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from genops import semconv as s
from genops.core.errors import ConfigurationError, NotInstalled
from genops.testing.conformance import Span, check, read_spans


class Old(str, Enum):  # noqa: UP042 - what libraries have that support Python 3.10
    ALLOWED = "ALLOWED"


class New(StrEnum):
    INFERENCE = "inference"


def recorded(*spans: Span) -> tuple[ReadableSpan, ...]:
    """The spans, as OpenTelemetry's SDK records them; it gives them ids of its own."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    for span in spans:
        open_span = tracer.start_span(span.name, start_time=span.start_ns, attributes=dict(span.attributes))
        for event in span.events:
            open_span.add_event(event.name, dict(event.attributes), timestamp=event.time_ns)
        open_span.end(span.end_ns)
    return tuple(exporter.get_finished_spans())


def otlp_json(spans: Sequence[ReadableSpan]) -> dict[str, Any]:
    """The OTLP JSON document of spans; it has hexadecimal ids where the JSON form of protobuf has base 64."""
    document = MessageToDict(encode_spans(spans))
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for key in ("traceId", "spanId"):
                    span[key] = base64.b64decode(span[key]).hex()
    return document


BROKEN = with_event(
    lacking(executed(), s.GENOPS_PROJECT),
    s.EVENT_BUDGET_RECONCILIATION,
    {s.GENOPS_ACCOUNTING_UNIT: "tokens", s.GENOPS_ACCOUNTING_RECONCILIATION_DELTA: 7.0},
)
CASES = {"conformant": (executed(), refused()), "broken": (BROKEN, refused()), "nothing governed": ()}


@pytest.mark.parametrize("spans", [CASES["conformant"], CASES["broken"]], ids=["conformant", "broken"])
def test_the_formats_give_the_same_spans_and_the_same_report(spans, tmp_path):
    """In memory, OTLP protobuf, OTLP JSON as document, as file and as lines: one and the same result."""
    finished = recorded(*spans)
    document = otlp_json(finished)
    message = encode_spans(finished).SerializeToString()
    lines = "\n".join(json.dumps(otlp_json([span])) for span in finished) + "\n"
    files = {"a.json": json.dumps(document, indent=2).encode(), "a.jsonl": lines.encode(), "a.pb": message}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    expected = read_spans(finished)

    for source in (message, document, lines.encode(), *(tmp_path / name for name in files), str(tmp_path / "a.pb")):
        assert read_spans(source) == expected
        assert check(source) == check(finished)


def test_spans_read_from_the_sdk_are_the_spans_recorded():
    """Attributes with their types, events with their times: nothing is lost on the way in."""
    original = executed()
    (finished,) = recorded(original)
    (read,) = read_spans([finished])

    assert replace(read, trace_id=original.trace_id, span_id=original.span_id) == original


def test_every_kind_of_attribute_value_is_read_alike_from_json_and_protobuf():
    """Lists, whole numbers beyond 2^53, infinities and booleans keep value and type."""
    values = {"list": ["a", "b"], "int": 2**60 + 1, "inf": float("inf"), "bool": True, "double": 2.0, "empty": ""}
    finished = recorded(Span(trace_id="", span_id="", name="x", start_ns=1, end_ns=2, attributes=values))
    (from_json,) = read_spans(otlp_json(finished))
    (from_message,) = read_spans(encode_spans(finished).SerializeToString())

    assert from_json.attributes == values | {"list": ("a", "b")}
    assert from_json == from_message
    assert type(from_json.attributes["double"]) is float


def test_a_member_of_an_enumeration_is_read_as_its_text():
    """In memory the SDK keeps the object; an exporter sends its text, and so the checker sees text."""
    attributes = {**executed().attributes, s.GENOPS_POLICY_RESULT: Old.ALLOWED, s.GENOPS_OPERATION_TYPE: New.INFERENCE}
    finished = recorded(replace(executed(), attributes=attributes))

    assert read_spans(finished) == read_spans(otlp_json(finished))
    assert check(finished).ok


def test_nested_and_null_values_are_read_alike_from_json_and_protobuf():
    """A map, bytes and a value without content: none of it is lost, and null is None."""
    message = encode_spans(recorded(executed()))
    (span,) = message.resource_spans[0].scope_spans[0].spans
    del span.attributes[:]
    span.attributes.add(key="null")
    span.attributes.add(key="map").value.kvlist_value.values.add(key="a").value.int_value = 1
    document = {
        "attributes": [
            {"key": "null", "value": {}},
            {"key": "map", "value": {"kvlistValue": {"values": [{"key": "a", "value": {"intValue": "1"}}]}}},
        ]
    }
    (from_json,) = read_spans({"resourceSpans": [{"scopeSpans": [{"spans": [document]}]}]})
    (from_message,) = read_spans(message.SerializeToString())

    assert from_json.attributes == from_message.attributes == {"null": None, "map": {"a": 1}}


def test_nulls_and_contradictions_survive_json():
    """An attribute without a value is null, and one given twice with two values is told."""
    span = {
        "traceId": "0AF7651916CD43DD8448EB211C80319C",
        "spanId": "b7ad6b7169203331",
        "name": "x",
        "attributes": [
            {"key": s.GENOPS_TEAM, "value": {"stringValue": "a"}},
            {"key": s.GENOPS_TEAM, "value": {"stringValue": "b"}},
            {"key": s.GENOPS_PROJECT, "value": {}},
            {"key": s.GENOPS_PROJECT, "value": {}},
        ],
    }
    (read,) = read_spans({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})

    assert read.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert read.attributes == {s.GENOPS_TEAM: "a", s.GENOPS_PROJECT: None}
    assert read.contradictions == (s.GENOPS_TEAM,)


def test_other_signals_in_the_file_are_passed_over():
    """The Collector may write logs and metrics beside spans; they are no spans."""
    lines = '{"resourceLogs":[]}\n\n' + json.dumps(otlp_json(recorded(executed()))) + '\n{"resourceMetrics":[]}\n'

    assert check(lines.encode()).ok


@pytest.mark.parametrize("content", [b"", b"\n", b'{"resourceSpans":[]}'])
def test_a_file_without_spans_does_not_conform(content):
    """Nothing to find fault with is no conformance."""
    assert [violation.rule for violation in check(content).violations] == ["AWU001"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello, world", "line 1 is not JSON"),
        (b"[1, 2]", "has no resourceSpans"),
        (b'{"spans": []}', "has no resourceSpans"),
        (b'{"resourceSpans": [7]}', "is not OTLP JSON"),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": "x"}]}]}]}', "is not OTLP JSON"),
        (b'{"resourceSpans": []}\n{"resourceSp', "line 2 is not JSON"),
        (b'{"resourceSpans": [\n{"scopeSp', "line 2 is not JSON"),
        (b"\xff\xfe\x00 not a message", "not OTLP protobuf"),
        (b"\x98\x06\x96\x01", "no resource spans"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason_and_a_fix(content, message):
    """The message says where reading ended and which formats are read."""
    with pytest.raises(ConfigurationError, match=message) as refusal:
        check(content)

    assert "OTLP JSON" in str(refusal.value.fix)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    """The message names the file."""
    with pytest.raises(ConfigurationError, match=r"absent\.json cannot be read: No such file"):
        check(tmp_path / "absent.json")


def test_what_is_no_span_is_refused():
    """A list of something else is told from a list of spans."""
    with pytest.raises(ConfigurationError, match="str is not a finished span"):
        check(["span"])


def test_without_the_protobuf_package_the_message_says_what_to_install(monkeypatch):
    """JSON needs no package; protobuf does, and its name is told."""
    message = encode_spans(recorded(executed())).SerializeToString()
    monkeypatch.setitem(sys.modules, "opentelemetry.proto.trace.v1.trace_pb2", None)

    with pytest.raises(NotInstalled, match="pip install opentelemetry-proto"):
        check(message)

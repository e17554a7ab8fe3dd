"""What GenOps exports has no personal data in it, whoever recorded it."""

from __future__ import annotations

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags

from genops.core.redacting import Redaction
from genops.exporters.redacting import RedactingLogExporter, RedactingSpanExporter

ADDRESS = "ada.lovelace@example.org"


@pytest.fixture(scope="module")
def redact():
    return Redaction(actions={"secret": "block", "personal": "token"}).redact  # what is exported is labelled


def test_span_of_another_instrumentation_is_redacted_everywhere(redact):
    """Attributes, lists, JSON in a text, events, links, the status; ids and numbers stay, and so does the span."""
    inner = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(RedactingSpanExporter(inner, redact)))
    tracer = provider.get_tracer("other")
    link = Link(SpanContext(1, 2, False, TraceFlags(1)), {"why": f"asked by {ADDRESS}"})
    with tracer.start_as_current_span("chat", links=[link]) as span:
        span.set_attribute("gen_ai.prompt.0.content", f"write to {ADDRESS}")
        span.set_attribute("gen_ai.input.messages", f'[{{"role": "user", "content": "{ADDRESS}"}}]')
        span.set_attribute("llm.tags", ("a", ADDRESS))
        span.set_attribute("gen_ai.usage.input_tokens", 7)
        span.add_event("exception", {"exception.message": f"no mailbox {ADDRESS}"})
        span.set_status(Status(StatusCode.ERROR, f"refused {ADDRESS}"))
    (exported,) = inner.get_finished_spans()

    assert ADDRESS not in exported.to_json()
    assert "write to [EMAIL]" == (exported.attributes or {})["gen_ai.prompt.0.content"]
    assert 7 == (exported.attributes or {})["gen_ai.usage.input_tokens"]
    assert (span.get_span_context().span_id, "chat") == (exported.context.span_id, exported.name)
    assert ADDRESS in span.to_json()


def test_span_without_finds_is_exported_as_it_is(redact):
    """No copy is made."""
    seen = []

    class Keeping(InMemorySpanExporter):
        def export(self, spans):
            seen.extend(spans)
            return super().export(spans)

    inner = RedactingSpanExporter(Keeping(), redact)
    finished = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(finished))
    with provider.get_tracer("other").start_as_current_span("chat") as span:
        span.set_attribute("gen_ai.prompt.0.content", "hello")
    (original,) = finished.get_finished_spans()
    inner.export([original])

    assert [original] == seen


def test_log_record_is_redacted(redact):
    """Its body, nested, and its attributes."""
    inner = InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(RedactingLogExporter(inner, redact)))
    body = {"messages": [{"content": f"write to {ADDRESS}"}]}
    provider.get_logger("other").emit(LogRecord(body=body, attributes={"note": ADDRESS, "count": 3}))
    (data,) = inner.get_finished_logs()

    assert {"messages": [{"content": "write to [EMAIL]"}]} == data.log_record.body
    assert {"note": "[EMAIL]", "count": 3} == dict(data.log_record.attributes)
    assert ADDRESS in body["messages"][0]["content"]

"""Requests of a bounded size: a batch of spans that is over the backend's limit is sent in parts."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

__all__ = ["SplittingSpanExporter"]


class SplittingSpanExporter(SpanExporter):
    """Exports through `exporter` in requests of at most `most_bytes` before compression; a span alone is sent as it is.

    Spans are encoded once more to know their size: some microseconds each, off the application's thread.
    """

    def __init__(self, exporter: SpanExporter, most_bytes: int) -> None:
        self._exporter = exporter
        self._most_bytes = most_bytes

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export in halves, and halves of halves, until each fits; a failure of one is the failure of all."""
        if len(spans) <= 1 or encode_spans(spans).ByteSize() <= self._most_bytes:
            return self._exporter.export(spans)
        middle = len(spans) // 2
        results = {self.export(spans[:middle]), self.export(spans[middle:])}
        return SpanExportResult.FAILURE if SpanExportResult.FAILURE in results else SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)

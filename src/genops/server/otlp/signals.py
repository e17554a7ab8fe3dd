"""The three signals of OTLP: their messages, and how many records of one were not taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces

__all__ = ["SIGNALS", "Signal", "Taken"]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a request. A `message` without rejections is a warning to the sender."""

    rejected: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal: the last part of its path, its messages, and the field that counts rejections."""

    name: str
    request: type[Message]
    response: type[Message]
    rejected: str

    def answer(self, taken: Taken) -> Message:
        """The response to a request that was taken, in full or in part."""
        response: Any = self.response()
        if taken.rejected or taken.message:
            setattr(response.partial_success, self.rejected, taken.rejected)
            response.partial_success.error_message = taken.message
        return response


SIGNALS = {
    each.name: each
    for each in (
        Signal("traces", traces.ExportTraceServiceRequest, traces.ExportTraceServiceResponse, "rejected_spans"),
        Signal("logs", logs.ExportLogsServiceRequest, logs.ExportLogsServiceResponse, "rejected_log_records"),
        Signal(
            "metrics", metrics.ExportMetricsServiceRequest, metrics.ExportMetricsServiceResponse, "rejected_data_points"
        ),
    )
}

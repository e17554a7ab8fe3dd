"""Batches of 512 spans as a sender would post them, encoded once; marks in them are replaced for each request."""

from __future__ import annotations

import random

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

__all__ = ["MARKS", "batch"]

SPANS = 512
MARKS = (b"MARKMARK", b"markmark")  # in trace ids and in texts; as long as what takes their place
_WORDS = (
    "Under section four of the returns policy a bundle discount is kept when the remaining item is shipped before the "
    "cancellation is requested and the second item can be cancelled at no charge while the discount stays on the invoice "
).split()


def _attribute(name: str, value: str | int) -> KeyValue:
    if isinstance(value, int):
        return KeyValue(key=name, value=AnyValue(int_value=value))
    return KeyValue(key=name, value=AnyValue(string_value=value))


def _prose(seed: int, length: int) -> str:
    words = random.Random(seed)
    text = ""
    while len(text) < length:
        text += words.choice(_WORDS) + " "
    return text[:length]


def _call(number: int, kind: str) -> dict[str, str | int]:
    customer = f"customer-markmark-{number}" if kind == "customers" else f"customer-{number % 40}"
    made: dict[str, str | int] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "openai",
        "gen_ai.request.model": ("gpt-4o-mini", "gpt-5.4", "gpt-4.1")[number % 3],
        "gen_ai.response.model": ("gpt-4o-mini", "gpt-5.4", "gpt-4.1")[number % 3],
        "gen_ai.response.id": f"chatcmpl-markmark{number:06d}",
        "gen_ai.request.max_tokens": 512,
        "gen_ai.usage.input_tokens": 800 + number,
        "gen_ai.usage.output_tokens": 120,
        "server.address": "api.openai.com",
        "server.port": 443,
        "genops.team": ("support", "search", "growth")[number % 3],
        "genops.project": "shop",
        "genops.environment": "production",
        "genops.customer_id": customer,
        "genops.feature": "answer-ticket",
        "http.response.status_code": 200,
    }
    if kind == "content":
        made["gen_ai.input.messages"] = _prose(number, 1600)
        made["gen_ai.output.messages"] = _prose(number + SPANS, 400)
    return made


def _other(number: int) -> dict[str, str | int]:
    texts = {f"app.attribute.{place}": f"value-{number % 7}-{place}" for place in range(13)}
    return {"http.request.method": "GET", "http.response.status_code": 200, "url.path": "/checkout", **texts}


def batch(kind: str) -> tuple[bytes, int]:
    """The encoded batch of a kind (plain, content, other, customers), and how many spans it has."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.append(_attribute("service.name", "shop"))
    scope = resource.scope_spans.add()
    scope.scope.name = "app" if kind == "other" else "opentelemetry.instrumentation.openai"
    for number in range(SPANS):
        span = scope.spans.add()
        span.trace_id = b"MARKMARK" + number.to_bytes(8, "big")
        span.span_id = (number + 1).to_bytes(8, "big")
        span.name, span.kind = ("GET /checkout", 2) if kind == "other" else ("openai.chat", 3)
        span.start_time_unix_nano, span.end_time_unix_nano = 1795186800000000000, 1795186801200000000
        made = _other(number) if kind == "other" else _call(number, kind)
        span.attributes.extend(_attribute(name, value) for name, value in made.items())
    return request.SerializeToString(), SPANS

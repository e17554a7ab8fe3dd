"""Make calls of one provider under one subject, and print the median time of each kind as one JSON line.

The real SDKs over transports in the process: recorded answers (tests/recordings), each with an id of its own.
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import itertools
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.update(
    {
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_TRACES_EXPORTER": "none",
        "DO_NOT_TRACK": "1",
        "TRACELOOP_TELEMETRY": "false",
        "TRACELOOP_TRACE_CONTENT": "false",
        "ANONYMIZED_TELEMETRY": "false",
        "LOGFIRE_IGNORE_NO_CONFIG": "1",
    }
)

from opentelemetry import trace  # noqa: E402
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult  # noqa: E402

RECORDINGS = Path(__file__).resolve().parents[2] / "tests/recordings"
PROMPT = "How do I cancel one item of a bundle without losing the discount?"
WARM_UP = 40
_count = itertools.count(1)


class Dropping(SpanExporter):
    """Takes spans, counts and drops them."""

    count = 0

    def export(self, spans: Any) -> SpanExportResult:
        self.count += len(spans)
        return SpanExportResult.SUCCESS


def body_of(name: str) -> bytes:
    response = json.loads((RECORDINGS / f"{name}.json").read_text())["response"]
    return base64.b64decode(response["body_base64"]) if response.get("body_base64") else response["body"].encode()


def fresh(body: bytes, own: bytes) -> bytes:
    """The answer with an id that no earlier one had."""
    return body.replace(own, b"%s%08d" % (own[:-8], next(_count))) if own else body


# -- providers: each gives a whole call and a streamed one -------------------------------------------------------------


def http_of(module: Any) -> Any:
    """The HTTP library that an SDK is built on: httpx2, or httpx in earlier majors."""
    return getattr(module, "httpx2", None) or getattr(module, "httpx", None) or importlib.import_module("httpx")


def transport(http: Any, answer: Callable[[str, bytes], tuple[bytes, str]]) -> Any:
    class Transport(http.BaseTransport):
        def handle_request(self, request: Any) -> Any:
            body, kind = answer(request.url.path, request.read())
            return http.Response(200, headers={"content-type": kind}, content=body)

    return Transport()


def anthropic_calls() -> tuple[Callable[[], Any], Callable[[], Any]]:
    import anthropic

    whole, streamed = (
        body_of("anthropic/anthropic-messages-once-1776c8b943"),
        body_of("anthropic/anthropic-messages-stream-9ffe3c8e68"),
    )
    own = re.search(rb"msg_\w+", whole), re.search(rb"msg_\w+", streamed)

    def answer(path: str, sent: bytes) -> tuple[bytes, str]:
        if b'"stream":true' in sent.replace(b" ", b""):
            return fresh(streamed, own[1][0] if own[1] else b""), "text/event-stream"
        return fresh(whole, own[0][0] if own[0] else b""), "application/json"

    http = http_of(importlib.import_module("anthropic._base_client"))
    client = anthropic.Anthropic(
        api_key="bench", max_retries=0, http_client=http.Client(transport=transport(http, answer))
    )
    arguments = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 256,
        "messages": [{"role": "user", "content": PROMPT}],
    }
    return (
        lambda: client.messages.create(**arguments),
        lambda: list(client.messages.create(stream=True, **arguments)),
    )


def gemini_calls() -> tuple[Callable[[], Any], Callable[[], Any]]:
    from google import genai

    whole = body_of("google_genai/google_genai-generatecontent-once-adc356a7df")
    streamed = body_of("google_genai/google_genai-streamgeneratecontent-stream-5c3d356da7")
    own = tuple(re.search(rb'"responseId":\s*"([^"]+)"', body) for body in (whole, streamed))

    def answer(path: str, sent: bytes) -> tuple[bytes, str]:
        if "stream" in path:
            return fresh(streamed, own[1][1] if own[1] else b""), "text/event-stream"
        return fresh(whole, own[0][1] if own[0] else b""), "application/json"

    http = http_of(importlib.import_module("google.genai._api_client"))
    client = genai.Client(api_key="bench", http_options={"client_args": {"transport": transport(http, answer)}})
    arguments = {"model": "gemini-2.5-flash", "contents": PROMPT, "config": {"max_output_tokens": 256}}
    return (
        lambda: client.models.generate_content(**arguments),
        lambda: list(client.models.generate_content_stream(**arguments)),
    )


def bedrock_calls() -> tuple[Callable[[], Any], Callable[[], Any]]:
    import io

    import boto3
    from botocore.awsrequest import AWSResponse
    from botocore.config import Config
    from urllib3 import HTTPResponse

    whole = body_of("bedrock/bedrock-converse-once-d9692fbcb8")
    streamed = body_of("bedrock/bedrock-converse_stream-stream-825572ae8e")

    def answer(request: Any, **_: Any) -> Any:
        kind = "application/vnd.amazon.eventstream" if "stream" in request.url else "application/json"
        body = streamed if "stream" in request.url else whole
        headers = {"content-type": kind, "x-amzn-requestid": f"bench-{next(_count)}"}
        raw = HTTPResponse(io.BytesIO(body), headers=headers, preload_content=False)
        return AWSResponse(request.url, 200, headers, raw)

    client = boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        aws_access_key_id="bench",
        aws_secret_access_key="bench",
        config=Config(retries={"max_attempts": 1}),
    )
    client.meta.events.register("before-send.bedrock-runtime.*", answer)
    arguments = {
        "modelId": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "messages": [{"role": "user", "content": [{"text": PROMPT}]}],
        "inferenceConfig": {"maxTokens": 256},
    }
    return (
        lambda: client.converse(**arguments),
        lambda: list(client.converse_stream(**arguments)["stream"]),
    )


CALLS = {"anthropic": anthropic_calls, "gemini": gemini_calls, "bedrock": bedrock_calls}
SDKS = {"anthropic": "anthropic", "gemini": "google.genai", "bedrock": "boto3"}


# -- subjects ----------------------------------------------------------------------------------------------------------


def instrumentors(provider: str, **modules: str) -> Callable[[Any], None]:
    def instrument(tracers: Any) -> None:
        module, _, name = modules[provider].partition(":")
        getattr(importlib.import_module(module), name)().instrument(tracer_provider=tracers)

    return instrument


def genops(tracers: Any, provider: str) -> None:
    import genops

    folder = Path(tempfile.mkdtemp(prefix="bench-genops-"))
    settings = {
        "attribution": {"team": "support", "project": "bench", "rules": {"team": {"required": True}}},
        "policies": [{"name": "known-models", "allow_models": ["*"], "max_cost_per_request": "5"}],
        "ledger": {"dir": str(folder)},
        "telemetry": {"metrics": False, "logs": False},
    }
    (folder / "genops.yaml").write_text(json.dumps(settings))
    genops.auto_instrument(folder / "genops.yaml", adapters=[provider], tracer_provider=tracers)


def openlit(tracers: Any) -> None:
    import openlit

    prices = Path(tempfile.mkdtemp(prefix="bench-openlit-")) / "pricing.json"
    prices.write_text(json.dumps({"chat": {}, "embeddings": {}}))
    openlit.init(capture_message_content=False, disable_metrics=True, disable_events=True, pricing_json=str(prices))


def logfire(tracers: Any, exporter: Any) -> None:
    import logfire

    logfire.configure(
        send_to_logfire=False,
        console=False,
        additional_span_processors=[BatchSpanProcessor(exporter)],
        inspect_arguments=False,
    )
    logfire.instrument_anthropic()


def set_up(subject: str, provider: str, tracers: Any, exporter: Any) -> None:
    """Switch a subject on."""
    packages = {
        "openllmetry": {
            "anthropic": "opentelemetry.instrumentation.anthropic:AnthropicInstrumentor",
            "gemini": "opentelemetry.instrumentation.google_generativeai:GoogleGenerativeAiInstrumentor",
            "bedrock": "opentelemetry.instrumentation.bedrock:BedrockInstrumentor",
        },
        "openinference": {
            "anthropic": "openinference.instrumentation.anthropic:AnthropicInstrumentor",
            "gemini": "openinference.instrumentation.google_genai:GoogleGenAIInstrumentor",
            "bedrock": "openinference.instrumentation.bedrock:BedrockInstrumentor",
        },
        "otel_genai": {
            "anthropic": "opentelemetry.instrumentation.genai.anthropic:AnthropicInstrumentor",
            "gemini": "opentelemetry.instrumentation.google_genai:GoogleGenAiSdkInstrumentor",
            "bedrock": "opentelemetry.instrumentation.botocore:BotocoreInstrumentor",
        },
    }
    if subject in packages:
        instrumentors(provider, **packages[subject])(tracers)
    elif subject == "genops":
        genops(tracers, provider)
    elif subject == "openlit":
        openlit(tracers)
    elif subject == "logfire":
        logfire(tracers, exporter)


@contextlib.contextmanager
def by_hand(tracer: Any, provider: str) -> Iterator[None]:
    """A span of 15 attributes, as the subject `floor` writes it."""
    attributes = {f"bench.{number}": f"value-{number}" for number in range(8)}
    with tracer.start_as_current_span(f"chat {provider}", attributes=attributes) as span:
        yield
        span.set_attributes({f"bench.end.{number}": number for number in range(7)})


def main() -> None:
    subject, provider, calls = sys.argv[1], sys.argv[2], int(sys.argv[3])
    exporter, tracers = Dropping(), TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(exporter))
    if subject != "logfire":
        trace.set_tracer_provider(tracers)
    importlib.import_module(SDKS[provider])
    set_up(subject, provider, tracers, exporter)
    tracer = tracers.get_tracer("bench")
    found: dict[str, Any] = {}
    for name, call in zip(("chat", "stream"), CALLS[provider](), strict=True):
        times = []
        for number in range(WARM_UP + calls):
            started = time.perf_counter_ns()
            if subject == "floor":
                with by_hand(tracer, provider):
                    call()
            else:
                call()
            if number >= WARM_UP:
                times.append(time.perf_counter_ns() - started)
        found[name] = statistics.median(times) / 1e3
    trace.get_tracer_provider().force_flush()
    found["spans_per_call"] = exporter.count / (2 * (WARM_UP + calls))
    print(json.dumps(found))


if __name__ == "__main__":
    main()

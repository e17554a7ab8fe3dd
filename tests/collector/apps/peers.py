"""Calls models under another instrumentation, without GenOps, and exports its spans: python peers.py PEER OTLP-URL.

Prints what the provider said was used, one JSON line a call. Runs in an environment of `make test-coexistence`.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

os.environ |= {"OPENAI_API_KEY": "test", "ANTHROPIC_API_KEY": "test", "TRACELOOP_TRACE_CONTENT": "false"}

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from genops.testing.replay import ReplayServer, load_recordings

DEMO = Path(__file__).resolve().parents[3] / "src/genops/data/demo"
SENT = ("model", "messages", "max_tokens", "stream", "stream_options", "tools")
PREFIXES = {"openllmetry": "opentelemetry.instrumentation", "openinference": "openinference.instrumentation"}


def main(peers: str, url: str) -> None:
    """Make every recorded call of the demo once, whole or streamed as it was recorded."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces")))
    for peer in peers.split(","):
        for vendor, name in (("openai", "OpenAIInstrumentor"), ("anthropic", "AnthropicInstrumentor")):
            found = getattr(importlib.import_module(f"{PREFIXES[peer]}.{vendor}"), name)
            found().instrument(tracer_provider=provider, skip_dep_check=True)
    for exchange in load_recordings(DEMO):
        if not exchange.path.endswith(("/chat/completions", "/messages")) or exchange.status != 200:
            continue
        with ReplayServer() as server:
            server.play(exchange)
            call(server.url, exchange.path.endswith("/messages"), exchange.request)
        sys.stdout.write(json.dumps({"path": exchange.path, "model": exchange.request["model"]}) + "\n")
    provider.shutdown()


def call(url: str, of_anthropic: bool, request: dict[str, object]) -> None:
    """Send what decides the answer of the recorded request again; newer SDKs refuse some of the rest."""
    request = {name: value for name, value in request.items() if name in SENT}
    if of_anthropic:
        anthropic = importlib.import_module("anthropic")
        with anthropic.Anthropic(base_url=url, max_retries=0) as client:
            answer = client.messages.create(**request)
            if request.get("stream"):
                list(answer)
        return
    openai = importlib.import_module("openai")
    with openai.OpenAI(base_url=f"{url}/v1", max_retries=0) as client:
        answer = client.chat.completions.create(**request)
        if request.get("stream"):
            list(answer)


if __name__ == "__main__":
    main(*sys.argv[1:])

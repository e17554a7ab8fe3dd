"""The demo's application, governed by GenOps, exporting to a Collector: python governed.py OTLP-URL LEDGER."""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import genops
from genops.cli.demo.app import Application
from genops.cli.demo.server import demo_server


def main(url: str, ledger: str) -> None:
    """Handle every request of the demo."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces")))
    settings = Path(str(resources.files("genops.cli"))) / "demo" / "genops.yaml"
    with demo_server() as server:
        genops.auto_instrument(settings, tracer_provider=provider, ledger={"dir": ledger})
        application = Application(server.url)
        for request in application.requests():
            application.handle(*request)
        application.close()
        genops.uninstrument()
    provider.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])

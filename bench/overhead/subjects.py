"""The subjects: GenOps, its peers, and spans written by hand. Each says how its instrumentation is switched on.

Prompt and answer text stays off the spans wherever a subject has a switch for it (all but Logfire), so that the least work
of each is compared.
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fixtures as fx
from transport import ORIGINAL

__all__ = ["SUBJECTS", "Bare", "Setting", "Subject"]

CHAT = {"model": fx.MODEL, "messages": fx.MESSAGES, "temperature": 0.2, "max_tokens": 256}
STREAM = CHAT | {"stream": True, "stream_options": {"include_usage": True}}
LOG_ATTRIBUTES = 34  # of the log record that GenOps writes per call
EMBED = {"model": fx.EMBED_MODEL, "input": fx.EMBED_INPUT}
TEAM = {"team": "support", "project": "bench", "environment": "production"}


@dataclass(frozen=True, slots=True)
class Setting:
    """What every subject gets: the same providers, with exporters that drop what they are given."""

    tracer_provider: Any
    meter_provider: Any  # None unless metrics and logs are on
    logger_provider: Any
    span_exporter: Any
    new_span_processor: Any


class Subject:
    """What makes the calls; the default is the patched client, used as an application uses it."""

    name = ""
    venv = ""
    content = "off"
    emits_metrics = False  # in the metrics series

    def setup(self, setting: Setting) -> None:
        raise NotImplementedError

    def chat(self, client: Any) -> Any:
        return client.chat.completions.create(**CHAT)

    def stream(self, client: Any) -> int:
        return sum(1 for _ in client.chat.completions.create(**STREAM))

    async def achat(self, client: Any) -> Any:
        return await client.chat.completions.create(**CHAT)

    def embed(self, client: Any) -> Any:
        return client.embeddings.create(**EMBED)

    def drain(self, setting: Setting) -> None:
        setting.tracer_provider.force_flush()

    def booked(self) -> int | None:
        """How many calls the subject wrote to a ledger of its own; None for those without one."""
        return None


class Bare(Subject):
    """The openai client as it was before anything was patched: the control, and the other side of every pair."""

    name, venv = "bare", "bare"

    def setup(self, setting: Setting) -> None: ...

    def chat(self, client: Any) -> Any:
        return ORIGINAL["chat"](client.chat.completions, **CHAT)

    def stream(self, client: Any) -> int:
        return sum(1 for _ in ORIGINAL["chat"](client.chat.completions, **STREAM))

    async def achat(self, client: Any) -> Any:
        return await ORIGINAL["achat"](client.chat.completions, **CHAT)

    def embed(self, client: Any) -> Any:
        return ORIGINAL["embed"](client.embeddings, **EMBED)


class Floor(Subject):
    """A span written by hand with 15 attributes: about the least that useful instrumentation can do."""

    name, venv = "floor", "floor"

    def setup(self, setting: Setting) -> None:
        from opentelemetry import trace
        from opentelemetry.trace import SpanKind

        self._tracer = trace.get_tracer("bench.floor", "1.0", tracer_provider=setting.tracer_provider)
        self._kind = SpanKind.CLIENT

    def open(self, operation: str, model: str) -> Any:
        attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": model,
            "server.address": "api.openai.com",
            "server.port": 443,
            **TEAM,
        }
        return self._tracer.start_as_current_span(f"{operation} {model}", kind=self._kind, attributes=attributes)

    def finish_chat(self, span: Any, response: Any, finish: str | None, usage: Any) -> None:
        span.set_attributes(
            {
                "gen_ai.response.id": response.id,
                "gen_ai.response.model": response.model,
                "gen_ai.response.finish_reasons": (finish,),
                "gen_ai.usage.input_tokens": usage.prompt_tokens,
                "gen_ai.usage.output_tokens": usage.completion_tokens,
                "gen_ai.request.temperature": 0.2,
                "gen_ai.request.max_tokens": 256,
            }
        )

    def finish_embeddings(self, span: Any, response: Any) -> None:
        tokens = response.usage.prompt_tokens
        span.set_attributes({"gen_ai.response.model": response.model, "gen_ai.usage.input_tokens": tokens})

    def chat(self, client: Any) -> Any:
        with self.open("chat", fx.MODEL) as span:
            response = super().chat(client)
            self.finish_chat(span, response, response.choices[0].finish_reason, response.usage)
        return response

    async def achat(self, client: Any) -> Any:
        with self.open("chat", fx.MODEL) as span:
            response = await super().achat(client)
            self.finish_chat(span, response, response.choices[0].finish_reason, response.usage)
        return response

    def stream(self, client: Any) -> int:
        seen, finish, usage, chunk = 0, None, None, None
        with self.open("chat", fx.MODEL) as span:
            for chunk in client.chat.completions.create(**STREAM):
                seen += 1
                if chunk.choices:
                    finish = chunk.choices[0].finish_reason or finish
                usage = chunk.usage or usage
            self.finish_chat(span, chunk, finish, usage)
        return seen

    def embed(self, client: Any) -> Any:
        with self.open("embeddings", fx.EMBED_MODEL) as span:
            response = super().embed(client)
            self.finish_embeddings(span, response)
        return response


class FloorSame(Floor):
    """A span written by hand that carries as many attributes and events as GenOps' span of the same call.

    With metrics on it also makes GenOps' measurements and a log record of the same number of attributes. Nothing is
    computed: what goes beyond the floor's own is constant. The counts come from `run.py --series verify`, and report.py
    says when they no longer agree.
    """

    name = "floor_same"
    emits_metrics = True
    AT_START = {f"bench.start.{i}": f"value-{i}" for i in range(12)}
    AT_END = {
        "chat": {f"bench.end.{i}": f"value-{i}" for i in range(10)},
        "stream": {f"bench.end.{i}": f"value-{i}" for i in range(11)},
        "embeddings": {f"bench.end.{i}": f"value-{i}" for i in range(8)},
    }
    EVALUATED = {"bench.policy.result": "ALLOWED"}
    RESERVED = {"bench.reserved": 0.0002, "bench.unit": "USD", "bench.budget": "default"}
    RECONCILED = {"bench.actual": 0.00008, "bench.reserved": 0.0002, "bench.unit": "USD", "bench.delta": -0.00012}
    DIMENSIONS = TEAM | {"provider": "openai", "model": fx.MODEL, "operation": "chat", "outcome": "ok"}
    INPUT = DIMENSIONS | {"token": "input"}
    OUTPUT = DIMENSIONS | {"token": "output"}
    LOG = {f"bench.log.{i}": f"value-{i}" for i in range(LOG_ATTRIBUTES)}

    def setup(self, setting: Setting) -> None:
        super().setup(setting)
        self._instruments = None
        if setting.meter_provider is not None:
            meter = setting.meter_provider.get_meter("bench.floor_same")
            counters = [meter.create_counter(f"bench.{name}") for name in ("cost", "tokens", "calls")]
            histograms = [meter.create_histogram(f"bench.{name}", unit="s") for name in ("duration", "first_chunk")]
            self._instruments = (*counters, *histograms)
            self._logger = setting.logger_provider.get_logger("bench.floor_same")

    def open(self, operation: str, model: str) -> Any:
        attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": model,
            "server.address": "api.openai.com",
            "server.port": 443,
            **TEAM,
            **self.AT_START,
        }
        opened = self._tracer.start_as_current_span(f"{operation} {model}", kind=self._kind, attributes=attributes)
        return _WithEvents(opened, self)

    def finish_chat(self, span: Any, response: Any, finish: str | None, usage: Any) -> None:
        streamed = response.object.endswith("chunk")
        super().finish_chat(span, response, finish, usage)
        span.add_event("bench.budget.reconciliation", self.RECONCILED)
        span.set_attributes(self.AT_END["stream" if streamed else "chat"])
        self._publish(usage.prompt_tokens, usage.completion_tokens, streamed)

    def finish_embeddings(self, span: Any, response: Any) -> None:
        super().finish_embeddings(span, response)
        span.add_event("bench.budget.reconciliation", self.RECONCILED)
        span.set_attributes(self.AT_END["embeddings"])
        self._publish(response.usage.prompt_tokens, None, False)

    def _publish(self, tokens_in: int, tokens_out: int | None, streamed: bool) -> None:
        if self._instruments is None:
            return
        from opentelemetry._logs import LogRecord, SeverityNumber

        cost, tokens, calls, duration, first_chunk = self._instruments
        cost.add(0.00008, self.DIMENSIONS)
        tokens.add(tokens_in, self.INPUT)
        if tokens_out is not None:
            tokens.add(tokens_out, self.OUTPUT)
        calls.add(1, self.DIMENSIONS)
        duration.record(0.8, self.DIMENSIONS)
        if streamed:
            first_chunk.record(0.1, self.DIMENSIONS)
        record = LogRecord(
            timestamp=time.time_ns(),
            severity_number=SeverityNumber.INFO,
            event_name="bench.recorded",
            attributes=self.LOG,
        )
        self._logger.emit(record)


class _WithEvents:
    """An open span with the two events of the time before the call."""

    def __init__(self, opened: Any, floor: FloorSame) -> None:
        self._opened = opened
        self._floor = floor

    def __enter__(self) -> Any:
        span = self._opened.__enter__()
        span.add_event("bench.policy.evaluated", self._floor.EVALUATED)
        span.add_event("bench.budget.reservation", self._floor.RESERVED)
        return span

    def __exit__(self, *raised: Any) -> Any:
        return self._opened.__exit__(*raised)


class GenOps(Subject):
    """GenOps with everything on that it governs with: cost, attribution, one policy, reservation, and the ledger on disk."""

    name, venv = "genops", "genops"
    emits_metrics = True

    def setup(self, setting: Setting) -> None:
        import genops

        self._dir = Path(tempfile.mkdtemp(prefix="bench-genops-"))
        with_metrics = setting.meter_provider is not None
        config = {
            "attribution": TEAM | {"rules": {"team": {"required": True}}},
            "policies": [
                {
                    "name": "approved-models",
                    "allow_models": ["gpt-4o-mini", "gpt-4.1-mini", "text-embedding-3-*", "claude-haiku-*"],
                    "max_cost_per_request": "0.50",
                }
            ],
            "ledger": {"enabled": True, "dir": str(self._dir)},
            "telemetry": {"metrics": with_metrics, "logs": with_metrics},
        }
        path = self._dir / "genops.yaml"
        path.write_text(json.dumps(config))  # JSON is YAML
        genops.auto_instrument(
            path,
            adapters=["openai"],
            tracer_provider=setting.tracer_provider,
            meter_provider=setting.meter_provider,
            logger_provider=setting.logger_provider,
        )

    def drain(self, setting: Setting) -> None:
        from genops.core.runtime import current_runtime

        super().drain(setting)
        for sink in current_runtime().sinks:
            sink.flush()

    def booked(self) -> int:
        with sqlite3.connect(self._dir / "ledger.db") as database:
            return database.execute("SELECT count(*) FROM entries").fetchone()[0]


class OpenLLMetry(Subject):
    name = venv = "openllmetry"
    emits_metrics = True

    def setup(self, setting: Setting) -> None:
        os.environ["TRACELOOP_TRACE_CONTENT"] = "false"
        os.environ["TRACELOOP_METRICS_ENABLED"] = "true" if setting.meter_provider else "false"
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor

        OpenAIInstrumentor().instrument(tracer_provider=setting.tracer_provider, meter_provider=setting.meter_provider)


class OpenInference(Subject):
    name = venv = "openinference"

    def setup(self, setting: Setting) -> None:
        from openinference.instrumentation import TraceConfig
        from openinference.instrumentation.openai import OpenAIInstrumentor

        config = TraceConfig(
            hide_inputs=True, hide_outputs=True, hide_embeddings_text=True, hide_embeddings_vectors=True
        )
        OpenAIInstrumentor().instrument(tracer_provider=setting.tracer_provider, config=config)


class OpenLIT(Subject):
    """It downloads its price list at start; here it reads a file of the same form that knows the two models measured."""

    name = venv = "openlit"
    emits_metrics = True

    def setup(self, setting: Setting) -> None:
        import openlit
        from opentelemetry import trace

        prices = Path(tempfile.mkdtemp(prefix="bench-openlit-")) / "pricing.json"
        prices.write_text(
            json.dumps(
                {
                    "chat": {fx.MODEL: {"promptPrice": 0.00015, "completionPrice": 0.0006}},
                    "embeddings": {fx.EMBED_MODEL: 0.00002},
                }
            )
        )
        trace.set_tracer_provider(setting.tracer_provider)  # openlit takes the application's provider over
        openlit.init(
            capture_message_content=False,
            disable_metrics=setting.meter_provider is None,
            disable_events=True,
            pricing_json=str(prices),
        )


class OtelGenAI(Subject):
    name = venv = "otel_genai"
    emits_metrics = True

    def setup(self, setting: Setting) -> None:
        from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

        OpenAIInstrumentor().instrument(tracer_provider=setting.tracer_provider, meter_provider=setting.meter_provider)


class Langfuse(Subject):
    """Its own batching processor around our exporter. Its only switch for content is a mask."""

    name = venv = "langfuse"

    def setup(self, setting: Setting) -> None:
        from langfuse import Langfuse as Client
        from opentelemetry.sdk.trace import TracerProvider

        self._provider = TracerProvider()  # langfuse adds its processor to it
        self._client = Client(
            public_key="pk-lf-bench",
            secret_key="sk-lf-bench",
            base_url="http://127.0.0.1:9",
            tracer_provider=self._provider,
            span_exporter=setting.span_exporter,
            mask=lambda data, **_: None,
        )
        import langfuse.openai  # noqa: F401  # patches openai

    def drain(self, setting: Setting) -> None:
        self._provider.force_flush()


class Logfire(Subject):
    name = venv = "logfire"
    content = "on"  # instrument_openai has no switch for it

    def setup(self, setting: Setting) -> None:
        import logfire

        self._processor = setting.new_span_processor()
        logfire.configure(
            send_to_logfire=False,
            console=False,
            additional_span_processors=[self._processor],
            service_name="bench",
            inspect_arguments=False,
        )
        logfire.instrument_openai()

    def drain(self, setting: Setting) -> None:
        self._processor.force_flush()


SUBJECTS: dict[str, type[Subject]] = {
    subject.name: subject
    for subject in (
        Bare,
        Floor,
        FloorSame,
        GenOps,
        OpenLLMetry,
        OpenInference,
        OpenLIT,
        OtelGenAI,
        Langfuse,
        Logfire,
    )
}

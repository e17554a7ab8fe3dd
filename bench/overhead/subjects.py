"""The subjects: GenOps, its peers, and spans written by hand. Each says how its instrumentation is switched on.

Prompt and answer text stays off the spans wherever a subject has a switch for it (all but Logfire), so that the least work
of each is compared.
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fixtures as fx
from transport import ORIGINAL

__all__ = ["SUBJECTS", "Bare", "Setting", "Subject"]

CHAT = {"model": fx.MODEL, "messages": fx.MESSAGES, "temperature": 0.2, "max_tokens": 256}
STREAM = CHAT | {"stream": True, "stream_options": {"include_usage": True}}
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

    With metrics on it also makes GenOps' number of measurements and one log record. Nothing is computed: every value
    beyond the floor's own is a constant. The counts are GenOps' own, from `run.py --series verify`, which also compares
    the two.
    """

    name = "floor_same"
    emits_metrics = True
    # per operation: attributes at the start, attributes at the end
    COUNTS = {"chat": (0, 0), "stream": (0, 0), "embeddings": (0, 0)}
    BEFORE = (("bench.policy.evaluated", 1), ("bench.budget.reservation", 3))  # events, with their attributes
    AFTER = (("bench.budget.reconciliation", 4),)
    MEASUREMENTS = {"chat": 5, "stream": 6, "embeddings": 4}
    LOG_ATTRIBUTES = 0

    def setup(self, setting: Setting) -> None:
        super().setup(setting)


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


class OpenLLMetry(Subject):
    name = venv = "openllmetry"
    emits_metrics = True

    def setup(self, setting: Setting) -> None:
        os.environ["TRACELOOP_TRACE_CONTENT"] = "false"
        os.environ["TRACELOOP_METRICS_ENABLED"] = "true" if setting.meter_provider else "false"
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor

        OpenAIInstrumentor().instrument(
            tracer_provider=setting.tracer_provider, meter_provider=setting.meter_provider
        )


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

        OpenAIInstrumentor().instrument(
            tracer_provider=setting.tracer_provider, meter_provider=setting.meter_provider
        )


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

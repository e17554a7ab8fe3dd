"""Runs calls in a process where peers are installed, and prints what became of them, one JSON line a call.

python probe.py genops-first otel,openinference on openai,anthropic

Arguments: who is installed first (`genops-first`, `peers-first`; `leaving`: the peers are taken off one after another,
and GenOps at last), which peers, whether spans are sampled, which calls. Run in
one of the environments that `make test-coexistence` builds; matrix.py starts it.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")
os.environ.update(
    {
        "OPENAI_API_KEY": "test",
        "ANTHROPIC_API_KEY": "test",
        "GOOGLE_API_KEY": "test",
        "TRACELOOP_TRACE_CONTENT": "false",
        "LANGFUSE_FLUSH_AT": "1000",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "LOGFIRE_IGNORE_NO_CONFIG": "1",
        "CREWAI_DISABLE_TELEMETRY": "true",
        "CREWAI_DISABLE_VERSION_CHECK": "true",
        "CREWAI_TRACING_ENABLED": "false",
    }
)
for name in ("langfuse", "opentelemetry", "LiteLLM", "openlit"):
    logging.getLogger(name).setLevel(logging.CRITICAL)

from opentelemetry import trace  # noqa: E402
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: E402
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON  # noqa: E402

RECORDINGS = Path(__file__).resolve().parents[1] / "recordings"
LOOP = asyncio.new_event_loop()  # one for all calls: frameworks keep their clients
SAY: list[Any] = [{"role": "user", "content": "Say hello."}]


class Entries:
    """A ledger in memory."""

    def __init__(self) -> None:
        self.found: list[Any] = []

    def append(self, entry: Any) -> None:
        self.found.append(entry)


# -- peers -------------------------------------------------------------------------------------------------------------


def _instrumentors(*targets: str) -> Callable[[Any], None]:
    def instrument(provider: Any) -> None:
        for target in targets:
            module, _, name = target.partition(":")
            try:
                found = getattr(importlib.import_module(module), name)()
            except ImportError:
                continue
            if provider is None:
                found.uninstrument()
            else:
                found.instrument(tracer_provider=provider, skip_dep_check=True)

    return instrument


def _langfuse(provider: Any) -> None:
    langfuse = importlib.import_module("langfuse")
    langfuse.Langfuse(public_key="pk", secret_key="sk", base_url="http://127.0.0.1:9", tracer_provider=provider)
    importlib.import_module("langfuse.openai")


def _logfire(provider: Any) -> None:
    logfire = importlib.import_module("logfire")
    logfire.instrument_openai()
    logfire.instrument_anthropic()


def _openlit(provider: Any) -> None:
    openlit = importlib.import_module("openlit")
    prices = Path(__file__).with_name("openlit-prices.json")
    openlit.init(
        disable_metrics=True, disable_events=True, pricing_json=str(prices)
    )  # takes the provider that is there


PEERS: dict[str, Callable[[Any], None]] = {
    "otel": _instrumentors(
        "opentelemetry.instrumentation.genai.openai:OpenAIInstrumentor",
        "opentelemetry.instrumentation.genai.anthropic:AnthropicInstrumentor",
        "opentelemetry.instrumentation.google_genai:GoogleGenAiSdkInstrumentor",
    ),
    "openllmetry": _instrumentors(
        "opentelemetry.instrumentation.openai:OpenAIInstrumentor",
        "opentelemetry.instrumentation.anthropic:AnthropicInstrumentor",
        "opentelemetry.instrumentation.google_generativeai:GoogleGenerativeAiInstrumentor",
    ),
    "openinference": _instrumentors(
        "openinference.instrumentation.openai:OpenAIInstrumentor",
        "openinference.instrumentation.anthropic:AnthropicInstrumentor",
        "openinference.instrumentation.google_genai:GoogleGenAIInstrumentor",
    ),
    "langfuse": _langfuse,
    "logfire": _logfire,
    "openlit": _openlit,
    "langchain-openllmetry": _instrumentors("opentelemetry.instrumentation.langchain:LangchainInstrumentor"),
    "langchain-openinference": _instrumentors("openinference.instrumentation.langchain:LangChainInstrumentor"),
    "crewai-openllmetry": _instrumentors("opentelemetry.instrumentation.crewai:CrewAIInstrumentor"),
    "crewai-openinference": _instrumentors("openinference.instrumentation.crewai:CrewAIInstrumentor"),
    "litellm-openinference": _instrumentors("openinference.instrumentation.litellm:LiteLLMInstrumentor"),
}


# -- calls -------------------------------------------------------------------------------------------------------------


def _openai(url: str, *, asynchronous: bool, streamed: bool) -> Any:
    openai = importlib.import_module("openai")
    arguments = {"model": "gpt-4o-mini", "messages": SAY, "stream": streamed}
    if asynchronous:

        async def ask() -> Any:
            async with openai.AsyncOpenAI(base_url=f"{url}/v1", max_retries=0) as client:
                result = await client.chat.completions.create(**arguments)
                return [chunk async for chunk in result] if streamed else result

        return LOOP.run_until_complete(ask())
    with openai.OpenAI(base_url=f"{url}/v1", max_retries=0) as client:
        result = client.chat.completions.create(**arguments)
        return list(result) if streamed else result


def _anthropic(url: str, *, asynchronous: bool, streamed: bool) -> Any:
    anthropic = importlib.import_module("anthropic")
    arguments = {"model": "claude-sonnet-4-5", "messages": SAY, "max_tokens": 100, "stream": streamed}
    if asynchronous:

        async def ask() -> Any:
            async with anthropic.AsyncAnthropic(base_url=url, max_retries=0) as client:
                result = await client.messages.create(**arguments)
                return [event async for event in result] if streamed else result

        return LOOP.run_until_complete(ask())
    with anthropic.Anthropic(base_url=url, max_retries=0) as client:
        result = client.messages.create(**arguments)
        return list(result) if streamed else result


def _gemini(url: str, *, asynchronous: bool, streamed: bool) -> Any:
    genai = importlib.import_module("google.genai")
    client = genai.Client(api_key="test", http_options={"base_url": url})
    arguments = {"model": "gemini-2.5-flash", "contents": "Say hello."}
    if asynchronous:

        async def ask() -> Any:
            if not streamed:
                return await client.aio.models.generate_content(**arguments)
            return [chunk async for chunk in await client.aio.models.generate_content_stream(**arguments)]

        return LOOP.run_until_complete(ask())
    models = client.models
    return list(models.generate_content_stream(**arguments)) if streamed else models.generate_content(**arguments)


def _langchain(url: str, *, asynchronous: bool, streamed: bool) -> Any:
    chat = importlib.import_module("langchain_openai").ChatOpenAI
    model = chat(model="gpt-4o-mini", base_url=f"{url}/v1", max_retries=0, api_key="test", stream_usage=streamed)
    if asynchronous:

        async def ask() -> Any:
            return [chunk async for chunk in model.astream("Hi")] if streamed else await model.ainvoke("Hi")

        return LOOP.run_until_complete(ask())
    return list(model.stream("Hi")) if streamed else model.invoke("Hi")


def _crewai(url: str, *, asynchronous: bool, streamed: bool) -> Any:
    crewai = importlib.import_module("crewai")
    model = crewai.LLM(model="openai/gpt-4o-mini", base_url=f"{url}/v1", api_key="test", stream=streamed)
    agent = crewai.Agent(role="Host", goal="Greet", backstory="Polite.", llm=model, max_iter=1)
    task = crewai.Task(description="Say hello.", expected_output="A greeting.", agent=agent)
    crew = crewai.Crew(agents=[agent], tasks=[task])
    return [LOOP.run_until_complete(crew.akickoff()) if asynchronous else crew.kickoff()]


def _litellm(url: str, *, asynchronous: bool, streamed: bool) -> Any:
    litellm = importlib.import_module("litellm")
    arguments = {
        "model": "openai/gpt-4o-mini",
        "messages": SAY,
        "api_base": f"{url}/v1",
        "stream": streamed,
        "max_retries": 0,
    }
    if streamed:
        arguments["stream_options"] = {"include_usage": True}
    if asynchronous:

        async def ask() -> Any:
            result = await litellm.acompletion(**arguments)
            return [chunk async for chunk in result] if streamed else result

        return LOOP.run_until_complete(ask())
    result = litellm.completion(**arguments)
    return list(result) if streamed else result


def _litellm_anthropic(url: str, *, asynchronous: bool, streamed: bool) -> Any:
    """A provider that LiteLLM calls without an SDK."""
    litellm = importlib.import_module("litellm")
    arguments = {"model": "anthropic/claude-sonnet-4-5", "messages": SAY, "api_base": url, "stream": streamed}
    if asynchronous:

        async def ask() -> Any:
            result = await litellm.acompletion(**arguments, max_tokens=100)
            return [chunk async for chunk in result] if streamed else result

        return LOOP.run_until_complete(ask())
    result = litellm.completion(**arguments, max_tokens=100)
    return list(result) if streamed else result


CALLS: dict[str, tuple[str, Callable[..., Any], str, str]] = {
    "openai": ("openai", _openai, "openai-chat-once-0b39ae08eb", "openai-chat-stream-2466337cc2"),
    "anthropic": ("anthropic", _anthropic, "anthropic-messages-once-6189d53076", "anthropic-messages-stream-*"),
    "gemini": (
        "google.genai",
        _gemini,
        "google_genai-generatecontent-once-adc356a7df",
        "google_genai-streamgeneratecontent-stream-03*",
    ),
    "langchain": ("langchain_openai", _langchain, "openai-chat-once-0b39ae08eb", "openai-chat-stream-2466337cc2"),
    "crewai": ("crewai", _crewai, "openai-chat-once-bd178f2d1f", "openai-chat-stream-b43ccf319f"),
    "litellm-anthropic": (
        "litellm",
        _litellm_anthropic,
        "anthropic-messages-once-6189d53076",
        "anthropic-messages-stream-*",
    ),
    "litellm": ("litellm", _litellm, "openai-chat-once-0b39ae08eb", "openai-chat-stream-2466337cc2"),
}


def main() -> None:
    order, peers, sampled, calls = sys.argv[1], sys.argv[2], sys.argv[3] == "on", sys.argv[4].split(",")
    chosen = [name for name in peers.split(",") if name]
    import genops
    from genops.core.runtime import current_runtime, install_runtime
    from genops.testing.replay import ReplayServer, load_recordings

    exporter = InMemorySpanExporter()
    provider = _provider(exporter, chosen, sampled)
    for name in calls:
        importlib.import_module(CALLS[name][0])
    if order == "peers-first":
        for name in chosen:
            PEERS[name](provider)
    genops.auto_instrument(team="search", project="shop", environment="test", ledger={"enabled": False})
    if order != "peers-first":
        for name in chosen:
            PEERS[name](provider)
    entries, runtime = Entries(), current_runtime()
    assert runtime is not None
    install_runtime(replace(runtime, sinks=(entries,)))
    recordings = load_recordings(RECORDINGS)
    with ReplayServer(choose=lambda received: server.exchanges[0], unique_ids=True) as server:

        def each(left: str = "") -> None:
            for name in calls:
                _, call, whole, streams = CALLS[name]
                for streamed in (False, True):
                    pattern = streams if streamed else whole
                    server.play(next(one for one in recordings if fnmatch(one.id, pattern) and one.status < 400))
                    for asynchronous in (False, True):
                        server.requests.clear()
                        mode = left + ("stream" if streamed else "call") + ("-async" if asynchronous else "")
                        print(json.dumps(_one(call, server, mode, name, entries, exporter, streamed, asynchronous)))

        each()
        for name in chosen if order == "leaving" else ():
            PEERS[name](None)
            each(f"without-{name}-")
        if order == "leaving":
            genops.uninstrument()
            each("ungoverned-")


def _provider(exporter: Any, chosen: list[str], sampled: bool) -> Any:
    if "logfire" in chosen:
        logfire = importlib.import_module("logfire")
        logfire.configure(
            send_to_logfire=False,
            console=False,
            additional_span_processors=[SimpleSpanProcessor(exporter)],
            sampling=logfire.SamplingOptions(head=1.0 if sampled else 0.0),
        )
        return trace.get_tracer_provider()
    provider = TracerProvider(sampler=ALWAYS_ON if sampled else ALWAYS_OFF)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return provider


def _one(call, server, mode, name, entries, exporter, streamed, asynchronous) -> dict[str, Any]:  # type: ignore[no-untyped-def]
    entries.found.clear()
    exporter.clear()
    failure = None
    try:
        with trace.get_tracer("app").start_as_current_span("app"):
            result = call(server.url, asynchronous=asynchronous, streamed=streamed)
    except Exception as error:  # noqa: BLE001  # reported
        failure, result = f"{type(error).__name__}: {error}"[:300], None
    chunks = len(result) if streamed and result is not None else None
    del result
    gc.collect()
    spans = exporter.get_finished_spans()
    stated = [dict(span.attributes or {}) for span in spans]
    costs = [found["genops.cost.total"] for found in stated if "genops.cost.total" in found]
    ours = [dict(span.attributes or {}) for span in spans if span.instrumentation_scope.name == "genops"]
    return {
        "call": name,
        "mode": mode,
        "failure": failure,
        "requests": len(server.requests),
        "entries": len(entries.found),
        "usage": [{key: str(value) for key, value in entry.usage.items()} for entry in entries.found],
        "source": [entry.usage_source for entry in entries.found],
        "ledger": str(sum((entry.cost or Decimal(0) for entry in entries.found), Decimal(0))),
        "spans": len(spans),
        "foreign": sorted({s.instrumentation_scope.name for s in spans} - {"genops", "app"}),
        "costs": costs,
        "usage_twice": any(key.startswith("gen_ai.usage.") for found in ours for key in found),
        "chunks": chunks,
    }


if __name__ == "__main__":
    main()

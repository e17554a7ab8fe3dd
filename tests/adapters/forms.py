"""Forms: one call of each kind that each adapter governs, as applications make it, sync and async, whole and streamed.

A form makes its own client, calls, reads the answer and returns what came: the answer, or the chunks of the stream.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import pytest
from tests.adapters.drivers import bedrock_client, mistral_client, watsonx_model

__all__ = ["FORMS", "Form", "Reading"]

PROMPT = "Say hello, please."


@dataclass(frozen=True)
class Reading:
    """How the application reads a stream: so many chunks, None for all, and then it closes it or lets it go."""

    chunks: int | None = None
    close: bool = False


WHOLE = Reading()
Call = Callable[..., Any]


@dataclass(frozen=True)
class Form:
    """One way to call. `call(url, prompt, reading, **arguments)` makes it; `exchange` is the answer it is played.

    `model` is what it asks for, `limit` the argument that limits the output and where the request carries it.
    """

    adapter: str
    name: str
    operation: str
    exchange: str
    model: str
    call: Call
    streamed: bool = False
    limit: tuple[Any, str] | None = None
    attributable: bool = True
    extra: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.adapter}-{self.name}"


def _take(stream: Iterable[Any], reading: Reading) -> list[Any]:
    if reading.chunks is None:
        return list(stream)
    steps = iter(stream)
    found = [next(steps) for _ in range(reading.chunks)]
    if reading.close:
        stream.close()  # type: ignore[attr-defined]  # streams have one
    return found


async def _atake(stream: AsyncIterator[Any], reading: Reading) -> list[Any]:
    if reading.chunks is None:
        return [chunk async for chunk in stream]
    steps = aiter(stream)
    found = [await anext(steps) for _ in range(reading.chunks)]
    if reading.close:
        own = type(getattr(stream, "__wrapped__", stream))
        closed = (stream.aclose if hasattr(own, "aclose") else stream.close)()  # type: ignore[attr-defined]  # has one
        if inspect.isawaitable(closed):
            await closed
    return found


def _sync(client: Callable[[str], Any], ask: Callable[..., Any], *, streamed: bool = False) -> Call:
    def call(url: str, prompt: str = PROMPT, reading: Reading = WHOLE, **arguments: Any) -> Any:
        made = client(url)
        try:
            result = ask(made, prompt, **arguments)
            return _take(result, reading) if streamed else result
        finally:
            for name in ("close",):
                getattr(made, name, lambda: None)()

    return call


def _async(client: Callable[[str], Any], ask: Callable[..., Any], *, streamed: bool = False) -> Call:
    async def acall(url: str, prompt: str, reading: Reading, arguments: dict[str, Any]) -> Any:
        made = client(url)
        if hasattr(made, "__aenter__") and not hasattr(made, "close"):
            made = await made.__aenter__()
        try:
            result = ask(made, prompt, **arguments)
            if inspect.isawaitable(result):
                result = await result
            return await _atake(result, reading) if streamed else result
        finally:
            closing = getattr(made, "aclose", None) or getattr(made, "close", None)
            closed = closing() if closing is not None else None
            if inspect.isawaitable(closed):
                await closed

    def call(url: str, prompt: str = PROMPT, reading: Reading = WHOLE, **arguments: Any) -> Any:
        return asyncio.run(acall(url, prompt, reading, arguments))

    return call


def _said(prompt: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": prompt}]


# -- the SDKs made alike -----------------------------------------------------------------------------------------------


def _alike(adapter: str, model: str, whole: str, streamed: str, **more: Any) -> Iterator[Form]:
    """The chat forms of an SDK with `client.chat.completions.create`."""
    module, name, path = more.pop("module", adapter), more.pop("client"), more.pop("path", "/v1")

    def make(prefix: str) -> Callable[[str], Any]:
        return lambda url: getattr(importlib.import_module(module), prefix + name)(
            api_key="test", base_url=f"{url}{path}", max_retries=0
        )

    def ask(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.chat.completions.create(messages=_said(prompt), **{"model": model, **arguments})

    def ask_streamed(client: Any, prompt: str, **arguments: Any) -> Any:
        return ask(client, prompt, stream=True, **arguments)

    limit = ("max_tokens", "max_tokens")
    for prefix, kind in (("", _sync), ("Async", _async)):
        suffix = "-async" if prefix else ""
        yield Form(adapter, f"chat{suffix}", "chat", whole, model, kind(make(prefix), ask), limit=limit)
        call = kind(make(prefix), ask_streamed, streamed=True)
        yield Form(adapter, f"chat-stream{suffix}", "chat", streamed, model, call, streamed=True, limit=limit)


def _embeddings_alike(adapter: str, client: str, model: str, exchange: str, path: str = "/v1") -> Iterator[Form]:
    def make(prefix: str) -> Callable[[str], Any]:
        return lambda url: getattr(importlib.import_module(adapter), prefix + client)(
            api_key="test", base_url=f"{url}{path}", max_retries=0
        )

    def ask(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.embeddings.create(input=prompt, **{"model": model, **arguments})

    yield Form(adapter, "embeddings", "embeddings", exchange, model, _sync(make(""), ask))
    yield Form(adapter, "embeddings-async", "embeddings", exchange, model, _async(make("Async"), ask))


def _anthropic() -> Iterator[Form]:
    model = "claude-sonnet-4-5"

    def make(prefix: str) -> Callable[[str], Any]:
        return lambda url: getattr(importlib.import_module("anthropic"), f"{prefix}Anthropic")(
            api_key="test", base_url=url, max_retries=0
        )

    def ask(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.messages.create(messages=_said(prompt), **{"model": model, "max_tokens": 100, **arguments})

    def ask_streamed(client: Any, prompt: str, **arguments: Any) -> Any:
        return ask(client, prompt, stream=True, **arguments)

    whole, streamed = "anthropic-messages-once-6189d53076", "anthropic-messages-stream-*"
    limit = ("max_tokens", "max_tokens")
    for prefix, kind in (("", _sync), ("Async", _async)):
        suffix = "-async" if prefix else ""
        yield Form("anthropic", f"messages{suffix}", "messages", whole, model, kind(make(prefix), ask), limit=limit)
        call = kind(make(prefix), ask_streamed, streamed=True)
        yield Form(
            "anthropic", f"messages-stream{suffix}", "messages", streamed, model, call, streamed=True, limit=limit
        )


# -- Gemini ------------------------------------------------------------------------------------------------------------


def _gemini() -> Iterator[Form]:
    model = "gemini-2.5-flash"

    def make(url: str) -> Any:
        genai = importlib.import_module("google.genai")
        return genai.Client(api_key="test", http_options={"base_url": url})

    def amake(url: str) -> Any:
        return make(url).aio

    def config(arguments: dict[str, Any]) -> dict[str, Any]:
        settings = {"max_output_tokens": arguments.pop("max_output_tokens")} if "max_output_tokens" in arguments else {}
        return {"config": settings} if settings else {}

    def ask(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.models.generate_content(contents=prompt, **config(arguments), **{"model": model, **arguments})

    def ask_streamed(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.models.generate_content_stream(
            contents=prompt, **config(arguments), **{"model": model, **arguments}
        )

    async def ask_astreamed(client: Any, prompt: str, **arguments: Any) -> Any:
        return await ask_streamed(client, prompt, **arguments)

    def embed(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.models.embed_content(contents=prompt, **{"model": "gemini-embedding-001", **arguments})

    def interact(client: Any, prompt: str, **arguments: Any) -> Any:
        if not hasattr(client, "interactions"):
            pytest.skip("this version of the SDK has no interactions")
        settings = {"generation_config": config(arguments)["config"]} if "max_output_tokens" in arguments else {}
        return client.interactions.create(input=prompt, stream=True, **settings, **{"model": model, **arguments})

    async def ainteract(client: Any, prompt: str, **arguments: Any) -> Any:
        return await interact(client, prompt, **arguments)

    whole, streamed = "google_genai-generatecontent-once-adc356a7df", "google_genai-streamgeneratecontent-stream-03*"
    embedded = "google_genai-batchembedcontents-once-ce2e60542d"
    limit = ("max_output_tokens", "generationConfig.maxOutputTokens")
    for suffix, kind, client in (("", _sync, make), ("-async", _async, amake)):
        yield Form("gemini", f"generate{suffix}", "generate_content", whole, model, kind(client, ask), limit=limit)
        call = kind(client, ask_astreamed if suffix else ask_streamed, streamed=True)
        yield Form("gemini", f"stream{suffix}", "generate_content", streamed, model, call, streamed=True, limit=limit)
        yield Form("gemini", f"embeddings{suffix}", "embeddings", embedded, "gemini-embedding-001", kind(client, embed))
        yield Form(
            "gemini",
            f"interaction-stream{suffix}",
            "interactions",
            "google_genai-interactions-stream-36b77cfc33",
            model,
            kind(client, ainteract if suffix else interact, streamed=True),
            streamed=True,
            limit=("max_output_tokens", "generation_config.max_output_tokens"),
        )


# -- Bedrock -----------------------------------------------------------------------------------------------------------


def _bedrock() -> Iterator[Form]:
    nova, claude = "amazon.nova-micro-v1:0", "anthropic.claude-3-5-sonnet-20240620-v1:0"

    @asynccontextmanager
    async def aclient(url: str) -> AsyncIterator[Any]:
        session = importlib.import_module("aiobotocore.session").get_session()
        config = importlib.import_module("aiobotocore.config").AioConfig(retries={"max_attempts": 0})
        async with session.create_client(
            "bedrock-runtime",
            region_name="us-east-1",
            endpoint_url=url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=config,
        ) as client:
            yield client

    def talk(prompt: str) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": [{"text": prompt}]}]}

    def limited(arguments: dict[str, Any]) -> dict[str, Any]:
        return {"inferenceConfig": {"maxTokens": arguments.pop("maxTokens")}} if "maxTokens" in arguments else {}

    def body(prompt: str, arguments: dict[str, Any]) -> str:
        found = {"anthropic_version": "bedrock-2023-05-31", "messages": _said(prompt)}
        return json.dumps({**found, "max_tokens": arguments.pop("max_tokens", 100)})

    def converse(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.converse(**talk(prompt), **limited(arguments), **{"modelId": nova, **arguments})

    def converse_stream(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.converse_stream(**talk(prompt), **limited(arguments), **{"modelId": nova, **arguments})["stream"]

    def invoke(client: Any, prompt: str, **arguments: Any) -> Any:
        made = body(prompt, arguments)
        return client.invoke_model(body=made, **{"modelId": claude, **arguments})["body"].read()

    def invoke_stream(client: Any, prompt: str, **arguments: Any) -> Any:
        made = body(prompt, arguments)
        return client.invoke_model_with_response_stream(body=made, **{"modelId": claude, **arguments})["body"]

    def awaited(ask: Callable[..., Any], key: str | None = None) -> Callable[..., Any]:
        """The same request, made with a client whose methods are coroutines."""

        async def made(client: Any, prompt: str, **arguments: Any) -> Any:
            operation, request = ask(_Recorder(), prompt, **arguments)
            result = await getattr(client, operation)(**request)
            if key is None:
                return result
            return result[key] if key == "stream" or operation.endswith("stream") else await result[key].read()

        return made

    forms = (
        ("converse", "converse", "bedrock-converse-once-6eb1b5a8ec", nova, converse, None, False),
        (
            "converse-stream",
            "converse",
            "bedrock-converse_stream-stream-c93b973d96",
            nova,
            converse_stream,
            "stream",
            True,
        ),
        ("invoke", "invoke_model", "bedrock-invoke_model-once-e4e934505c", claude, invoke, "body", False),
        (
            "invoke-stream",
            "invoke_model",
            "bedrock-invoke_model_stream-stream-83939d5a73",
            claude,
            invoke_stream,
            "body",
            True,
        ),
    )
    for name, operation, exchange, model, ask, key, streamed in forms:
        converses = operation == "converse"
        limit = ("maxTokens", "inferenceConfig.maxTokens") if converses else ("max_tokens", "max_tokens")
        for suffix, call in (
            ("", _sync(bedrock_client, ask, streamed=streamed)),
            ("-async", _entered(aclient, awaited(ask, key), streamed=streamed)),
        ):
            yield Form(
                "bedrock",
                name + suffix,
                operation,
                exchange,
                model,
                call,
                streamed=streamed,
                limit=limit,
                extra={"model_argument": "modelId"},
            )


class _Recorder:
    """Says which operation would be called with what."""

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return lambda **request: _Recorded((operation, request))


class _Recorded(tuple[str, dict[str, Any]]):
    __slots__ = ()

    def __getitem__(self, key: Any) -> Any:
        return self if isinstance(key, str) else super().__getitem__(key)

    def read(self) -> Any:
        return self


def _entered(client: Callable[[str], Any], ask: Callable[..., Any], *, streamed: bool = False) -> Call:
    async def acall(url: str, prompt: str, reading: Reading, arguments: dict[str, Any]) -> Any:
        async with client(url) as made:
            result = await ask(made, prompt, **arguments)
            return await _atake(result, reading) if streamed else result

    def call(url: str, prompt: str = PROMPT, reading: Reading = WHOLE, **arguments: Any) -> Any:
        return asyncio.run(acall(url, prompt, reading, arguments))

    return call


# -- Mistral, Cohere, Ollama -------------------------------------------------------------------------------------------


def _mistral() -> Iterator[Form]:
    model = "mistral-small-latest"

    def ask(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.chat.complete(messages=_said(prompt), **{"model": model, **arguments})

    def stream(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.chat.stream(messages=_said(prompt), **{"model": model, **arguments})

    def embed(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.embeddings.create(inputs=[prompt], **{"model": "mistral-embed", **arguments})

    def aask(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.chat.complete_async(messages=_said(prompt), **{"model": model, **arguments})

    def astream(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.chat.stream_async(messages=_said(prompt), **{"model": model, **arguments})

    def aembed(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.embeddings.create_async(inputs=[prompt], **{"model": "mistral-embed", **arguments})

    whole, streamed = "mistral-chat-once-77323885dd", "mistral-chat-stream-89663ccbc5"
    embedded = "mistral-embeddings-once-16f1d521d9"
    limit = ("max_tokens", "max_tokens")
    for suffix, kind, (one, many, vector) in (
        ("", _sync, (ask, stream, embed)),
        ("-async", _async, (aask, astream, aembed)),
    ):
        yield Form("mistral", f"chat{suffix}", "chat", whole, model, kind(mistral_client, one), limit=limit)
        call = kind(mistral_client, many, streamed=True)
        yield Form("mistral", f"chat-stream{suffix}", "chat", streamed, model, call, streamed=True, limit=limit)
        yield Form(
            "mistral", f"embeddings{suffix}", "embeddings", embedded, "mistral-embed", kind(mistral_client, vector)
        )


def _cohere() -> Iterator[Form]:
    model = "command-r-08-2024"

    def make(prefix: str) -> Callable[[str], Any]:
        return lambda url: getattr(importlib.import_module("cohere"), f"{prefix}ClientV2")(api_key="test", base_url=url)

    once = {"request_options": {"max_retries": 0}}

    def ask(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.chat(messages=_said(prompt), **once, **{"model": model, **arguments})

    def stream(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.chat_stream(messages=_said(prompt), **once, **{"model": model, **arguments})

    def rank(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.rerank(query=prompt, documents=["a", "b"], **once, **{"model": "rerank-v3.5", **arguments})

    whole, streamed = "cohere-chat_v2-once-4f14a21213", "cohere-chat_v2-stream-41f988cb0b"
    limit = ("max_tokens", "max_tokens")
    for prefix, kind in (("", _sync), ("Async", _async)):
        suffix = "-async" if prefix else ""
        yield Form("cohere", f"chat{suffix}", "chat", whole, model, kind(make(prefix), ask), limit=limit)
        call = kind(make(prefix), stream, streamed=True)
        yield Form("cohere", f"chat-stream{suffix}", "chat", streamed, model, call, streamed=True, limit=limit)
        yield Form(
            "cohere",
            f"rerank{suffix}",
            "rerank",
            "cohere-rerank-once-cb40505983",
            "rerank-v3.5",
            kind(make(prefix), rank),
        )


def _ollama() -> Iterator[Form]:
    model = "llama3"

    def make(prefix: str) -> Callable[[str], Any]:
        return lambda url: getattr(importlib.import_module("ollama"), f"{prefix}Client")(host=url)

    def limited(arguments: dict[str, Any]) -> dict[str, Any]:
        return {"options": {"num_predict": arguments.pop("num_predict")}} if "num_predict" in arguments else {}

    def ask(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.chat(messages=_said(prompt), **limited(arguments), **{"model": model, **arguments})

    def stream(client: Any, prompt: str, **arguments: Any) -> Any:
        return ask(client, prompt, stream=True, **arguments)

    def generate(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.generate(prompt=prompt, **limited(arguments), **{"model": model, **arguments})

    def generate_stream(client: Any, prompt: str, **arguments: Any) -> Any:
        return generate(client, prompt, stream=True, **arguments)

    forms = (
        ("chat", "chat", "ollama-chat-once-423515071a", ask, False),
        ("chat-stream", "chat", "ollama-chat-stream-2536b7d4ea", stream, True),
        ("generate", "generate", "ollama-generate-once-0eaf20e09f", generate, False),
        ("generate-stream", "generate", "ollama-generate-stream-3ff757efdc", generate_stream, True),
    )
    for name, operation, exchange, way, streamed in forms:
        for prefix, kind in (("", _sync), ("Async", _async)):
            call = kind(make(prefix), way, streamed=streamed)
            yield Form(
                "ollama",
                name + ("-async" if prefix else ""),
                operation,
                exchange,
                model,
                call,
                streamed=streamed,
                limit=("num_predict", "options.num_predict"),
            )


# -- watsonx, Hugging Face ---------------------------------------------------------------------------------------------


def _watsonx() -> Iterator[Form]:
    model = "google/flan-ul2"

    def make(url: str) -> Any:
        return watsonx_model(url, model)

    def params(arguments: dict[str, Any], name: str) -> dict[str, Any]:
        return {"params": {name: arguments.pop(name)}} if name in arguments else {}

    def generate(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.generate(prompt, **params(arguments, "max_new_tokens"), **arguments)

    def stream(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.generate_text_stream(prompt, **params(arguments, "max_new_tokens"), **arguments)

    def agenerate(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.agenerate(prompt, **params(arguments, "max_new_tokens"), **arguments)

    def astream(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.agenerate_stream(prompt, **params(arguments, "max_new_tokens"), **arguments)

    def chat(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.chat(_said(prompt), **params(arguments, "max_tokens"), **arguments)

    def chat_stream(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.chat_stream(_said(prompt), **params(arguments, "max_tokens"), **arguments)

    whole = "watsonx-ml_v1_beta_generation_text-once-740a0fcca3"
    streamed = "watsonx-ml_v1_beta_generation_text_stream-stream-8f8c8f1a79"
    new, old = ("max_tokens", "max_tokens"), ("max_new_tokens", "parameters.max_new_tokens")
    extra = {"rerouted": False}
    forms = (
        ("generate", "generate", whole, _sync(make, generate), False, old),
        ("generate-async", "generate", whole, _async(make, agenerate), False, old),
        ("stream", "generate", streamed, _sync(make, stream, streamed=True), True, old),
        ("stream-async", "generate", streamed, _async(make, astream, streamed=True), True, old),
        ("chat", "chat", "groq-chat-once-4f36ce0c94", _sync(make, chat), False, new),
        ("chat-stream", "chat", "groq-chat-stream-21c93c728f", _sync(make, chat_stream, streamed=True), True, new),
    )
    for name, operation, exchange, call, is_streamed, limit in forms:
        more = extra | {"without": "data: [DONE]"} if name == "chat-stream" else extra
        yield Form("watsonx", name, operation, exchange, model, call, streamed=is_streamed, limit=limit, extra=more)


def _huggingface() -> Iterator[Form]:
    model = "meta-llama/Llama-3.1-8B-Instruct"

    def make(prefix: str) -> Callable[[str], Any]:
        return lambda url: getattr(importlib.import_module("huggingface_hub"), f"{prefix}InferenceClient")(
            base_url=url, api_key="test"
        )

    def ask(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.chat_completion(_said(prompt), **{"model": model, **arguments})

    def stream(client: Any, prompt: str, **arguments: Any) -> Any:
        return client.chat.completions.create(_said(prompt), stream=True, **{"model": model, **arguments})

    whole, streamed = "huggingface-chat-once-25c1326b00", "huggingface-chat-stream-e2ea6a202a"
    limit = ("max_tokens", "max_tokens")
    for prefix, kind in (("", _sync), ("Async", _async)):
        suffix = "-async" if prefix else ""
        yield Form("huggingface", f"chat{suffix}", "chat", whole, model, kind(make(prefix), ask), limit=limit)
        call = kind(make(prefix), stream, streamed=True)
        yield Form("huggingface", f"chat-stream{suffix}", "chat", streamed, model, call, streamed=True, limit=limit)


def _litellm() -> Iterator[Form]:
    """Through an SDK that is governed itself, which is not here, and to a provider that it calls without one."""
    routes = (
        ("openai", "gpt-4o-mini", "/v1", "openai-chat-once-bd178f2d1f", "openai-chat-stream-2466337cc2"),
        ("anthropic", "claude-sonnet-4-5", "", "anthropic-messages-once-6189d53076", "anthropic-messages-stream-32*"),
    )

    def asking(function: str, route: str, path: str, **fixed: Any) -> Callable[..., Any]:
        def ask(url: str, prompt: str, **arguments: Any) -> Any:
            said = {"input": [prompt]} if function.endswith("embedding") else {"messages": _said(prompt)}
            asked = {**fixed, **arguments}
            asked["model"] = f"{route}/{asked['model']}"
            method = getattr(importlib.import_module("litellm"), function)
            return method(**said, api_base=f"{url}{path}", api_key="test", max_retries=0, **asked)

        return ask

    limit = ("max_tokens", "max_tokens")
    for route, model, path, whole, streamed in routes:
        for prefix, kind in (("", _sync), ("a", _async)):
            name = f"{route}{'-async' if prefix else ''}"
            extra = {"provider": route, "made_up": ("id", "created"), "cut_after": 5}
            call = kind(str, asking(f"{prefix}completion", route, path, model=model))
            yield Form("litellm", f"chat-{name}", "chat", whole, model, call, limit=limit, extra=extra)
            stream = asking(f"{prefix}completion", route, path, model=model, stream=True)
            call = kind(str, stream, streamed=True)
            yield Form(
                "litellm", f"stream-{name}", "chat", streamed, model, call, streamed=True, limit=limit, extra=extra
            )
    model = "text-embedding-3-small"
    for prefix, kind in (("", _sync), ("a", _async)):
        call = kind(str, asking(f"{prefix}embedding", "openai", "/v1", model=model))
        name = f"embeddings{'-async' if prefix else ''}"
        extra = {"provider": "openai"}
        yield Form("litellm", name, "embeddings", "openai-embeddings-once-62a13ab54a", model, call, extra=extra)


def _together() -> Iterator[Form]:
    whole, streamed = "together-chat-once-bf066f28c2", "together-chat-stream-2f5a60ead8"
    yield from _alike("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", whole, streamed, client="Together")


def _groq() -> Iterator[Form]:
    whole, streamed = "groq-chat-once-4f36ce0c94", "groq-chat-stream-21c93c728f"
    yield from _alike("groq", "llama3-8b-8192", whole, streamed, client="Groq", path="")


def _openai() -> Iterator[Form]:
    yield from _alike(
        "openai", "gpt-4o-mini", "openai-chat-once-0b39ae08eb", "openai-chat-stream-2466337cc2", client="OpenAI"
    )
    yield from _embeddings_alike("openai", "OpenAI", "text-embedding-3-small", "openai-embeddings-once-*")


FORMS: tuple[Form, ...] = tuple(
    form
    for forms in (
        *(_openai, _anthropic, _gemini, _bedrock, _mistral, _cohere, _groq, _together, _ollama, _watsonx),
        _huggingface,
        *((_litellm,) if find_spec("litellm") else ()),  # it has an environment of its own: make test-litellm
    )
    for form in forms()
)

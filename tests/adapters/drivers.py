"""Drivers: each recorded call, made again as its application made it, with the real SDK, against the replay server.

A driver makes the call of an exchange and reads its answer to the end. Hosts that speak OpenAI's API are called at
their own address, through a transport that leads to the replay server instead.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from genops.testing.replay import EXCHANGE_HEADER, Exchange

__all__ = ["DRIVERS", "bedrock_client", "drive", "leading_to", "mistral_client", "watsonx_model"]

Driver = Callable[[Exchange, str], Any]


def drive(exchange: Exchange, url: str) -> Any:
    """Make the call of `exchange` against the server at `url`; skip the test if this SDK is not installed."""
    module, driver = DRIVERS[exchange.provider, exchange.api]
    pytest.importorskip(module)
    return driver(exchange, url)


def _read(result: Any) -> Any:
    for _ in result:
        pass
    return result


# -- OpenAI and those who speak its API --------------------------------------------------------------------------------

_OPENAI_METHODS = {
    "chat": "chat.completions.create",
    "responses": "responses.create",
    "completions": "completions.create",
    "embeddings": "embeddings.create",
    "images": "images.generate",
    "moderations": "moderations.create",
}
_OPENAI_ARGUMENTS = frozenset(
    {"model", "messages", "input", "prompt", "max_tokens", "stream", "stream_options", "tools"}
)


def _openai_like(client: Any, exchange: Exchange) -> Any:
    method = client
    for name in _OPENAI_METHODS[exchange.api].split("."):
        method = getattr(method, name, None)
        if method is None:
            pytest.skip(f"this version of the SDK has no {name}")
    request = exchange.request or _bare_request(exchange)
    arguments = {name: value for name, value in request.items() if name in _OPENAI_ARGUMENTS}
    rest = {name: value for name, value in request.items() if name not in _OPENAI_ARGUMENTS}
    arguments.setdefault("model", exchange.model or "gpt-4o")
    result = method(**arguments, extra_body=rest or None, extra_headers={EXCHANGE_HEADER: exchange.id})
    return _read(result) if request.get("stream") else result


def _transcription(exchange: Exchange, url: str) -> Any:
    openai = importlib.import_module("openai")
    with openai.OpenAI(api_key="test", base_url=f"{url}/v1", max_retries=0) as client:
        return client.audio.transcriptions.create(
            file=("audio.wav", b"RIFF"), extra_headers={EXCHANGE_HEADER: exchange.id}, **exchange.request
        )


def _bare_request(exchange: Exchange) -> dict[str, Any]:
    """A request for an exchange of which only the answer was kept."""
    content = {"input": "Hi"} if exchange.api == "responses" else {"messages": [{"role": "user", "content": "Hi"}]}
    return {**content, **({"stream": True} if exchange.streaming else {})}


def _openai(exchange: Exchange, url: str) -> Any:
    openai = importlib.import_module("openai")
    with openai.OpenAI(api_key="test", base_url=f"{url}/v1", max_retries=0) as client:
        return _openai_like(client, exchange)


def _host(exchange: Exchange, url: str) -> Any:
    openai = importlib.import_module("openai")
    http = importlib.import_module(openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])
    base = re.sub(r"/(chat/completions|completions|responses|embeddings)$", "", exchange.url)
    transport = leading_to(http, url)
    with openai.OpenAI(
        api_key="test", base_url=base, max_retries=0, http_client=http.Client(transport=transport)
    ) as client:
        return _openai_like(client, exchange)


def leading_to(http: Any, url: str, *, asynchronous: bool = False) -> Any:
    """A transport that sends every request to `url`, whatever host it is for."""
    target = urlsplit(url)

    def led(request: Any) -> Any:
        request.url = request.url.copy_with(scheme="http", host=target.hostname, port=target.port)
        return request

    class Leading(http.HTTPTransport):  # type: ignore[misc,name-defined]  # which library it is, the SDK decides
        def handle_request(self, request: Any) -> Any:
            return super().handle_request(led(request))

    class AsyncLeading(http.AsyncHTTPTransport):  # type: ignore[misc,name-defined]
        async def handle_async_request(self, request: Any) -> Any:
            return await super().handle_async_request(led(request))

    return AsyncLeading() if asynchronous else Leading()


# -- Anthropic, Groq, Together -----------------------------------------------------------------------------------------


def _anthropic(exchange: Exchange, url: str) -> Any:
    anthropic = importlib.import_module("anthropic")
    known = {"model", "messages", "max_tokens", "stream", "tools"}
    arguments = {name: value for name, value in exchange.request.items() if name in known}
    rest = {name: value for name, value in exchange.request.items() if name not in known}
    with anthropic.Anthropic(api_key="test", base_url=url, max_retries=0) as client:
        result = client.messages.create(
            **arguments, extra_body=rest or None, extra_headers={EXCHANGE_HEADER: exchange.id}
        )
        return _read(result) if exchange.request.get("stream") else result


def _groq(exchange: Exchange, url: str) -> Any:
    groq = importlib.import_module("groq")
    with groq.Groq(api_key="test", base_url=url, max_retries=0) as client:
        return _openai_like(client, exchange)


def _together(exchange: Exchange, url: str) -> Any:
    together = importlib.import_module("together")
    client = together.Together(api_key="test", base_url=f"{url}/v1", max_retries=0)
    if hasattr(client, "with_options"):
        return _openai_like(client, exchange)
    method = client.completions.create if exchange.api == "completions" else client.chat.completions.create
    result = method(**exchange.request)
    return _read(result) if exchange.request.get("stream") else result


# -- Gemini ------------------------------------------------------------------------------------------------------------


def _gemini(exchange: Exchange, url: str) -> Any:
    from google import genai
    from google.genai import types

    options = types.HttpOptions(base_url=url, headers={EXCHANGE_HEADER: exchange.id})
    if exchange.provider == "vertex_ai":
        credentials = importlib.import_module("google.oauth2.credentials").Credentials(token="test")
        client = genai.Client(
            vertexai=True, project="p", location="us-central1", credentials=credentials, http_options=options
        )
    else:
        client = genai.Client(api_key="test", http_options=options)
    model = re.sub(r":.*", "", exchange.path.rpartition("/models/")[2]) or "gemini-2.5-flash"
    request = dict(exchange.request)
    if exchange.api in ("batchEmbedContents", "embedContent"):
        texts = [part["content"] for part in request.get("requests", [request])]
        return client.models.embed_content(model=model, contents=texts)
    contents = request.pop("contents", [{"role": "user", "parts": [{"text": "Hi"}]}])
    settings = request.pop("generationConfig", None) or request.pop("generation_config", None) or {}
    request.pop("model", None)
    config = types.GenerateContentConfig.model_validate({**settings, **request})
    arguments = {"model": model, "contents": contents, "config": config}
    if exchange.streaming:
        return _read(client.models.generate_content_stream(**arguments))
    return client.models.generate_content(**arguments)


def _interactions(exchange: Exchange, url: str) -> Any:
    from google import genai

    client = genai.Client(api_key="test", http_options={"base_url": url, "headers": {EXCHANGE_HEADER: exchange.id}})
    if not hasattr(client, "interactions"):
        pytest.skip("this version of the SDK has no interactions")
    result = client.interactions.create(**exchange.request)
    return _read(result) if exchange.streaming else result


# -- Bedrock -----------------------------------------------------------------------------------------------------------


def bedrock_client(url: str) -> Any:
    """A client of Bedrock at the replay server."""
    boto3 = importlib.import_module("boto3")
    config = importlib.import_module("botocore.config").Config(retries={"max_attempts": 1, "mode": "standard"})
    return boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=config,
    )


def _bedrock(exchange: Exchange, url: str) -> Any:
    model = unquote(exchange.path.split("/model/")[1].rpartition("/")[0])
    client = bedrock_client(url)
    if exchange.api == "converse":
        return client.converse(modelId=model, **exchange.request)
    if exchange.api == "converse_stream":
        return _read(client.converse_stream(modelId=model, **exchange.request)["stream"])
    body = json.dumps(exchange.request)
    if exchange.api == "invoke_model_stream":
        return _read(client.invoke_model_with_response_stream(modelId=model, body=body)["body"])
    return client.invoke_model(modelId=model, body=body)["body"].read()


# -- the others --------------------------------------------------------------------------------------------------------


def mistral_client(url: str) -> Any:
    """A client of Mistral at the replay server, in the layout of the SDK that is installed."""
    try:
        mistral = importlib.import_module("mistralai.client")
        return mistral.Mistral(api_key="test", server_url=url)
    except (ImportError, AttributeError):
        return importlib.import_module("mistralai").Mistral(api_key="test", server_url=url)


def _mistral(exchange: Exchange, url: str) -> Any:
    client = mistral_client(url)
    request = {name: value for name, value in exchange.request.items() if name not in ("stream", "stream_options")}
    if exchange.api == "embeddings":
        return client.embeddings.create(model=request["model"], inputs=request["input"])
    if exchange.streaming:
        return _read(client.chat.stream(**request))
    return client.chat.complete(**request)


def _cohere(exchange: Exchange, url: str) -> Any:
    cohere = importlib.import_module("cohere")
    request = {name: value for name, value in exchange.request.items() if name != "stream"}
    newer = "/v2/" in exchange.path
    client = (cohere.ClientV2 if newer else cohere.Client)(api_key="test", base_url=url)
    if exchange.api in ("embeddings", "rerank", "generate"):
        method = {"embeddings": client.embed, "rerank": client.rerank, "generate": client.generate}[exchange.api]
        return method(**request)
    return _read(client.chat_stream(**request)) if exchange.streaming else client.chat(**request)


def _ollama(exchange: Exchange, url: str) -> Any:
    ollama = importlib.import_module("ollama")
    client = ollama.Client(host=url)
    request = {name: value for name, value in exchange.request.items() if value not in (None, "", [], {})}
    if exchange.api == "embeddings":
        return client.embeddings(**request)
    if "/v1/" in exchange.path:
        return _host(exchange, url)
    result = (client.chat if exchange.api == "chat" else client.generate)(**request)
    return _read(result) if exchange.streaming else result


def watsonx_model(url: str, model: str) -> Any:
    """A watsonx model whose requests lead to the replay server; at its own address, since it insists on a known one."""
    watsonx = importlib.import_module("ibm_watsonx_ai")
    models = importlib.import_module("ibm_watsonx_ai.foundation_models")
    http = importlib.import_module("ibm_watsonx_ai.utils.utils")
    if not hasattr(http, "HttpClientConfig"):
        pytest.skip("this version of the SDK takes no HTTP client")
    httpx = importlib.import_module("httpx")
    client = watsonx.APIClient(
        watsonx.Credentials(url="https://us-south.ml.cloud.ibm.com", token="test"),
        httpx_client=httpx.Client(transport=leading_to(httpx, url)),
        async_httpx_client=httpx.AsyncClient(transport=leading_to(httpx, url, asynchronous=True)),
    )
    client.default_project_id = "00000000-0000-0000-0000-000000000000"  # setting it would ask the service
    once: dict[str, Any] = {"max_retries": 0, "delay_time": 0, "retry_status_codes": []}
    return models.ModelInference(model_id=model, api_client=client, validate=False, **once)


def _watsonx(exchange: Exchange, url: str) -> Any:
    model = watsonx_model(url, exchange.request["model_id"])
    if exchange.streaming:
        return list(model.generate_text_stream(exchange.request["input"]))
    return model.generate(exchange.request["input"])


def _huggingface(exchange: Exchange, url: str) -> Any:
    hub = importlib.import_module("huggingface_hub")
    request = {name: value for name, value in exchange.request.items() if name != "model"}
    client = hub.InferenceClient(base_url=url, api_key="test")
    result = client.chat_completion(model=exchange.request.get("model"), **request)
    return _read(result) if exchange.streaming else result


def _table() -> Iterator[tuple[tuple[str, str], tuple[str, Driver]]]:
    for api in ("chat", "responses", "completions", "embeddings", "images", "moderations"):
        yield ("openai", api), ("openai", _openai)
        yield ("azure_openai", api), ("openai", _openai)
        for host in HOSTS:
            yield (host, api), ("openai", _host)
    yield ("openai", "transcription"), ("openai", _transcription)
    yield ("anthropic", "messages"), ("anthropic", _anthropic)
    yield ("groq", "chat"), ("groq", _groq)
    for api in ("chat", "completions"):
        yield ("together", api), ("together", _together)
    for api in ("generateContent", "streamGenerateContent", "batchEmbedContents", "embedContent"):
        yield ("google_genai", api), ("google.genai", _gemini)
        yield ("vertex_ai", api), ("google.genai", _gemini)
    yield ("google_genai", "interactions"), ("google.genai", _interactions)
    for api in ("converse", "converse_stream", "invoke_model", "invoke_model_stream"):
        yield ("bedrock", api), ("boto3", _bedrock)
    for api in ("chat", "embeddings"):
        yield ("mistral", api), ("mistralai", _mistral)
    for api in ("chat_v1", "chat_v2", "embeddings", "rerank", "generate"):
        yield ("cohere", api), ("cohere", _cohere)
    for api in ("chat", "generate", "embeddings"):
        yield ("ollama", api), ("ollama", _ollama)
    for api in ("ml_v1-beta_generation_text", "ml_v1-beta_generation_text_stream"):
        yield ("watsonx", api), ("ibm_watsonx_ai", _watsonx)
    yield ("huggingface", "chat"), ("huggingface_hub", _huggingface)


HOSTS = (
    *("openrouter", "deepseek", "xai", "perplexity", "fireworks", "cerebras", "ai21", "alibaba", "crusoe"),
    *("snowflake", "zai", "bedrock_mantle", "moonshot", "nebius", "baseten", "voyage"),
)
DRIVERS: dict[tuple[str, str], tuple[str, Driver]] = dict(_table())

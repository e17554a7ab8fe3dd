"""Where the examples of each adapter find their provider: the variables that lead its SDK to the replay server."""

from __future__ import annotations

import json
import os
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.stores.budgets.test_budget_tls import certificate

from genops.testing.replay import Exchange, Received, ReplayServer, load_recordings

ROOT = Path(__file__).parents[2]
MISSING = "no-such-model"  # the model that the examples of production ask for in vain

# What a request says, and what the recording that answers it is to have.
FEATURES = {
    '"ttl": "1h"': "cache_1h",
    '"ttl": "5m"': "cache_read",
    '"thinking"': "thinking",
    "web_search": "server_tool",
    '"tools"': "tools",
    "cachedContent": "cache_read",
    "thinkingConfig": "reasoning_tokens",
    "gpt-oss-120b": "stream_error",
}
_MOVED = {"text": "generation", "text_stream": "generation_stream"}  # watsonx: recorded before its v1
_ID = re.compile(r'"(?:id|responseId|response_id|generation_id)":\s*"([^"]+)"')
_NO_MODEL = '{"error": {"message": "no such model"}}'
_REQUEST = "x-amzn-requestid"
_Variables = Callable[[str], Mapping[str, str]]
VARIABLES: dict[str, _Variables] = {
    "openai": lambda url: {"OPENAI_API_KEY": "test", "OPENAI_BASE_URL": f"{url}/v1"},
    "anthropic": lambda url: {"ANTHROPIC_API_KEY": "test", "ANTHROPIC_BASE_URL": url},
    "gemini": lambda url: {"GEMINI_API_KEY": "test", "GOOGLE_GEMINI_BASE_URL": url},
    "bedrock": lambda url: {
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    },
    "mistral": lambda url: {"MISTRAL_API_KEY": "test", "MISTRAL_SERVER_URL": url},
    "cohere": lambda url: {"CO_API_KEY": "test", "CO_API_URL": url},
    "together": lambda url: {"TOGETHER_API_KEY": "test", "TOGETHER_BASE_URL": f"{url}/v1"},
    "groq": lambda url: {"GROQ_API_KEY": "test", "GROQ_BASE_URL": url},
    "ollama": lambda url: {"OLLAMA_HOST": url},
    "litellm": lambda url: {
        "OPENAI_API_KEY": "test",
        "OPENAI_BASE_URL": f"{url}/v1",
        "ANTHROPIC_API_KEY": "test",
        "ANTHROPIC_BASE_URL": url,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    },
    "watsonx": lambda url: {
        "WATSONX_URL": url.replace("http:", "https:"),
        "WATSONX_PLATFORM_URL": url.replace("http:", "https:"),
        "WATSONX_APIKEY": "test",
        "WATSONX_TOKEN": "test",
        "WATSONX_PROJECT_ID": "test",
    },
    "huggingface": lambda url: {"HF_TOKEN": "test", "HF_INFERENCE_BASE_URL": f"{url}/v1"},
    # By name, through the replay server as a proxy: the host is what says who sends the bill.
    "openai_compatible": lambda url: {
        "OPENAI_API_KEY": "test",
        "OPENROUTER_API_KEY": "test",
        "OPENROUTER_BASE_URL": "http://openrouter.ai/api/v1",
        "DEEPSEEK_API_KEY": "test",
        "DEEPSEEK_BASE_URL": "http://api.deepseek.com",
        "HTTP_PROXY": url,
        "http_proxy": url,
        "NO_PROXY": "",
        "no_proxy": "",
    },
}
# Interpreters of their own: litellm wants an older openai than the others are tested with. `make examples` sets it up.
PYTHON = {"litellm": ROOT / ".venv-litellm/bin/python"}
# Folders of recordings, where they are not called as the adapter is.
RECORDED: dict[str, tuple[str, ...]] = {
    "gemini": ("google_genai",),
    "litellm": ("openai", "anthropic"),
    "openai_compatible": ("openrouter", "deepseek", "xai", "perplexity"),
}


class ProviderServer(ReplayServer):
    """Answers as the provider would: by operation, mode, what is asked for, model, and whatever else is alike.

    A model that does not exist gets the provider's own error, or one like it.
    """

    def __init__(self, exchanges: list[Exchange]) -> None:
        super().__init__([exchange for exchange in exchanges if exchange.status < 400], choose=self._chosen)
        self._answers = 0
        self._refusals = [each for each in exchanges if each.status in (404, 400) and not each.streaming]
        self._refusals.append(replace(exchanges[0], status=404, streaming=False, body=_NO_MODEL))

    def speak_tls(self, cert: Path, key: Path) -> None:
        """Be an HTTPS server, for an SDK that accepts no other."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def _chosen(self, received: Received) -> Exchange | None:
        path, asked = unquote(urlsplit(received.path).path), json.dumps(received.body)
        if MISSING in path or MISSING in asked:
            return max(self._refusals, key=lambda each: _operation(unquote(each.path)) == _operation(path))
        feature = next((feature for said, feature in FEATURES.items() if said in asked), None)
        streaming = received.body.get("stream", "stream" in _operation(path)) is True
        fitting = [each for each in self.exchanges if _operation(unquote(each.path)) == _operation(path)]
        fitting = [each for each in fitting if each.streaming == streaming]
        best = max(
            fitting,
            key=lambda each: (
                unquote(each.path) == path,
                _has(each, feature) if feature else _is_plain(each),
                f"/{each.model}/" in re.sub("[:/]", "/", f"{path}/{received.body.get('model')}/"),
                sum(each.request.get(key) == value for key, value in received.body.items()),
            ),
            default=None,
        )
        self._answers += 1
        return best and _as_another_call(best, self._answers)


def _operation(path: str) -> str:
    """What a path asks for: the word after a colon, as Google writes it, or the last one."""
    return _MOVED.get(found := re.split(r"[/:]", path.rstrip("/"))[-1], found)


def _as_another_call(exchange: Exchange, number: int) -> Exchange:
    """The exchange under an id of its own: providers do not give one twice, and one id is booked once."""
    found = _ID.search(exchange.body)
    body = exchange.body.replace(found[1], f"{found[1]}-{number}") if found else exchange.body
    headers = exchange.headers | ({_REQUEST: f"request-{number}"} if _REQUEST in exchange.headers else {})
    return replace(exchange, body=body, headers=headers)


@cache
def _index() -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in json.loads((ROOT / "tests/recordings/index.json").read_text())}


def _has(exchange: Exchange, feature: str) -> bool:
    return feature in _index().get(exchange.id, {}).get("features", ())


def _is_plain(exchange: Exchange) -> bool:
    return not any(_has(exchange, each) for each in ("no_usage", "tools"))


def exchanges_of(adapter: str) -> list[Exchange]:
    """The recordings that the examples of an adapter are answered from; those that say what they used come first."""
    folders = RECORDED.get(adapter, (adapter,))
    found = [
        each
        for each in load_recordings(ROOT / "tests/recordings")
        if _index()[each.id]["file"].partition("/")[0] in folders
    ]
    return [*sorted(found, key=lambda each: _has(each, "no_usage")), *FILES.get(adapter, ())]


def _file(path: str, lines: list[object]) -> Exchange:
    return Exchange(
        id=path,
        provider="",
        api="files",
        model=None,
        streaming=False,
        path=path,
        request={},
        status=200,
        headers={"content-type": "application/json"},
        body="".join(json.dumps(line) + "\n" for line in lines),
    )


@contextmanager
def provider(adapter: str, folder: Path) -> Iterator[dict[str, str]]:
    """Run the provider's stand-in; gives the environment for a program that calls it. The ledger is folder/ledger."""
    with ProviderServer(exchanges_of(adapter)) as server:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("GENOPS_", "OTEL_"))}
        own = VARIABLES[adapter](server.url)
        if adapter == "watsonx":
            cert, key = certificate(folder)
            server.speak_tls(cert, key)
            own = {**own, "WX_CLIENT_VERIFY_REQUESTS": str(cert)}
        yield {**inherited, **own, "GENOPS_LEDGER_DIR": str(folder / "ledger"), "PYTHONUTF8": "1"}


# What has no recording: as the providers' references describe it.
_USAGE = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
_ANSWER = {
    "id": "answer-1",
    "created": 1767225600,
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Here."}, "finish_reason": "stop"},
    ],
    "usage": _USAGE,
}
_CHAT = {"id": "chatcmpl-b1", "object": "chat.completion", "model": "gpt-4o-mini", "choices": [], "usage": _USAGE}
_MESSAGE = {
    "id": "msg_b1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5",
    "content": [],
    "usage": {"input_tokens": 100, "output_tokens": 10},
}
_BATCH = "/v1/messages/batches/msgbatch_1"
_PROJECT = {"metadata": {"guid": "test"}, "entity": {"storage": {"type": "bmcos_object_storage"}}}
FILES: dict[str, tuple[Exchange, ...]] = {
    "watsonx": (
        _file("/v2/projects/test", [_PROJECT]),
        _file("/ml/v1/text/chat", [{"model_id": "ibm/granite-3-8b-instruct", **_ANSWER}]),
    ),
    "mistral": (
        _file("/v1/fim/completions", [{"object": "chat.completion", "model": "codestral-latest", **_ANSWER}]),
        _file(
            "/v1/ocr",
            [
                {
                    "pages": [{"index": 0, "markdown": "# Attention", "images": [], "dimensions": None}],
                    "model": "mistral-ocr-latest",
                    "usage_info": {"pages_processed": 15, "doc_size_bytes": 2215244},
                }
            ],
        ),
    ),
    "together": (
        _file(
            "/v1/embeddings",
            [
                {
                    "object": "list",
                    "model": "intfloat/multilingual-e5-large-instruct",
                    "data": [{"object": "embedding", "index": 0, "embedding": [0.1]}],
                    "usage": {"prompt_tokens": 7, "total_tokens": 7},
                }
            ],
        ),
    ),
    "openai": (
        _file(
            "/v1/files/file-1/content",
            [{"id": "batch_req_1", "custom_id": "a", "response": {"status_code": 200, "body": _CHAT}, "error": None}],
        ),
    ),
    "anthropic": (
        _file(_BATCH, [{"id": "msgbatch_1", "type": "message_batch", "results_url": f"{_BATCH}/results"}]),
        _file(
            f"{_BATCH}/results",
            [
                {"custom_id": "a", "result": {"type": "succeeded", "message": _MESSAGE}},
                {"custom_id": "b", "result": {"type": "expired"}},
            ],
        ),
    ),
}

"""An in-process transport for the real `openai` client: no socket, no network.

openai 3 is built on `httpx2`, earlier majors on `httpx`; the one that the installed client uses is taken.
"""

import asyncio
import importlib
from typing import Any

import fixtures as fx

__all__ = ["ORIGINAL", "capture_originals", "make_clients"]

ORIGINAL: dict[str, Any] = {}  # what openai had before a subject patched it


def http_library() -> Any:
    base = importlib.import_module("openai._base_client")
    return getattr(base, "httpx2", None) or getattr(base, "httpx", None) or importlib.import_module("httpx")


def make_transport() -> Any:
    http = http_library()

    class Events(http.SyncByteStream, http.AsyncByteStream):
        def __init__(self) -> None:
            self.events = fx.fresh_stream()

        def __iter__(self) -> Any:
            yield from self.events

        async def __aiter__(self) -> Any:
            for index, event in enumerate(self.events):
                if index % 10 == 0:
                    await asyncio.sleep(0)
                yield event

        def close(self) -> None: ...

        async def aclose(self) -> None: ...

    json_headers = {
        "content-type": "application/json",
        "x-request-id": "req_bench",
        "openai-processing-ms": "1",
        "openai-organization": "bench",
        "openai-version": "2020-10-01",
    }
    event_headers = json_headers | {"content-type": "text/event-stream; charset=utf-8"}

    def respond(request: Any, body: bytes) -> Any:
        if request.url.path.endswith("/embeddings"):
            return http.Response(200, headers=json_headers, content=fx.embedding(body))
        if b'"stream":true' in body:
            return http.Response(200, headers=event_headers, stream=Events())
        return http.Response(200, headers=json_headers, content=fx.fresh_chat())

    class Transport(http.BaseTransport, http.AsyncBaseTransport):
        def handle_request(self, request: Any) -> Any:
            return respond(request, request.read())

        async def handle_async_request(self, request: Any) -> Any:
            body = await request.aread()
            # two real suspensions, so that concurrent calls interleave as they do on a network
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return respond(request, body)

        def close(self) -> None: ...

        async def aclose(self) -> None: ...

    return Transport()


def make_clients(*, bare: bool = False) -> tuple[Any, Any]:
    """A sync and an async client. The bare ones keep what openai had at `capture_originals`, whatever is patched later."""
    import openai

    http = http_library()
    sync_class = ORIGINAL["OpenAI"] if bare else openai.OpenAI
    async_class = ORIGINAL["AsyncOpenAI"] if bare else openai.AsyncOpenAI
    # The real host, so that every subject takes it for OpenAI (and prices it so); the transport never goes there.
    options = {"api_key": "sk-bench", "max_retries": 0, "base_url": "https://api.openai.com/v1"}
    return (
        sync_class(http_client=http.Client(transport=make_transport()), **options),
        async_class(http_client=http.AsyncClient(transport=make_transport()), **options),
    )


def capture_originals() -> None:
    """Remember openai's own methods. Call it before any instrumentation is imported."""
    import openai
    from openai.resources.chat.completions import AsyncCompletions, Completions
    from openai.resources.embeddings import Embeddings

    ORIGINAL["chat"] = Completions.create
    ORIGINAL["achat"] = AsyncCompletions.create
    ORIGINAL["embed"] = Embeddings.create
    for name in ("OpenAI", "AsyncOpenAI"):
        base = getattr(openai, name)
        kept = ("request", "post", "_request", "_process_response")
        ORIGINAL[name] = type("Bare" + name, (base,), {key: getattr(base, key) for key in kept if hasattr(base, key)})

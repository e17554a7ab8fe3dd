"""Chunks: what a stream says about usage, read as it passes. The last value of a field wins; nothing is added up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from genops.core._guarding import never_raises
from genops.core.usage import Reading
from genops.providers._engine._paths import every, fields_of, get
from genops.providers._engine.reading import read, stream_fields

__all__ = ["StreamReader", "read_chunks"]

_NOTHING: Mapping[str, Any] = {}
_IDENTITY = ("id", "model", "responseId", "modelVersion", "service_tier")
# Where chunks of other shapes than OpenAI's keep what counts.
_RUNNING = frozenset({"usageMetadata", "usage_metadata", "x_groq", "candidates", "meta"})


class StreamReader:
    """Reads the chunks of one stream.

    `feed` looks at a chunk, a vendor object or its JSON, and says whether it is there for its usage alone; it never
    raises. `text_length` counts the characters of generated text and tool arguments. `on_first` is called at the first
    chunk.
    """

    __slots__ = ("_api", "_chunk", "_on_first", "_provider", "_request", "_state", "_usage", "text_length")

    def __init__(
        self,
        provider: str,
        api: str,
        request: Mapping[str, Any] | None = None,
        *,
        on_first: Callable[[], None] | None = None,
        chunk: str = "",
    ) -> None:
        self._provider = provider
        self._api = api
        self._request = request or _NOTHING
        self._on_first = on_first
        self._chunk = chunk
        self._state: dict[str, Any] = {}
        self._usage: Any = None
        self.text_length = 0

    @property
    def feed(self) -> Callable[[Any], bool | None]:
        """What looks at a chunk of this API. Ask once per stream."""
        if stream_fields(self._api) is not None:
            return self.feed_fields
        method: Callable[[Any], bool | None] = getattr(self, _FEEDS.get(self._api, "feed_chunk"))
        return method if not self._chunk else lambda event: method(get(event, self._chunk))

    @property
    def started(self) -> bool:
        """Whether there was a chunk."""
        return bool(self._state)

    def chunk_of(self, event: Any) -> Any:
        """The chunk that an event of the stream holds; nearly always the event itself."""
        if self._chunk:
            return get(event, self._chunk)
        return _payload_of(event) if self._api == "invoke_model" else event

    def finish(self) -> Reading:
        """Return what the stream said so far."""
        state = dict(self._state)
        if self._usage is not None:
            state["usage"] = self._usage
        return read(self._provider, self._api, state.get("response", state), self._request)

    def _begin(self, chunk: Any) -> None:
        if self._on_first is not None:
            self._on_first()
        self._state["id"] = None  # not the first any more, whatever it says
        for name in _IDENTITY:
            value = get(chunk, name)
            if value is not None:
                self._state[name] = value

    @never_raises
    def feed_chunk(self, chunk: Any) -> bool:
        """A chunk that carries choices; usage is in the last one, or in each as a running total.

        This runs for every piece of text of every stream: the usual chunk leaves by the first return.
        """
        if not self._state:
            self._begin(chunk)
        fields = chunk if type(chunk) is dict else chunk.__dict__
        choices = fields.get("choices")
        if choices:
            choice = choices[0]
            part = choice if type(choice) is dict else choice.__dict__
            delta = part.get("delta")
            if delta is not None:
                part = delta if type(delta) is dict else delta.__dict__
            text = part.get("content") or part.get("text") or part.get("reasoning_content") or part.get("reasoning")
            if text:
                self.text_length += len(text)
            elif part.get("tool_calls"):
                self._count_tool_calls(part["tool_calls"])
        usage = fields.get("usage")
        extra = fields if fields is chunk else getattr(chunk, "__pydantic_extra__", None)
        if usage is None and extra:
            usage = extra.get("usage")  # where LiteLLM puts it
        if usage is None and fields.get("x_groq") is None and (not extra or _RUNNING.isdisjoint(extra)):
            return False
        self._note(usage, fields_of(chunk))
        return usage is not None and not choices

    def _count_tool_calls(self, calls: Iterable[Any]) -> None:
        for call in calls:
            self.text_length += len(get(get(call, "function"), "arguments") or "")

    def _note(self, usage: Any, fields: Mapping[str, Any]) -> None:
        if usage is not None:
            self._usage = usage
            self._state["service_tier"] = fields.get("service_tier") or self._state.get("service_tier")
            return
        for name in _RUNNING:
            if fields.get(name) is not None:
                self._state[name] = fields[name]

    @never_raises
    def feed_fields(self, event: Any) -> bool:
        """A chunk of an API whose chunks are described in spec/usage: the last value of a field wins, zero never."""
        chunk = self.chunk_of(event)
        described = stream_fields(self._api)
        assert described is not None  # or this would not be called
        if not self._state:
            self._begin(chunk)
        state = self._state
        for name, paths in described.fields:
            found = None
            for path in paths:
                if told := every(chunk, path):
                    found = told[0]
                    break
            if found or name not in state:
                state[name] = found
        for name, paths in described.lists:
            for path in paths:
                if told := every(chunk, path):
                    state.setdefault(name, []).extend(told)
        for path in described.texts:
            for text in every(chunk, path):
                if isinstance(text, str):
                    self.text_length += len(text)
        return False

    @never_raises
    def feed_event(self, event: Any) -> bool:
        """An event of the Responses API: the last one that carries the response has the usage."""
        if not self._state:
            self._begin(event)
        response = get(event, "response")
        if response is not None:
            self._state["response"] = response
            return False
        delta = get(event, "delta")
        if isinstance(delta, str):
            self.text_length += len(delta)
        return False

    @never_raises
    def feed_message(self, event: Any) -> bool:
        """An event of Anthropic's: usage at the start, cumulative fields over it at the end."""
        if not self._state:
            self._begin(event)
        kind = get(event, "type")
        if kind == "content_block_delta":
            delta = get(event, "delta")
            text = get(delta, "text") or get(delta, "partial_json") or get(delta, "thinking")
            self.text_length += len(text) if text else 0
        elif kind == "message_start":
            message = get(event, "message")
            self._state.update({name: get(message, name) for name in ("id", "model")})
            self._merge_usage(get(message, "usage"))
        elif kind == "message_delta":
            self._merge_usage(get(event, "usage"))
        return False

    def _merge_usage(self, usage: Any) -> None:
        stated = {name: value for name, value in (fields_of(usage) or _NOTHING).items() if value is not None}
        self._usage = {**(self._usage or {}), **stated}


def _payload_of(event: Any) -> Any:
    """The JSON inside an event of Bedrock's streams of models."""
    content = get(get(event, "chunk"), "bytes")
    return json.loads(content) if content else event


_FEEDS = {"responses": "feed_event", "messages": "feed_message"}


def read_chunks(provider: str, api: str, chunks: Iterable[Any], request: Mapping[str, Any] | None = None) -> Reading:
    """Return what a whole stream says about itself."""
    reader = StreamReader(provider, api, request)
    feed = reader.feed
    for chunk in chunks:
        feed(chunk)
    return reader.finish()

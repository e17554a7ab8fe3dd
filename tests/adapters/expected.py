"""What each provider's answer says was consumed, written down again by hand from the providers' documentation.

It reads the recorded bytes and shares no code with the SDK: input tokens in all, those among them that were read from a
cache and written to one, output tokens in all, and search units. None where the answer states nothing.
"""

from __future__ import annotations

import json
import struct
from typing import Any, NamedTuple

from genops.testing.replay import Exchange

__all__ = ["Consumed", "consumed"]


class Consumed(NamedTuple):
    input: int
    cached: int = 0
    written: int = 0
    output: int = 0
    searches: int = 0


def consumed(exchange: Exchange) -> Consumed | None:
    """What the body of an answer states."""
    events = _events(exchange)
    reader = _READERS.get((exchange.provider, exchange.api)) or _READERS.get(("", exchange.api))
    return reader(events, exchange) if reader is not None and events else None


def _events(exchange: Exchange) -> list[dict[str, Any]]:
    if exchange.content is not None:
        return [_event_of(message) for message in exchange.events()]
    if not exchange.streaming:
        return [json.loads(exchange.body)]
    lines = (line.removeprefix("data:").strip() for line in exchange.body.splitlines())
    return [json.loads(line) for line in lines if line.startswith("{")]


def _event_of(message: bytes) -> dict[str, Any]:
    """The payload of one message of Amazon's event stream, unwrapped."""
    (headers,) = struct.unpack(">I", message[4:8])
    payload = json.loads(message[12 + headers : -4])
    if "bytes" in payload:
        import base64

        return dict(json.loads(base64.b64decode(payload["bytes"])))
    return dict(payload)


def _last(events: list[dict[str, Any]], *names: str) -> dict[str, Any]:
    """The last event that has the first of `names`, followed along them."""
    for event in reversed(events):
        value: Any = event
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        if value:
            return dict(value)
    return {}


def _openai(events: list[dict[str, Any]], exchange: Exchange) -> Consumed | None:
    usage = _last(events, "usage") or _last(events, "x_groq", "usage") or _last(events, "response", "usage")
    if not usage:
        return None
    total = usage.get("prompt_tokens", usage.get("input_tokens", usage.get("total_tokens", 0)))
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    cached = details.get("cached_tokens") or usage.get("cached_tokens") or usage.get("prompt_cache_hit_tokens") or 0
    output = usage.get("completion_tokens", usage.get("output_tokens", 0))
    if exchange.api == "embeddings":
        output = 0
    stated = usage.get("total_tokens")
    reasoning = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    if stated == total + output + reasoning:  # xAI counts reasoning on top
        output += reasoning
    return Consumed(total, cached, details.get("cache_write_tokens") or 0, output)


def _anthropic(events: list[dict[str, Any]], exchange: Exchange) -> Consumed | None:
    usage: dict[str, Any] = {}
    for event in events:
        stated = (event.get("message") or {}).get("usage") or event.get("usage") or {}
        usage |= {name: value for name, value in stated.items() if value is not None}
    if not usage:
        return None
    cached, written = usage.get("cache_read_input_tokens", 0), usage.get("cache_creation_input_tokens", 0)
    return Consumed(usage["input_tokens"] + cached + written, cached, written, usage["output_tokens"])


def _gemini(events: list[dict[str, Any]], exchange: Exchange) -> Consumed | None:
    usage = _last(events, "usageMetadata")
    if not usage:
        return None
    given = usage.get("promptTokenCount", 0) + usage.get("toolUsePromptTokenCount", 0)
    output = usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0)
    return Consumed(given, usage.get("cachedContentTokenCount", 0), 0, output)


def _interactions(events: list[dict[str, Any]], exchange: Exchange) -> Consumed | None:
    usage = _last(events, "interaction", "usage") or _last(events, "usage")
    if not usage:
        return None
    given = usage.get("total_input_tokens", 0) + usage.get("total_tool_use_tokens", 0)
    output = usage.get("total_output_tokens", 0) + usage.get("total_thought_tokens", 0)
    return Consumed(given, usage.get("total_cached_tokens", 0), 0, output)


def _converse(events: list[dict[str, Any]], exchange: Exchange) -> Consumed | None:
    usage = _last(events, "usage")
    if not usage:
        return None
    cached, written = usage.get("cacheReadInputTokens", 0), usage.get("cacheWriteInputTokens", 0)
    return Consumed(usage["inputTokens"] + cached + written, cached, written, usage["outputTokens"])


def _invoke_model(events: list[dict[str, Any]], exchange: Exchange) -> Consumed | None:
    metrics = _last(events, "amazon-bedrock-invocationMetrics")
    if metrics:
        cached, written = metrics.get("cacheReadInputTokenCount", 0), metrics.get("cacheWriteInputTokenCount", 0)
        return Consumed(
            metrics["inputTokenCount"] + cached + written, cached, written, metrics.get("outputTokenCount", 0)
        )
    if "rerank" in exchange.path:
        return Consumed(0, searches=-(-len(exchange.request["documents"]) // 100))
    prefix, suffix = "x-amzn-bedrock-", "-token-count"
    stated = {
        name.removeprefix(prefix).removesuffix(suffix): int(value)
        for name, value in exchange.headers.items()
        if name.startswith(prefix) and name.endswith(suffix)
    }
    if not stated:
        return None
    cached, written = stated.get("cache-read-input", 0), stated.get("cache-write-input", 0)
    return Consumed(stated["input"] + cached + written, cached, written, stated["output"])


def _cohere(events: list[dict[str, Any]], exchange: Exchange) -> Consumed | None:
    paths = (("meta",), ("usage",), ("delta", "usage"), ("response", "meta"))
    billed = next(filter(None, (_last(events, *path, "billed_units") for path in paths)), None)
    if billed is None:
        return None
    return Consumed(
        int(billed.get("input_tokens", 0)),
        output=int(billed.get("output_tokens", 0)),
        searches=int(billed.get("search_units", 0)),
    )


def _ollama(events: list[dict[str, Any]], exchange: Exchange) -> Consumed | None:
    last = events[-1]
    if "eval_count" not in last:
        return _openai(events, exchange) if "usage" in last else None
    return Consumed(last.get("prompt_eval_count", 0), output=last["eval_count"])


def _watsonx(events: list[dict[str, Any]], exchange: Exchange) -> Consumed | None:
    given = max(event["results"][0].get("input_token_count", 0) for event in events)
    return Consumed(given, output=max(event["results"][0]["generated_token_count"] for event in events))


_READERS = {
    **{
        ("", api): _openai
        for api in ("chat", "responses", "completions", "embeddings", "images", "moderations", "transcription")
    },
    ("anthropic", "messages"): _anthropic,
    **{("", api): _gemini for api in ("generateContent", "streamGenerateContent", "embedContent")},
    ("", "batchEmbedContents"): _gemini,
    ("", "interactions"): _interactions,
    ("", "converse"): _converse,
    ("", "converse_stream"): _converse,
    ("", "invoke_model"): _invoke_model,
    ("", "invoke_model_stream"): _invoke_model,
    **{("cohere", api): _cohere for api in ("chat_v1", "chat_v2", "embeddings", "generate", "rerank")},
    **{("ollama", api): _ollama for api in ("chat", "generate", "embeddings")},
    ("", "ml_v1-beta_generation_text"): _watsonx,
    ("", "ml_v1-beta_generation_text_stream"): _watsonx,
}

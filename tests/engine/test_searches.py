"""Searches that an answer was made with: each has a price, and no vendor counts them among the tokens."""

from __future__ import annotations

from typing import Any

import pytest

from genops.providers._engine.chunks import StreamReader
from genops.providers._engine.reading import read

GROUNDED = {"content": {"parts": [{"text": "!"}]}, "groundingMetadata": {"webSearchQueries": ["a", "b", "a", ""]}}
SUPPORTED = {
    "groundingMetadata": {"groundingChunks": [{"web": {"uri": "https://example.com"}}]},
    "finishReason": "STOP",
}
USED = {"promptTokenCount": 3, "candidatesTokenCount": 2}
_USAGE: dict[str, Any] = {"usageMetadata": USED}


def _gemini(model: str, *candidates: dict[str, Any]) -> Any:
    """What is read of a stream with a chunk for each candidate."""
    reader = StreamReader("gcp.gemini", "streamGenerateContent")
    for candidate in candidates:
        reader.feed({"modelVersion": model, "candidates": [candidate], "usageMetadata": USED})
    return reader.finish()


@pytest.mark.parametrize(("model", "searches"), [("gemini-3-pro", 2), ("gemini-2.5-pro", 1)])
def test_searches_of_a_streamed_gemini_answer_are_counted_as_those_of_a_whole_one(model: str, searches: int) -> None:
    """Also when another chunk comes after the one that tells what was searched for."""
    streamed = _gemini(model, {"content": {"parts": [{"text": "hi"}]}}, GROUNDED, SUPPORTED)
    whole = read("gcp.gemini", "generateContent", {"modelVersion": model, "candidates": [GROUNDED]} | _USAGE, {})

    assert streamed.usage.quantities == {"input": 3, "output": 2, "web_searches": searches}
    assert whole.usage.quantities == streamed.usage.quantities


@pytest.mark.parametrize("model", ["gemini-3-pro", "gemini-2.5-pro"])
def test_a_page_that_the_prompt_names_is_no_search(model: str) -> None:
    """Reading it is billed by its tokens."""
    streamed = _gemini(model, SUPPORTED)
    whole = read("gcp.gemini", "generateContent", {"modelVersion": model, "candidates": [SUPPORTED]} | _USAGE, {})

    assert [{"input": 3, "output": 2}] * 2 == [streamed.usage.quantities, whole.usage.quantities]


def test_suggestions_to_search_for_are_a_search() -> None:
    """Google: an answer with search suggestions is a grounded result."""
    candidate = {"groundingMetadata": {"searchEntryPoint": {"renderedContent": "<div/>"}}}

    assert 1 == _gemini("gemini-2.5-pro", candidate).usage.quantities["web_searches"]


def test_a_stream_without_searches_has_none() -> None:
    """Text alone is text alone."""
    assert {"input": 3, "output": 2} == _gemini(
        "gemini-3-pro", {"content": {"parts": [{"text": "hi"}]}}
    ).usage.quantities


@pytest.mark.parametrize(
    ("api", "model", "tools", "meter"),
    [
        ("responses", "gpt-4o", [{"type": "web_search"}], "web_searches"),
        ("responses", "gpt-4o", [{"type": "function"}, {"type": "web_search_preview"}], "web_searches_preview"),
        ("responses", "gpt-4o", [{"type": "web_search_preview_2025_03_11"}], "web_searches_preview"),
        ("chat_completions", "gpt-4o-mini-search-preview-2025-03-11", None, "web_searches_preview"),
        ("chat_completions", "gpt-5-search-api", None, "web_searches"),
        ("chat_completions", "gpt-4o", None, None),
    ],
)
def test_searches_of_openai(api: str, model: str, tools: list[Any] | None, meter: str | None) -> None:
    """Those of the older tool have another price; search models make one for every request and do not say so."""
    used = {"input_tokens": 3, "output_tokens": 2, "prompt_tokens": 3, "completion_tokens": 2}
    response = {"model": model, "usage": used, "output": [{"type": "web_search_call"}]}
    usage = read("openai", api, response, {"model": model, "tools": tools}).usage

    assert usage is not None
    assert {"input": 3, "output": 2} | ({meter: 1} if meter else {}) == usage.quantities


def test_a_search_model_elsewhere_states_its_own_cost() -> None:
    """OpenRouter's answer has the whole price in it."""
    response = {"model": "openai/gpt-4o-search-preview", "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    usage = read("openrouter", "chat_completions", response, {}).usage

    assert usage is not None
    assert {"input": 3, "output": 2} == usage.quantities


@pytest.mark.parametrize(("model", "searches"), [("gemini-3-pro", 3), ("gemini-2.5-pro", 1)])
def test_searches_of_an_interaction(model: str, searches: int) -> None:
    """Its usage counts them; those on maps have a meter of their own."""
    counts = [
        {"type": "google_search", "count": 2},
        {"type": "google_maps", "count": 1},
        {"type": "google_search", "count": 1},
    ]
    used = {"total_input_tokens": 3, "total_output_tokens": 2, "grounding_tool_count": counts}
    usage = read("gcp.gemini", "interactions", {"model": model, "usage": used}, {}).usage

    assert usage is not None
    assert {"input": 3, "output": 2, "web_searches": searches, "maps_searches": 1} == usage.quantities

"""What a stream says about usage, read as it passes."""

from __future__ import annotations

from typing import Any

import pytest

from genops.providers._engine._paths import every
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
    ("value", "path", "found"),
    [
        ({"a": {"b": 1}}, "a.b", [1]),
        ({"a": [{"b": 1}, {}, {"b": None}, {"b": 2}]}, "a.b", [1, 2]),
        ({"a": [{"b": [{"c": 1}, {"c": 2}]}, {"b": [{"c": 3}]}]}, "a.b.c", [1, 2, 3]),
        ({"a": [{"b": [1, [2, 3]]}]}, "a.b", [1, 2, 3]),
        ([{"a": 1}], "a", [1]),
        ({"a": 0}, "a", [0]),
        ({"a": []}, "a.b", []),
        ({}, "a.b", []),
        (None, "a", []),
    ],
)
def test_lists_on_the_way_are_gone_through(value: Any, path: str, found: list[Any]) -> None:
    """What is at the end of a path, in the order in which it stands there."""
    assert found == list(every(value, path.split(".")))

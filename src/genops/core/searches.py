"""Searches that a vendor's own tools make for a request. Each has a fee, beside the tokens of what it found.

How many a model makes is its own choice: a request may limit them, and the answer says how many there were.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from genops.core.content import get

__all__ = ["NONE", "Searches", "implied_search", "search_meter", "searches_of"]

_OPENAI = frozenset({"openai", "azure.ai.openai"})
_UNSTATED = 10  # reserved for where the request sets no limit
_SEARCH, _PREVIEW = "web_searches", "web_searches_preview"
_TYPES = ("web_search", "google_search")
_GOOGLE = ("google_search", "googleSearch", "google_search_retrieval", "googleSearchRetrieval")


class Searches(NamedTuple):
    """The most searches that a request is reserved for, and the meter that counts them."""

    meter: str
    most: int


NONE = Searches(_SEARCH, 0)


def searches_of(provider: str, request: Mapping[str, Any]) -> Searches:
    """What a request may search for; `most` is 0 without a tool for it.

    An unlimited tool counts as ten. Gemini up to 2.5 has one fee for a prompt, however many searches it takes.
    """
    model = str(request.get("model") or "")
    if "tools" not in request and "config" not in request and "-search-" not in model:
        return NONE
    implied = implied_search(provider, model)
    if implied is not None:
        return Searches(implied, 1)
    limits = [_limit(tool, request) for tool in _tools(request) if _is_search(tool)]
    if not limits:
        return NONE
    once = any(part in model for part in ("gemini-1", "gemini-2"))
    return Searches(search_meter(request), 1 if once else sum(limits))


def search_meter(request: Mapping[str, Any]) -> str:
    """The meter of the searches of a request: OpenAI's older tool has a price of its own."""
    preview = any(str(get(tool, "type")).startswith("web_search_preview") for tool in _tools(request))
    return _PREVIEW if preview else _SEARCH


def implied_search(provider: str, model: str) -> str | None:
    """The meter of the search that OpenAI's search models make for every request of Chat Completions, and do not state.

    Source: OpenAI, "Web search", Chat Completions, and its price list.
    """
    if "-search-" not in model or provider not in _OPENAI:
        return None
    if "-search-preview" in model:
        return _PREVIEW
    return _SEARCH if "-search-api" in model else None


def _tools(request: Mapping[str, Any]) -> Iterator[Any]:
    for tools in (request.get("tools"), get(request.get("config"), "tools")):
        if isinstance(tools, list | tuple):
            yield from tools


def _is_search(tool: Any) -> bool:
    return str(get(tool, "type")).startswith(_TYPES) or any(get(tool, name) is not None for name in _GOOGLE)


def _limit(tool: Any, request: Mapping[str, Any]) -> int:
    """What the tool (Anthropic) or the request (OpenAI) states."""
    for stated in (get(tool, "max_uses"), request.get("max_tool_calls")):
        if isinstance(stated, int) and stated >= 0:
            return stated
    return _UNSTATED

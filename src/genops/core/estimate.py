"""Estimates: how many tokens a request may take, without a tokenizer.

Used for the reservation before a call, and for a call whose provider states no usage; such an entry says `estimated`.
English prose comes out within about 15 % of GPT and Claude tokenizers, code and JSON up to 30 % low, CJK within 30 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["estimate_input", "estimate_tokens", "generated_characters", "output_bound", "tokens_of_characters"]

_CHARACTERS_PER_TOKEN = 4  # Latin text; OpenAI's and Anthropic's guidance
_TEXT_LIMIT = 400_000  # characters looked at for their class; the rest is taken to be like them
_IMAGES = frozenset({"image_url", "image", "input_image"})
_IMAGE_TOKENS = 1_000  # an image part: between 85 (low detail) and about 1,600 tokens at the large providers
_MESSAGE_TOKENS = 4  # role and separators
_PAYLOADS = ("messages", "input", "prompt", "system", "instructions", "tools", "contents", "response_format")
_BOUNDS = ("max_completion_tokens", "max_output_tokens", "max_tokens")
_DEPTH = 12


def tokens_of_characters(characters: int) -> int:
    """Tokens of text of which only the length is known."""
    return -(-characters // _CHARACTERS_PER_TOKEN)


def estimate_tokens(text: str) -> int:
    """Tokens of a text: a quarter of its ASCII characters and one for every other character."""
    if text.isascii():
        return tokens_of_characters(len(text))
    head = text[:_TEXT_LIMIT]
    ascii_count = len(head.encode("ascii", "ignore"))
    tokens = tokens_of_characters(ascii_count) + len(head) - ascii_count
    return tokens if len(text) <= _TEXT_LIMIT else tokens * len(text) // _TEXT_LIMIT


def estimate_input(request: Mapping[str, Any]) -> int:
    """Tokens of everything in a request that goes to the model. Iterators are not consumed and count nothing."""
    tokens = 0
    for name in _PAYLOADS:
        if name in request:
            tokens += _tokens(request[name], 0)
    return tokens


def _tokens(value: Any, depth: int) -> int:
    if isinstance(value, str):
        return -(-len(value) // _CHARACTERS_PER_TOKEN) if value.isascii() else estimate_tokens(value)
    if depth > _DEPTH or value is None or isinstance(value, int | float | bytes):
        return 0
    if isinstance(value, dict):
        return _tokens_of_part(value, depth)
    if isinstance(value, list | tuple):
        if value and isinstance(value[0], int):
            return len(value)  # already tokens
        tokens = 0
        for item in value:
            tokens += _tokens(item, depth + 1)
        return tokens
    if isinstance(value, Mapping):
        return _tokens_of_part(value, depth)
    fields = getattr(value, "__dict__", None)  # a vendor object: an earlier answer given back
    return _tokens(fields, depth + 1) if isinstance(fields, dict) else 0


def _tokens_of_part(part: Mapping[str, Any], depth: int) -> int:
    kind = part.get("type")  # in the schema of a tool it may be a list
    if isinstance(kind, str) and kind in _IMAGES:
        return _IMAGE_TOKENS
    tokens = _MESSAGE_TOKENS if "role" in part else 0
    for key, item in part.items():
        if key != "role" and key != "type":
            tokens += _tokens(item, depth + 1)
    return tokens


def output_bound(request: Mapping[str, Any]) -> int | None:
    """The most output tokens the request allows, over all its choices; None if it states no limit."""
    for name in _BOUNDS:
        bound = request.get(name)
        if isinstance(bound, int) and not isinstance(bound, bool):
            choices = request.get("n")
            return bound * choices if isinstance(choices, int) and choices > 1 else bound
    return None


def generated_characters(response: Any) -> int:
    """Characters of the text in a response, for one that states no usage."""
    choices = _get(response, "choices")
    if isinstance(choices, list):
        return sum(
            _length(_get(_get(choice, "message"), "content")) + _length(_get(choice, "text")) for choice in choices
        )
    content = _get(response, "content")
    if isinstance(content, list):
        return sum(_length(_get(block, "text")) for block in content)
    return _length(_get(response, "output_text"))


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)


def _length(text: Any) -> int:
    return len(text) if isinstance(text, str) else 0

"""Content: prompts and answers in the form of OpenTelemetry's messages, for those who turn it on.

Text, tool calls and tool results are kept; of images, audio and files only that they are there.

Source: OpenTelemetry semantic conventions for generative AI, "gen_ai.input.messages" and "gen_ai.output.messages".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["CONTENT_ARGUMENTS", "Answer", "input_messages", "iterators_as_lists", "output_messages"]

CONTENT_ARGUMENTS = (
    *("system", "instructions", "messages", "input", "prompt", "contents", "message", "chat_history", "inputText"),
    *("query", "documents", "texts", "text", "inputs"),
)
"""The arguments of a request that hold content, with any provider."""
_INSTRUCTIONS = frozenset({"system", "instructions"})
_TEXTS = frozenset({"text", "input_text", "output_text", "refusal", "thinking", "reasoning", "summary_text"})
_CALLS = frozenset({"function", "function_call", "tool_use", "tool_call"})
_RESULTS = frozenset({"function_call_output", "tool_result"})
_DEPTH = 6

Message = dict[str, Any]


def get(value: Any, name: str) -> Any:
    """A key of a mapping or an attribute of an object; None if there is none."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def iterators_as_lists(request: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that hold content in an iterator, which can be read once, as lists to be sent in their place."""
    return {name: list(request[name]) for name in CONTENT_ARGUMENTS if hasattr(request.get(name), "__next__")}


def input_messages(request: Mapping[str, Any]) -> list[Message]:
    """The messages of a request; a bare text is one of the user."""
    found: list[Message] = []
    for name in CONTENT_ARGUMENTS:
        given = request.get(name)
        role = "system" if name in _INSTRUCTIONS else "user"
        if isinstance(given, str):
            found.append(_message(role, given))
        elif isinstance(given, list | tuple):
            whole = name in _INSTRUCTIONS
            found.extend([_message(role, given)] if whole else (_of_turn(each, role) for each in given))
    return found


def output_messages(response: Any) -> list[Message]:
    """The messages of an answer, of any of the shapes that providers use."""
    for name in ("choices", "candidates", "generations"):
        choices = get(response, name)
        if isinstance(choices, list):
            return [_of_turn(_turn_of(choice), "assistant") for choice in choices]
    output = get(response, "output")
    if isinstance(output, list):
        return [_of_turn(item, "assistant") for item in output]
    turn = get(response, "message") or get(output, "message")
    if turn is not None and not isinstance(turn, str):
        return [_of_turn(turn, "assistant")]
    results = get(response, "results")
    if isinstance(results, list):
        return [_message("assistant", get(each, "generated_text") or get(each, "outputText")) for each in results]
    found = (get(response, name) for name in ("content", "text", "response", "generation", "completion"))
    content = next(filter(None, found), None)
    return [_message("assistant", content)] if isinstance(content, str | list) else []


def _turn_of(choice: Any) -> Any:
    """The turn that a choice holds: Gemini calls it its content."""
    content = get(choice, "content")
    return get(choice, "message") or (content if content is not None and not isinstance(content, str) else choice)


def _of_turn(turn: Any, role: str) -> Message:
    if isinstance(turn, str):
        return _message(role, turn)
    given = get(turn, "role")
    kind = get(turn, "type")
    content = get(turn, "content")
    if content is None:
        content = get(turn, "parts") or get(turn, "text") or ([turn] if isinstance(kind, str) else None)
    message = _message(given if isinstance(given, str) else role, content)
    for call in _items(get(turn, "tool_calls")):
        message["parts"].append(_part(call, 0))
    return message


def _message(role: str, content: Any) -> Message:
    parts = [_part(each, 0) for each in ([content] if isinstance(content, str | Mapping) else _items(content))]
    return {"role": role, "parts": parts}


def _items(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else ()


def _part(part: Any, depth: int) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "content": part}
    kind = get(part, "type")
    text = get(part, "text") or get(part, "thinking") or get(part, "refusal")
    if isinstance(text, str) and (kind is None or kind in _TEXTS):
        return {"type": "reasoning" if kind in ("thinking", "reasoning") else "text", "content": text}
    if kind in _CALLS:
        function = get(part, "function") or part
        arguments = get(function, "arguments")
        called = {"type": "tool_call", "id": get(part, "id") or get(part, "call_id"), "name": get(function, "name")}
        return called | {"arguments": get(part, "input") if arguments is None else arguments}
    if kind in _RESULTS:
        result = get(part, "output") or get(part, "content")
        if not isinstance(result, str) and depth < _DEPTH:
            result = [_part(each, depth + 1) for each in _items(result)]
        identity = get(part, "tool_use_id") or get(part, "call_id")
        return {"type": "tool_call_response", "id": identity, "response": result}
    return {"type": kind if isinstance(kind, str) else "other"}


class Answer:
    """The text of a streamed answer, put together as it passes."""

    __slots__ = ("_pieces", "_whole")

    def __init__(self) -> None:
        self._pieces: dict[Any, list[str]] = {}
        self._whole: Any = None

    def see(self, chunk: Any) -> None:
        """Take what a chunk of any provider adds."""
        response = get(chunk, "response")
        if response is not None and get(response, "output"):
            self._whole = response  # of the Responses API: the last event has it all
            return
        for choice in _items(get(chunk, "choices")):
            delta = get(choice, "delta")
            self._add(get(choice, "index"), get(delta, "content") or get(choice, "text"))
        for candidate in _items(get(chunk, "candidates")):
            for part in _items(get(get(candidate, "content"), "parts")):
                self._add(get(candidate, "index"), get(part, "text"))
        delta = get(get(chunk, "contentBlockDelta") or chunk, "delta")
        content = get(get(delta, "message"), "content")
        self._add(get(chunk, "index"), delta if isinstance(delta, str) else get(delta, "text") or get(content, "text"))
        self._add(None, get(get(chunk, "message"), "content") or get(chunk, "response") or get(chunk, "outputText"))

    def _add(self, place: Any, text: Any) -> None:
        if isinstance(text, str) and text:
            self._pieces.setdefault(place, []).append(text)

    def messages(self) -> list[Message]:
        """The messages so far."""
        if self._whole is not None:
            return output_messages(self._whole)
        return [_message("assistant", "".join(pieces)) for pieces in self._pieces.values()]

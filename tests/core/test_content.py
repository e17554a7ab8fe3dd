"""Content: prompts and answers of every shape, as OpenTelemetry's messages."""

from __future__ import annotations

from genops.core.content import Answer, input_messages, iterators_as_lists, output_messages


def text(content: str) -> dict[str, str]:
    return {"type": "text", "content": content}


def test_request_of_chat() -> None:
    """Roles, parts, tool calls and tool results; of an image only that it is there."""
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"at": "Ulm"}'}}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    request = {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "What is this?"}, image]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
        ]
    }

    assert [
        {"role": "system", "parts": [text("Be brief.")]},
        {"role": "user", "parts": [text("What is this?"), {"type": "image_url"}]},
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": '{"at": "Ulm"}'}],
        },
    ] == input_messages(request)


def test_request_of_anthropic() -> None:
    """The system prompt is an argument of its own; tool use and its result are parts."""
    request = {
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "t1", "name": "weather", "input": {"at": "Ulm"}}],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "rain"}]},
                ],
            },
        ],
    }

    assert [
        {"role": "system", "parts": [text("Be brief.")]},
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "t1", "name": "weather", "arguments": {"at": "Ulm"}}],
        },
        {"role": "user", "parts": [{"type": "tool_call_response", "id": "t1", "response": [text("rain")]}]},
    ] == input_messages(request)


def test_request_of_responses() -> None:
    """Instructions, a bare text, items of their own type."""
    assert [
        {"role": "system", "parts": [text("Be brief.")]},
        {"role": "user", "parts": [text("hello")]},
    ] == input_messages({"instructions": "Be brief.", "input": "hello"})
    assert [
        {"role": "user", "parts": [text("hi")]},
        {"role": "user", "parts": [{"type": "tool_call_response", "id": "c1", "response": "rain"}]},
    ] == input_messages({"input": ["hi", {"type": "function_call_output", "call_id": "c1", "output": "rain"}]})


def test_answers_of_each_shape() -> None:
    """Choices, output items, content blocks; thinking is reasoning."""
    chat = {"choices": [{"message": {"role": "assistant", "content": "hi"}}]}
    responses = {
        "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]}]
    }
    anthropic = {"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "hi"}]}

    hello = [{"role": "assistant", "parts": [text("hi")]}]
    assert hello == output_messages(chat) == output_messages(responses)
    assert [{"type": "reasoning", "content": "hm"}, text("hi")] == output_messages(anthropic)[0]["parts"]
    assert [] == output_messages({"data": []})


def test_stream_is_put_together_by_place() -> None:
    """Two choices of chat; blocks of Anthropic; the last event of Responses says it all."""
    chat = Answer()
    for index, piece in ((0, "he"), (1, "yo"), (0, "llo")):
        chat.see({"choices": [{"index": index, "delta": {"content": piece}}]})
    assert [[text("hello")], [text("yo")]] == [each["parts"] for each in chat.messages()]
    blocks = Answer()
    blocks.see({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}})
    assert [[text("hi")]] == [each["parts"] for each in blocks.messages()]
    events = Answer()
    events.see({"type": "response.output_text.delta", "output_index": 0, "delta": "h"})
    events.see({"response": {"output": [{"type": "message", "content": [{"type": "output_text", "text": "hi"}]}]}})
    assert [[text("hi")]] == [each["parts"] for each in events.messages()]


def test_iterators_become_lists_once() -> None:
    """What can be read once is read once; a list stays as it is."""
    assert {"messages": [1, 2]} == iterators_as_lists({"messages": iter([1, 2]), "input": ["x"], "model": "m"})

"""Raw and streamed HTTP responses: metered in whatever way the application reads them, or when it does not."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

from genops.core.ledger import Outcome
from genops.testing.capture import Captured
from genops.testing.replay import Exchange, ReplayServer

SAY: list[Any] = [{"role": "user", "content": "hello"}]
CHAT, STREAM = "openai-chat-once-0b39ae08eb", "openai-chat-stream-2466337cc2"
SPEECH = b"ID3 a little sound"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def _answer(path: str, body: str, kind: str = "application/json") -> Exchange:
    return Exchange(
        id=path,
        provider="openai",
        api="any",
        model=None,
        streaming=False,
        path=path,
        request={},
        status=200,
        headers={"content-type": kind},
        body=body,
    )


@pytest.fixture
def played(server: ReplayServer, recordings: dict[str, Exchange]) -> ReplayServer:
    server.play(
        recordings[CHAT],
        recordings[STREAM],
        _answer("/v1/audio/speech", SPEECH.decode(), "audio/mpeg"),
        _answer("/v1/audio/transcriptions", '{"text": "hi", "usage": {"type": "duration", "seconds": 60}}'),
    )
    return server


@pytest.fixture
def client(played: ReplayServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="test", base_url=f"{played.url}/v1", max_retries=0) as made:
        yield made


@pytest.fixture
def expected(recordings: dict[str, Exchange]) -> tuple[int, int]:
    usage = json.loads(recordings[CHAT].body)["usage"]
    return usage["prompt_tokens"], usage["completion_tokens"]


WAYS: dict[str, Callable[[Any], object]] = {
    "parse": lambda response: response.parse(),
    "read": lambda response: response.read(),
    "text": lambda response: response.text(),
    "json": lambda response: response.json(),
    "iter_bytes": lambda response: list(response.iter_bytes(11)),
    "iter_text": lambda response: list(response.iter_text()),
    "iter_lines": lambda response: list(response.iter_lines()),
    "twice": lambda response: (response.read(), response.parse(), response.json()),
}


@pytest.mark.parametrize("way", WAYS)
def test_streamed_response_is_booked_however_it_is_read(
    way: str, client: openai.OpenAI, captured: Captured, expected: tuple[int, int]
) -> None:
    """The vendor's counts, once."""
    with client.chat.completions.with_streaming_response.create(model="gpt-5.4-mini", messages=SAY) as response:
        assert WAYS[way](response)

    assert ("priced", *expected) == (
        captured.entry.cost_status,
        captured.entry.input_tokens,
        captured.entry.output_tokens,
    )


AWAYS: dict[str, Callable[[Any], Any]] = {
    "parse": lambda response: response.parse(),
    "read": lambda response: response.read(),
    "json": lambda response: response.json(),
    "iter_lines": lambda response: _all(response.iter_lines()),
    "iter_bytes": lambda response: _all(response.iter_bytes()),
}


async def _all(pieces: Any) -> list[Any]:
    return [piece async for piece in pieces]


@pytest.mark.parametrize("way", AWAYS)
async def test_async_streamed_response_is_booked_however_it_is_read(
    way: str, played: ReplayServer, captured: Captured, expected: tuple[int, int]
) -> None:
    """The same on the async client."""
    async with (
        openai.AsyncOpenAI(api_key="test", base_url=f"{played.url}/v1", max_retries=0) as client,
        client.chat.completions.with_streaming_response.create(model="gpt-5.4-mini", messages=SAY) as response,
    ):
        assert await AWAYS[way](response)

    assert ("priced", *expected) == (
        captured.entry.cost_status,
        captured.entry.input_tokens,
        captured.entry.output_tokens,
    )


def test_streamed_response_that_is_not_read_is_an_estimate(client: openai.OpenAI, captured: Captured) -> None:
    """The request was sent and may be billed: its input is estimated."""
    with client.chat.completions.with_streaming_response.create(model="gpt-5.4-mini", messages=SAY):
        pass
    gc.collect()

    assert "estimated" == captured.entry.cost_status
    assert captured.entry.outcome in (Outcome.ABANDONED, Outcome.CLOSED_EARLY)


def test_lines_left_half_way_are_an_estimate(client: openai.OpenAI, captured: Captured) -> None:
    """Reading a part of a stream's lines books what was seen."""
    with client.chat.completions.with_streaming_response.create(
        model="gpt-4o-mini", messages=SAY, stream=True
    ) as response:
        lines = response.iter_lines()
        next(lines)
        lines.close()

    assert (Outcome.CLOSED_EARLY, "estimated") == (captured.entry.outcome, captured.entry.cost_status)


def test_events_read_as_lines_have_their_usage(client: openai.OpenAI, captured: Captured) -> None:
    """A stream's body read as text is a stream all the same; nothing is added to what the application asked for."""
    options = {"include_usage": True}
    with client.chat.completions.with_streaming_response.create(
        model="gpt-4o-mini", messages=SAY, stream=True, stream_options=options
    ) as response:
        lines = list(response.iter_lines())

    assert "data: [DONE]" in lines
    assert "priced" == captured.entry.cost_status


def test_cut_body_is_the_vendors_error(client: openai.OpenAI, played: ReplayServer, captured: Captured) -> None:
    """An error while the body is read is an error of the call."""
    played.cut_after = 1
    with (
        pytest.raises(Exception) as raised,  # noqa: PT011  # that of the SDK's HTTP library
        client.chat.completions.with_streaming_response.create(
            model="gpt-4o-mini", messages=SAY, stream=True
        ) as response,
    ):
        list(response.iter_lines())

    assert (Outcome.ERROR, type(raised.value).__qualname__) == (captured.entry.outcome, captured.entry.error_type)


# -- audio -------------------------------------------------------------------------------------------------------------


def test_speech_is_priced_by_its_characters(client: openai.OpenAI, captured: Captured) -> None:
    """The answer is sound; what counts is the length of the text."""
    content = client.audio.speech.create(model="tts-1", voice="alloy", input="x" * 1000).read()

    assert SPEECH == content
    assert ({"input_characters": 1000}, "0.015") == (dict(captured.entry.usage), str(captured.entry.cost))


def test_speech_streamed_to_a_file_is_booked_once(client: openai.OpenAI, captured: Captured, tmp_path: Any) -> None:
    """`with_streaming_response` is how the documentation says to do it."""
    with client.audio.speech.with_streaming_response.create(model="tts-1", voice="alloy", input="hello") as response:
        response.stream_to_file(tmp_path / "speech.mp3")
    del response
    gc.collect()

    assert SPEECH == (tmp_path / "speech.mp3").read_bytes()
    assert {"input_characters": 5} == dict(captured.entry.usage)


def test_transcription_is_priced_by_the_second(client: openai.OpenAI, captured: Captured) -> None:
    """Whisper states the duration it bills."""
    client.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"RIFF"))

    assert ({"audio_seconds": 60}, "0.006") == (dict(captured.entry.usage), str(captured.entry.cost))


# -- other hosts -------------------------------------------------------------------------------------------------------


def test_azure_client_is_billed_by_azure(played: ReplayServer, client: openai.OpenAI, captured: Captured) -> None:
    """Provider identity and price follow the host."""
    http = sys.modules[type(client.base_url).__module__.partition(".")[0]]  # httpx, or what the SDK has in its place
    here = client.base_url

    class Diverted(http.HTTPTransport):
        """The network, in which every host is the replay server."""

        def handle_request(self, request: Any) -> Any:
            request.url = request.url.copy_with(scheme="http", host=here.host, port=here.port)
            return super().handle_request(request)

    with openai.AzureOpenAI(
        api_key="test",
        api_version="2024-10-21",
        azure_endpoint="https://acme.openai.azure.com",
        http_client=http.Client(transport=Diverted()),
        max_retries=0,
    ) as azure:
        azure.chat.completions.create(model="gpt-5.4-mini", messages=SAY)

    assert ("azure.ai.openai", "acme.openai.azure.com", "priced") == (
        captured.entry.provider,
        captured.entry.server_address,
        captured.entry.cost_status,
    )


def test_parsed_stream_outlives_the_raw_response(client: openai.OpenAI, captured: Captured) -> None:
    """The raw response may be dropped once it was parsed into a stream, as LiteLLM does: the stream is booked."""
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=SAY, stream=True)
    stream = raw.parse()
    del raw
    gc.collect()
    chunks = list(stream)

    assert chunks
    assert (Outcome.COMPLETED, "reported") == (captured.entry.outcome, captured.entry.usage_source)

"""Every way to make a call settles once, and the application notices nothing."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import anthropic
import openai
import pytest

import genops
from genops.core.ledger import Outcome
from genops.testing.capture import Captured, capture
from genops.testing.replay import Exchange, ReplayServer

SAY: list[Any] = [{"role": "user", "content": "hello"}]
CHAT, CHAT_STREAM = "openai-chat-once-0b39ae08eb", "openai-chat-stream-2466337cc2"
MESSAGE, MESSAGE_STREAM = "anthropic-messages-once-6189d53076", "anthropic-messages-stream-96585f1d55"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def client(server: ReplayServer, recordings: dict[str, Exchange]) -> Any:
    server.play(*(recordings[name] for name in (CHAT, CHAT_STREAM, MESSAGE, MESSAGE_STREAM)))
    with openai.OpenAI(api_key="test", base_url=f"{server.url}/v1", max_retries=0) as made:
        yield made


@pytest.fixture
def claude(server: ReplayServer, recordings: dict[str, Exchange]) -> Any:
    server.play(*(recordings[name] for name in (CHAT, CHAT_STREAM, MESSAGE, MESSAGE_STREAM)))
    with anthropic.Anthropic(api_key="test", base_url=server.url, max_retries=0) as made:
        yield made


def _stream(client: Any, **more: Any) -> Any:
    return client.chat.completions.create(model="gpt-4o-mini", messages=SAY, stream=True, **more)


def test_iterated_stream_is_priced_and_its_usage_chunk_stays_hidden(client: Any, captured: Captured) -> None:
    """We ask for usage; the application sees neither the option nor the extra chunk."""
    chunks = list(_stream(client))

    assert all(chunk.choices for chunk in chunks)
    assert ("priced", Outcome.COMPLETED) == (captured.entry.cost_status, captured.entry.outcome)
    assert captured.entry.time_to_first_chunk_ms is not None


def test_explicit_no_to_usage_is_respected(client: Any, server: ReplayServer, captured: Captured) -> None:
    """`include_usage: False` reaches the provider as the application wrote it."""
    list(_stream(client, stream_options={"include_usage": False}))

    assert {"include_usage": False} == server.requests[0].body["stream_options"]


def test_stream_stays_the_vendors_type(client: Any, captured: Captured) -> None:
    """isinstance and attributes survive."""
    stream = _stream(client)

    assert isinstance(stream, openai.Stream)
    stream.close()


def test_closing_early_books_an_estimate_once(client: Any, captured: Captured) -> None:
    """What was read is estimated and marked."""
    with _stream(client) as stream:
        next(iter(stream))

    assert (Outcome.CLOSED_EARLY, "estimated") == (captured.entry.outcome, captured.entry.cost_status)


def test_abandoned_stream_is_booked_when_nobody_can_read_on(client: Any, captured: Captured) -> None:
    """A stream that is dropped unread settles without help."""
    stream = _stream(client)
    next(iter(stream))
    stream.response.close = stream.response.close  # the HTTP response outlives the stream object
    response = stream.response
    del stream
    gc.collect()

    assert Outcome.ABANDONED is captured.entry.outcome
    response.close()


def test_cut_connection_is_the_vendors_error_and_one_entry(
    client: Any, server: ReplayServer, captured: Captured
) -> None:
    """An error in the middle of a stream passes through untouched."""
    server.cut_after = 2
    with pytest.raises(Exception) as raised:  # noqa: PT011  # the SDK's own, or that of its HTTP library in old versions
        list(_stream(client))

    assert (Outcome.ERROR, type(raised.value).__qualname__) == (captured.entry.outcome, captured.entry.error_type)


def test_stream_helper_is_booked_once(client: Any, captured: Captured) -> None:
    """`chat.completions.stream` goes through `create` and counts once."""
    if not hasattr(client.chat.completions, "stream"):
        pytest.skip("this version of the SDK keeps the helper under beta")
    with client.chat.completions.stream(model="gpt-4o-mini", messages=SAY) as stream:
        stream.until_done()

    assert "priced" == captured.entry.cost_status


def test_raw_response_keeps_headers_and_is_booked(client: Any, captured: Captured) -> None:
    """`with_raw_response` hands out the vendor's raw response."""
    raw = client.chat.completions.with_raw_response.create(model="gpt-5.4-mini", messages=SAY)

    assert raw.headers["content-type"].startswith("application/json")
    assert raw.parse().id
    assert "priced" == captured.entry.cost_status


def test_raw_response_of_a_stream_is_booked_when_read(client: Any, captured: Captured) -> None:
    """Parsing the raw response gives the metered stream."""
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=SAY, stream=True)
    for _ in raw.parse():
        pass

    assert "priced" == captured.entry.cost_status


def test_streaming_response_read_by_line_is_booked(client: Any, captured: Captured) -> None:
    """`with_streaming_response` is metered from the lines the application reads."""
    with client.chat.completions.with_streaming_response.create(model="gpt-5.4-mini", messages=SAY) as response:
        assert list(response.iter_lines())

    assert "priced" == captured.entry.cost_status


async def test_async_call_and_stream_are_booked(
    server: ReplayServer, recordings: dict[str, Exchange], captured: Captured
) -> None:
    """The async client, plain and streamed."""
    server.play(recordings[CHAT], recordings[CHAT_STREAM])
    async with openai.AsyncOpenAI(api_key="test", base_url=f"{server.url}/v1", max_retries=0) as client:
        await client.chat.completions.create(model="gpt-5.4-mini", messages=SAY)
        async for _ in await client.chat.completions.create(model="gpt-4o-mini", messages=SAY, stream=True):
            pass

    assert ["priced", "priced"] == [entry.cost_status for entry in captured.entries]


async def test_cancelled_task_is_booked_as_cancelled(
    server: ReplayServer, recordings: dict[str, Exchange], captured: Captured
) -> None:
    """A cancelled call may have been billed: its input is estimated."""
    server.play(recordings[CHAT_STREAM])
    server.chunk_delay_s = 0.2
    async with openai.AsyncOpenAI(api_key="test", base_url=f"{server.url}/v1", max_retries=0) as client:

        async def read() -> None:
            async for _ in await client.chat.completions.create(model="gpt-4o-mini", messages=SAY, stream=True):
                pass

        task = asyncio.create_task(read())
        while not captured._spans and not server.requests:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert (Outcome.CANCELLED, "estimated") == (captured.entry.outcome, captured.entry.cost_status)


def test_generator_arguments_reach_the_provider(client: Any, server: ReplayServer, captured: Captured) -> None:
    """An iterator of messages is not consumed on the way."""
    client.chat.completions.create(model="gpt-5.4-mini", messages=(message for message in SAY))

    assert SAY == server.requests[0].body["messages"]


def test_message_stream_helper_is_booked_once(claude: Any, captured: Captured) -> None:
    """Anthropic's helper reads the raw stream under it."""
    with claude.messages.stream(model="claude-sonnet-4-6", max_tokens=64, messages=SAY) as stream:
        message = stream.get_final_message()

    assert message.usage.output_tokens == captured.entry.output_tokens
    assert Outcome.COMPLETED is captured.entry.outcome


async def test_async_message_stream_helper_is_booked_once(
    server: ReplayServer, recordings: dict[str, Exchange], captured: Captured
) -> None:
    """The async helper, closed early."""
    server.play(recordings[MESSAGE_STREAM])
    async with (
        anthropic.AsyncAnthropic(api_key="test", base_url=server.url, max_retries=0) as client,
        client.messages.stream(model="claude-sonnet-4-6", max_tokens=64, messages=SAY) as stream,
    ):
        async for _ in stream:
            break

    assert Outcome.CLOSED_EARLY is captured.entry.outcome


def test_same_response_seen_twice_is_one_cost(client: Any, captured: Captured) -> None:
    """A response id that was booked lately is a mirror, not a second cost."""
    for _ in range(2):
        client.chat.completions.create(model="gpt-5.4-mini", messages=SAY)

    assert len(captured.entries) == 1
    assert len(captured.spans) == 2


def test_answers_with_numbers_for_ids_are_calls_of_their_own(
    server: ReplayServer, recordings: dict[str, Exchange], captured: Captured
) -> None:
    """Ollama's OpenAI endpoint draws ids such as chatcmpl-273 out of 999: the same one again is another call."""
    server.play(recordings["ollama-chat-once-dfb163ec1c"])
    with openai.OpenAI(api_key="test", base_url=f"{server.url}/v1", max_retries=0) as client:
        for _ in range(3):
            client.chat.completions.create(model="llama3.2", messages=SAY)

    assert ["chatcmpl-273"] * 3 == [entry.response_id for entry in captured.entries]


def test_sampled_away_calls_are_still_booked(server: ReplayServer, recordings: dict[str, Exchange]) -> None:
    """The ledger does not depend on spans."""
    server.play(recordings[CHAT])
    with (
        capture(adapters=["openai"], sampled=False) as captured,
        openai.OpenAI(api_key="test", base_url=f"{server.url}/v1") as client,
    ):
        client.chat.completions.create(model="gpt-5.4-mini", messages=SAY)

    assert ("priced", ()) == (captured.entry.cost_status, captured.spans)


def test_refused_call_never_leaves_the_process(client: Any, server: ReplayServer, captured: Captured) -> None:
    """A policy block raises before anything is sent, and is an entry of its own without a cost."""
    with genops.enforce_policy(allow_models=["gpt-4o"]), pytest.raises(genops.PolicyBlocked) as refusal:
        client.chat.completions.create(model="gpt-5.4-mini", messages=SAY)

    assert [] == server.requests
    assert "POLICY_DENY_MODEL" == refusal.value.reason_code
    assert (Outcome.BLOCKED, None) == (captured.entry.outcome, captured.entry.cost)


def test_max_cost_per_request_refuses_before_the_call(client: Any, server: ReplayServer, captured: Captured) -> None:
    """The upper bound of the request is what counts."""
    with genops.enforce_policy(max_cost_per_request="0.000001"), pytest.raises(genops.PolicyBlocked):
        client.chat.completions.create(model="gpt-5.4-mini", messages=SAY, max_tokens=1000)

    assert [] == server.requests


def test_attributes_of_a_call_win_and_do_not_reach_the_provider(
    client: Any, server: ReplayServer, captured: Captured
) -> None:
    """Governance attributes given to the call itself are ours."""
    client.chat.completions.create(model="gpt-5.4-mini", messages=SAY, team="growth")

    assert "growth" == captured.entry.team
    assert "team" not in server.requests[0].body


def test_instrumented_operation_carries_its_attributes(client: Any, captured: Captured) -> None:
    """`instrument_chat(client, ...)` attributes the calls made through what it returns."""
    from genops.providers._engine import InstrumentedAdapter
    from genops.providers.openai import OPENAI

    governed = InstrumentedAdapter(OPENAI).instrument_chat(client, team="growth", customer_id="acme")
    governed.chat.completions.create(model="gpt-5.4-mini", messages=SAY)

    assert ("growth", "acme") == (captured.entry.team, captured.entry.customer_id)


def test_blocks_add_up_what_their_calls_cost(client: Any, captured: Captured) -> None:
    """`track` knows the cost of what happened inside it, and adds none of its own."""
    with genops.track("answer", feature="help") as block:
        client.chat.completions.create(model="gpt-5.4-mini", messages=SAY)

    assert captured.entry.cost == block.cost.get_final_summary().total_cost
    assert "help" == captured.entry.feature


def test_uninstrument_restores_the_vendors_method() -> None:
    """Identity of the original comes back."""
    from openai.resources.chat.completions import Completions

    original = Completions.__dict__["create"]
    with capture(adapters=["openai"]):
        assert original is not Completions.__dict__["create"]

    assert original is Completions.__dict__["create"]


def test_a_read_stream_leaves_no_cycle(client: Any) -> None:
    """What was read is freed at once, as it is without us: nothing waits for the garbage collector."""
    if _lingers(client):
        pytest.skip("this version of the SDK leaves a cycle of its own")
    with capture(adapters=["openai"]):
        assert not _lingers(client)


def _lingers(client: Any) -> bool:
    """Whether the HTTP response of a stream that was read outlives it."""
    list(_stream(client))
    gc.collect()
    gc.disable()
    try:
        stream = _stream(client)
        list(stream)
        response = weakref.ref(stream.response)
        del stream
        return response() is not None
    finally:
        gc.enable()
        gc.collect()

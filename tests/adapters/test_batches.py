"""Batches: every answered request is booked once, at half price, however the results are read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import anthropic
import openai
import pytest

from genops.core.ledger import LedgerEntry, Outcome
from genops.testing.capture import Captured
from genops.testing.conformance import check
from genops.testing.replay import Exchange, ReplayServer

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def _openai_line(number: int, body: dict[str, Any] | None, status: int = 200) -> str:
    """One line of a result file, as the Batch API's reference describes it."""
    response = {"status_code": status, "request_id": f"req_{number}", "body": body} if body is not None else None
    error = None if body is not None else {"code": "batch_expired", "message": "too late"}
    line = {"id": f"batch_req_{number}", "custom_id": "same", "response": response, "error": error}
    return json.dumps(line)


CHAT = {
    "id": "chatcmpl-batch-1",
    "object": "chat.completion",
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
}
RESPONSE = {
    "id": "resp-batch-1",
    "object": "response",
    "model": "gpt-4o-mini-2024-07-18",
    "output": [],
    "usage": {"input_tokens": 2000, "output_tokens": 0, "total_tokens": 2000},
}
EMBEDDINGS = {
    "object": "list",
    "model": "text-embedding-3-small",
    "data": [],
    "usage": {"prompt_tokens": 500, "total_tokens": 500},
}
LINES = "\n".join(
    (
        _openai_line(1, CHAT),
        _openai_line(2, RESPONSE),
        _openai_line(3, EMBEDDINGS),
        _openai_line(4, EMBEDDINGS),  # no id of its own, and the application's custom_id is not unique
        _openai_line(5, {"error": {"message": "bad request"}}, status=400),
        _openai_line(6, None),
    )
)
# Half of 0.15 and 0.60 USD per million (gpt-4o-mini), and of 0.02 (text-embedding-3-small).
COSTS = [Decimal("0.000105"), Decimal("0.00015"), Decimal("0.000005"), Decimal("0.000005")]


@pytest.fixture
def client(server: ReplayServer) -> Iterator[openai.OpenAI]:
    server.play(_file("/v1/files/file-1/content", LINES), _file("/v1/files/file-2/content", '{"text": "no batch"}\n'))
    with openai.OpenAI(api_key="test", base_url=f"{server.url}/v1", max_retries=0) as made:
        yield made


def _file(path: str, body: str) -> Exchange:
    return Exchange(
        id=path,
        provider="openai",
        api="files",
        model=None,
        streaming=False,
        path=path,
        request={},
        status=200,
        headers={"content-type": "application/jsonl"},
        body=body,
    )


def _calls(captured: Captured) -> list[LedgerEntry]:
    return list(captured.entries)


def _read_whole(client: openai.OpenAI) -> None:
    assert LINES == client.files.content("file-1").text


def _read_raw(client: openai.OpenAI) -> None:
    assert LINES == client.files.with_raw_response.content("file-1").text


def _read_by_line(client: openai.OpenAI) -> None:
    with client.files.with_streaming_response.content("file-1") as response:
        assert LINES.splitlines() == list(response.iter_lines())


def _read_by_bytes(client: openai.OpenAI) -> None:
    with client.files.with_streaming_response.content("file-1") as response:
        assert LINES.encode() == b"".join(response.iter_bytes(7))


@pytest.mark.parametrize("read", [_read_whole, _read_raw, _read_by_line, _read_by_bytes])
def test_openai_results_are_booked_at_half_price(read: Any, client: openai.OpenAI, captured: Captured) -> None:
    """Chat, responses and embeddings, once each; errors and expired requests cost nothing."""
    read(client)

    assert COSTS == [entry.cost for entry in _calls(captured)]
    assert {"completed"} == {entry.outcome for entry in _calls(captured)}


def test_results_read_twice_are_booked_once(client: openai.OpenAI, captured: Captured) -> None:
    """Reading again, as a retry or another step does, adds nothing."""
    _read_whole(client)
    _read_by_line(client)

    assert COSTS == [entry.cost for entry in _calls(captured)]
    assert len(COSTS) == len({entry.call_id for entry in _calls(captured)})


def test_span_of_a_batch_carries_the_sum_of_its_items(client: openai.OpenAI, captured: Captured) -> None:
    """The cost on the spans is that of the ledger, and the specification is kept."""
    _read_whole(client)

    assert float(sum(COSTS)) == captured.span.attributes["genops.cost.total"]
    assert [] == list(check(captured.spans).violations)


def test_results_that_are_not_read_to_the_end_book_what_was_read(client: openai.OpenAI, captured: Captured) -> None:
    """The first lines are booked when the application stops."""
    with client.files.with_streaming_response.content("file-1") as response:
        lines = response.iter_lines()
        next(lines)
        lines.close()

    assert COSTS[0] == _calls(captured)[0].cost


def test_another_file_is_no_batch(client: openai.OpenAI, captured: Captured) -> None:
    """Downloading a file leaves no trace."""
    client.files.content("file-2")
    with client.files.with_streaming_response.content("file-2") as response:
        response.read()

    assert ([], []) == (_calls(captured), list(captured.spans))


async def test_openai_results_are_booked_asynchronously(server: ReplayServer, captured: Captured) -> None:
    """The same on the async client."""
    server.play(_file("/v1/files/file-1/content", LINES))
    async with openai.AsyncOpenAI(api_key="test", base_url=f"{server.url}/v1", max_retries=0) as client:
        assert LINES == (await client.files.content("file-1")).text
        async with client.files.with_streaming_response.content("file-1") as response:
            assert LINES.splitlines() == [line async for line in response.iter_lines()]

    assert COSTS == [entry.cost for entry in _calls(captured)]


# -- Anthropic ---------------------------------------------------------------------------------------------------------


def _message_line(number: int, kind: str) -> str:
    message = {
        "id": f"msg_batch_{number}",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5-20251001",
        "content": [{"type": "text", "text": "hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1000, "output_tokens": 200},
    }
    result = {"type": kind, "message": message} if kind == "succeeded" else {"type": kind}
    if kind == "errored":
        result["error"] = {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}
    return json.dumps({"custom_id": f"req-{number}", "result": result})


RESULTS = "\n".join(_message_line(n, kind) for n, kind in enumerate(("succeeded", "errored", "succeeded", "expired")))
HALF = Decimal("0.001")  # (1000 x 1 USD + 200 x 5 USD) per million, halved


needs_batches = pytest.mark.skipif(
    not hasattr(anthropic.resources.Messages, "batches"), reason="this version of the SDK has no batches"
)


def _batch(url: str) -> tuple[Exchange, Exchange]:
    status = {
        "id": "msgbatch_1",
        "type": "message_batch",
        "processing_status": "ended",
        "results_url": f"{url}/v1/messages/batches/msgbatch_1/results",
        "request_counts": {"processing": 0, "succeeded": 2, "errored": 1, "canceled": 0, "expired": 1},
        "created_at": "2026-11-20T00:00:00Z",
        "expires_at": "2026-11-21T00:00:00Z",
        "ended_at": None,
        "archived_at": None,
        "cancel_initiated_at": None,
    }
    found = _file("/v1/messages/batches/msgbatch_1", json.dumps(status))
    found.headers["content-type"] = "application/json"
    return found, _file("/v1/messages/batches/msgbatch_1/results", RESULTS)


@needs_batches
def test_anthropic_results_are_booked_at_half_price(server: ReplayServer, captured: Captured) -> None:
    """Succeeded requests are booked once each, also when read again; the others cost nothing."""
    server.play(*_batch(server.url))
    with anthropic.Anthropic(api_key="test", base_url=server.url, max_retries=0) as client:
        kinds = [item.result.type for item in client.messages.batches.results("msgbatch_1")]
        list(client.messages.batches.results("msgbatch_1"))

    assert ["succeeded", "errored", "succeeded", "expired"] == kinds
    assert [HALF, HALF] == [entry.cost for entry in _calls(captured)]


@needs_batches
def test_anthropic_results_closed_early_book_what_was_read(server: ReplayServer, captured: Captured) -> None:
    """One item read is one item booked, and the span says so."""
    server.play(*_batch(server.url))
    with anthropic.Anthropic(api_key="test", base_url=server.url, max_retries=0) as client:
        results = client.messages.batches.results("msgbatch_1")
        next(iter(results))
        results.close()

    assert [HALF] == [entry.cost for entry in _calls(captured)]
    assert Outcome.CLOSED_EARLY.value == captured.span.attributes["genops.call.outcome"]


@needs_batches
async def test_anthropic_results_are_booked_asynchronously(server: ReplayServer, captured: Captured) -> None:
    """The same on the async client."""
    server.play(*_batch(server.url))
    async with anthropic.AsyncAnthropic(api_key="test", base_url=server.url, max_retries=0) as client:
        items = [item async for item in await client.messages.batches.results("msgbatch_1")]

    assert 4 == len(items)
    assert [HALF, HALF] == [entry.cost for entry in _calls(captured)]

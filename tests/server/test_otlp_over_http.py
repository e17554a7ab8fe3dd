"""OTLP over HTTP, by the specification: encodings, limits, refusals, partial success."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf.message import Message
from google.rpc import status_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from tests.server.telling import USED, logs, message, record, span, traces

from genops.config.settings import Settings
from genops.core.pricing import PriceBook
from genops.server import ServerState, make_app
from genops.server.otlp import bodies
from genops.server.otlp.answers import Refused
from genops.server.otlp.reading import Reader
from genops.server.otlp.signals import SIGNALS
from genops.server.otlp.values import attributes
from genops.server.receiving import Receiver
from genops.server.writing import Writer
from genops.stores import LedgerReader
from genops.stores.received import ReceivedCalls

PROTOBUF, JSON = "application/x-protobuf", "application/json"


class NoQueries:
    """A source without anything in it."""

    def query(self, name: str, filters: Any = None, **parameters: Any) -> list[dict[str, Any]]:
        return []


class Receiving:
    """The application over a ledger directory, asked without a network."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.calls = ReceivedCalls(directory, hold_s=0)
        self.writer = Writer(self.calls, lambda: None)
        self.receiver = Receiver(Reader(PriceBook.default()), self.writer)
        state = ServerState(source=NoQueries(), directory=directory, settings=Settings(), receiver=self.receiver)
        self._app = make_app(state)

    def post(self, path: str, content: bytes, kind: str | None, **headers: str) -> httpx.Response:
        """One request."""

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost:4318") as client:
                given = {**({} if kind is None else {"content-type": kind}), **headers}
                return await client.post(path, content=content, headers=given)

        return asyncio.run(ask())

    def close(self) -> None:
        """Write down everything."""
        self.receiver.close()
        self.writer.close()
        self.calls.close()

    def call_ids(self) -> list[str]:
        """The calls in the ledger, at the end."""
        self.close()
        return [entry.call_id for entry in LedgerReader(self.directory).entries()]


@pytest.fixture
def receiving(tmp_path: Path) -> Iterator[Receiving]:
    found = Receiving(tmp_path / "ledger")
    yield found
    with contextlib.suppress(sqlite3.ProgrammingError):
        found.close()


def protobuf(request: dict[str, Any]) -> bytes:
    found: Message = message(request)[1]
    return found.SerializeToString()


@pytest.mark.parametrize("kind", [PROTOBUF, JSON, "application/json; charset=utf-8"])
@pytest.mark.parametrize("encoding", ["gzip", "identity", None])
def test_every_encoding_is_taken_and_answered_in_kind(receiving: Receiving, kind: str, encoding: str | None) -> None:
    """Protobuf and JSON, packed and not: the same entry, and an empty answer in the encoding of the request."""
    request = logs(record("CALL"))
    body = protobuf(request) if kind == PROTOBUF else json.dumps(request).encode()
    headers = {} if encoding is None else {"content-encoding": encoding}
    answer = receiving.post("/v1/logs", gzip.compress(body) if encoding == "gzip" else body, kind, **headers)

    assert (200, kind.partition(";")[0]) == (answer.status_code, answer.headers["content-type"])
    assert b"" == answer.content if kind == PROTOBUF else answer.json() == {}
    assert ["CALL"] == receiving.call_ids()


def test_what_was_not_taken_is_counted_in_a_partial_success(receiving: Receiving) -> None:
    """200, so that the rest is not sent again; the number and the reason are in the answer."""
    broken = {**span(3, USED), "traceId": "00" * 16}
    answer = receiving.post("/v1/traces", protobuf(traces(span(2, USED), broken)), PROTOBUF)

    said = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (200, 1) == (answer.status_code, said.rejected_spans)
    assert "no valid trace id" in said.error_message
    assert 1 == len(receiving.call_ids())


def test_metrics_are_taken_and_add_nothing(receiving: Receiving) -> None:
    """They are sums of what records and spans say."""
    body = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "genops.cost"}]}]}]}).encode()

    assert 200 == receiving.post("/v1/metrics", body, JSON).status_code
    assert [] == receiving.call_ids()


def bomb(size: int) -> bytes:
    """So many zeros, packed into a thousandth."""
    packer = zlib.compressobj(9, wbits=31)
    part = b"\0" * (1 << 20)
    return b"".join([*(packer.compress(part) for _ in range(size >> 20)), packer.flush()])


BODY = json.dumps(logs(record("CALL"))).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind", "encoding"),
    [
        (400, b"{", JSON, None),
        (400, b"[" * 100_000, JSON, None),
        (400, b"[]", JSON, None),
        (400, b'{"resourceSpans": 1}', JSON, None),
        (400, b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}', JSON, None),
        (400, b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"\\ud800"}]}]}]}', JSON, None),
        (400, b"\xff\xff\xff\xff", PROTOBUF, None),
        (400, b"\x0a\x80\x80\x80\x80\x08", PROTOBUF, None),
        (400, b"no gzip", JSON, "gzip"),
        (400, gzip.compress(BODY)[:-9], JSON, "gzip"),
        (400, gzip.compress(BODY) + b"and more", JSON, "gzip"),
        (413, b" " * (bodies.LONGEST + 1), JSON, None),
        (413, bomb(64 << 20), PROTOBUF, "gzip"),
        (413, bomb(16 << 20) + bomb(16 << 20), PROTOBUF, "gzip"),
        (415, BODY, "text/plain", None),
        (415, BODY, None, None),
        (415, BODY, JSON, "br"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_cannot_be_read_gets_a_clear_status(
    receiving: Receiving, status: int, body: bytes, kind: str | None, encoding: str | None
) -> None:
    """Not to be sent again, with a reason, and nothing is written."""
    answer = receiving.post("/v1/traces", body, kind, **({} if encoding is None else {"content-encoding": encoding}))

    assert (status, None) == (answer.status_code, answer.headers.get("retry-after"))
    said = answer.json()["message"] if kind == JSON else status_pb2.Status.FromString(answer.content).message
    assert said
    assert [] == receiving.call_ids()


def test_only_post_is_answered(receiving: Receiving) -> None:
    """Another method is told so."""

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(receiving._app)) as client:
            return await client.get("http://localhost/v1/traces")

    assert 405 == asyncio.run(ask()).status_code


def test_ledger_that_is_locked_is_said_to_be_busy_and_taken_later(
    receiving: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 with a hint when to try again; nothing was written, and the second attempt is."""
    receiving.calls._db.execute("PRAGMA busy_timeout=50")
    monkeypatch.setattr("genops.stores.received._PATIENCE_S", 0.05)
    with contextlib.closing(sqlite3.connect(receiving.directory / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = receiving.post("/v1/logs", BODY, JSON)
        other.execute("ROLLBACK")

    assert (503, "2") == (answer.status_code, answer.headers["retry-after"])
    assert "locked" in answer.json()["message"]
    assert 200 == receiving.post("/v1/logs", BODY, JSON).status_code
    assert ["CALL"] == receiving.call_ids()


def test_ledger_without_room_is_said_to_be_full(receiving: Receiving) -> None:
    """503, later than for a busy one; when there is room again, everything is taken."""
    pages = receiving.calls._db.execute("PRAGMA page_count").fetchone()[0]
    receiving.calls._db.execute(f"PRAGMA max_page_count={pages}")
    big = logs(*(record(f"CALL{number}", {"genops.feature": "x" * 900}) for number in range(50)))
    answer = receiving.post("/v1/logs", json.dumps(big).encode(), JSON)

    assert (503, "30") == (answer.status_code, answer.headers["retry-after"])
    assert "full" in answer.json()["message"]
    receiving.calls._db.execute("PRAGMA max_page_count=1000000")
    assert 200 == receiving.post("/v1/logs", json.dumps(big).encode(), JSON).status_code
    assert 50 == len(receiving.call_ids())


def test_more_requests_than_memory_allows_are_told_to_wait(receiving: Receiving) -> None:
    """429, before a body is read."""
    with contextlib.ExitStack() as stack:
        for _ in range(64):
            stack.enter_context(receiving.receiver.admitting())
        answer = receiving.post("/v1/logs", BODY, JSON)

    assert (429, "1") == (answer.status_code, answer.headers["retry-after"])
    assert 200 == receiving.post("/v1/logs", BODY, JSON).status_code


def test_request_that_breaks_us_does_not_break_those_beside_it(
    receiving: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours costs one request, answered with 500, and no other one."""
    take = ReceivedCalls._take_record

    def faulty(calls: ReceivedCalls, entry: Any) -> None:
        if entry.call_id == "FAULT":
            raise ZeroDivisionError
        take(calls, entry)

    monkeypatch.setattr(ReceivedCalls, "_take_record", faulty)
    reader = Reader(PriceBook.default())
    batches = [reader.read(*message(logs(record(name))))[0] for name in ("A", "FAULT", "B")]
    futures = [receiving.writer.submit(batch) for batch in batches]
    outcomes = [type(future.exception(timeout=30)).__name__ for future in futures]

    assert ["NoneType", "Refused", "NoneType"] == outcomes
    assert ["A", "B"] == sorted(receiving.call_ids())


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "key",
                    "value",
                    "stringValue",
                    "intValue",
                    "doubleValue",
                    "arrayValue",
                    "kvlistValue",
                    "values",
                    "traceId",
                    "spanId",
                    "attributes",
                    "resourceSpans",
                    "scopeSpans",
                    "spans",
                    "resourceLogs",
                    "scopeLogs",
                    "logRecords",
                    "eventName",
                    "events",
                    "startTimeUnixNano",
                    "timeUnixNano",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=60, deadline=None)
@given(document=VALUES, path=st.sampled_from(["traces", "logs"]))
def test_no_json_breaks_the_reader(document: Any, path: str) -> None:
    """Any JSON is either a request or refused as none."""
    with contextlib.suppress(Refused):
        Reader(PriceBook.default()).read(path, bodies.parse(json.dumps(document).encode(), JSON, SIGNALS[path].request))


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_no_damage_to_a_request_breaks_the_reader(data: st.DataObject) -> None:
    """Bytes changed, cut off or put in anywhere: a request, or refused as none."""
    body = bytearray(protobuf(traces(span(2, {**USED, "genops.call.id": "X", "genops.cost.total": 0.1}, parent=1))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    with contextlib.suppress(Refused):
        request = bodies.parse(bytes(body), PROTOBUF, ExportTraceServiceRequest)
        batch, _ = Reader(PriceBook.default()).read("traces", request)
        for call in batch.calls:
            call.entry.to_json()


@settings(max_examples=80, deadline=None)
@given(
    said=st.dictionaries(
        st.sampled_from(
            [
                *USED,
                "genops.call.id",
                "genops.cost.role",
                "genops.cost.total",
                "genops.ledger.cost",
                "genops.tokens.input",
                "genops.usage.quantity.input",
                "genops.call.outcome",
                "genops.cost.source",
            ]
        ),
        st.integers(-(2**63), 2**63 - 1)
        | st.floats()
        | st.text(max_size=10)
        | st.booleans()
        | st.sampled_from(["account", "chat", "span", "blocked", "1e400", "NaN", "-0", "0.1"]),
    )
)
def test_no_attribute_breaks_the_reader(said: dict[str, Any]) -> None:
    """Whatever attributes say, amounts that come out are finite and not negative."""

    kinds: dict[type, str] = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value"}
    request = ExportTraceServiceRequest()
    request.CopyFrom(message(traces(span(2, {})))[1])
    pairs = [KeyValue(key=key, value=AnyValue(**{kinds[type(value)]: value})) for key, value in said.items()]
    request.resource_spans[0].scope_spans[0].spans[0].attributes.extend(pairs)
    batch, _ = Reader(PriceBook.default()).read("traces", request)

    assert attributes(pairs).keys() == said.keys()
    for call in batch.calls:
        call.entry.to_json()
        assert call.entry.cost is None or (call.entry.cost.is_finite() and call.entry.cost >= 0)
        assert all(quantity >= 0 for quantity in call.entry.usage.values())

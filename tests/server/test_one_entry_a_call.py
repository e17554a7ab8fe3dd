"""However a call is told, by whom, in which order and how often: the ledger has one entry, with the right cost."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.server.telling import COST, LANGCHAIN, USED, attributes, logs, message, record, sdk_span, span, traces

from genops.core.evaluation import Evaluation
from genops.core.ledger import LedgerEntry
from genops.core.pricing import PriceBook
from genops.server.otlp.reading import Reader
from genops.stores import LedgerReader, open_ledger
from genops.stores.received import ReceivedCalls

READER = Reader(PriceBook.default())
NOW = 1_800_000_000.0


class Ledger:
    """A ledger directory that receives; time passes only when told."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.now = NOW
        self.calls = self._open()

    def _open(self) -> ReceivedCalls:
        calls = ReceivedCalls(self.directory, hold_s=10)
        calls._db.execute("PRAGMA synchronous=OFF")  # power stays on here
        return calls

    def send(self, *requests: dict[str, Any]) -> None:
        """Receive requests, each by itself."""
        for request in requests:
            batch, _ = READER.read(*message(request))
            self.calls.write([batch], self.now)

    def restart(self) -> None:
        """End without a word, as by kill -9, and start again."""
        self.calls.close()
        self.calls = self._open()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.calls.settle(self.now)

    def entries(self) -> list[LedgerEntry]:
        """What is in the ledger once everything that was held is due."""
        self.wait(11)
        return list(LedgerReader(self.directory).entries())


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger")


RESPONSE = {"gen_ai.response.id": "chatcmpl-Cg1yDkQ3"}
# A governed call (span 1), a mirror of it, a framework's span above it, and another team's span of the same response.
TELLINGS: dict[str, dict[str, Any]] = {
    "record": logs(record("CALL", RESPONSE)),
    "span": traces(sdk_span("CALL", RESPONSE, parent=9), scope="genops"),
    "mirror": traces(span(2, {**USED, "genops.call.id": "CALL", "genops.cost.role": "mirror"}, parent=1)),
    "framework": traces(span(9, USED, ended=20), scope=LANGCHAIN),
    "same response": traces(span(7, {**USED, **RESPONSE}, trace=5)),
}
STEPS = st.lists(st.sampled_from([*TELLINGS, "restart", "wait"]), max_size=12)


@settings(max_examples=40, deadline=None)
@given(order=st.permutations(list(TELLINGS)), more=STEPS, cut=st.integers(0, 12))
def test_a_call_that_everybody_tells_is_one_entry(order: list[str], more: list[str], cut: int) -> None:
    """In any order, repeated, over restarts: one entry, the SDK's, at the SDK's cost."""
    with tempfile.TemporaryDirectory() as directory:
        ledger = Ledger(Path(directory))
        for step in [*more[:cut], *order, *more[cut:]]:
            if step == "restart":
                ledger.restart()
            elif step == "wait":
                ledger.wait(0.5)
            else:
                ledger.send(TELLINGS[step])
        (entry,) = ledger.entries()
        ledger.calls.close()

    assert ("CALL", Decimal(COST), "search", "chat_completions") == (
        entry.call_id,
        entry.cost,
        entry.team,
        entry.api,
    )


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(["leaf", "middle", "framework", "duplicate", "leaf", "framework"]))
def test_a_call_that_only_others_tell_is_priced_at_its_innermost_span(order: list[str]) -> None:
    """Nested and parallel spans of one request, in any order: one entry, by the leaf rule."""
    tellings = {
        "leaf": traces(span(3, {**USED, **RESPONSE}, parent=2, began=2)),
        "middle": traces(span(2, {"http.request.method": "POST"}, parent=1, began=1)),
        "framework": traces(span(1, USED), scope=LANGCHAIN),
        "duplicate": traces(span(4, {**USED, **RESPONSE}, parent=3, began=3), scope="openlit"),
    }
    with tempfile.TemporaryDirectory() as directory:
        ledger = Ledger(Path(directory))
        ledger.send(*(tellings[name] for name in order))
        (entry,) = ledger.entries()
        ledger.calls.close()

    assert (Decimal(COST), "span", "priced") == (entry.cost, entry.cost_source, entry.cost_status)


def test_answers_with_numbers_for_ids_are_calls_of_their_own(ledger: Ledger) -> None:
    """Ollama's OpenAI endpoint draws ids such as chatcmpl-273 out of 999: two spans with the same one are two calls."""
    numbered = {**USED, "gen_ai.response.id": "chatcmpl-273"}
    ledger.send(traces(span(7, numbered, trace=5)), traces(span(8, numbered, trace=6)))

    assert 2 == len(ledger.entries())


def test_entry_that_the_application_wrote_itself_goes_first(ledger: Ledger) -> None:
    """An application in the same ledger directory that exports, too, is not counted twice."""
    entry = LedgerEntry.from_dict(
        {
            "call_id": "CALL",
            "started_at": "2026-11-20T15:00:00Z",
            "duration_ms": 1.5,
            "outcome": "completed",
            "provider": "openai",
            "api": "responses",
            "operation": "chat",
            "operation_type": "inference",
            "policy_result": "ALLOWED",
            "cost": "0.5",
            "response_id": "chatcmpl-Cg1yDkQ3",
        }
    )
    own = open_ledger(ledger.directory)
    own.append(entry)
    ledger.send(*TELLINGS.values())
    own.close()

    assert [entry] == ledger.entries()


def test_entry_that_the_application_writes_while_a_foreign_span_is_held_goes_first(ledger: Ledger) -> None:
    """Another service told the same response a moment before: it is dropped when it would be booked."""
    ledger.send(TELLINGS["same response"])
    entry = LedgerEntry.from_dict(
        {
            "call_id": "CALL",
            "started_at": "2026-11-20T15:00:00Z",
            "duration_ms": 1.5,
            "outcome": "completed",
            "provider": "openai",
            "api": "responses",
            "operation": "chat",
            "operation_type": "inference",
            "policy_result": "ALLOWED",
            "response_id": "chatcmpl-Cg1yDkQ3",
        }
    )
    own = open_ledger(ledger.directory)
    own.append(entry)
    own.close()

    assert [entry] == ledger.entries()


def test_collector_and_server_give_a_span_the_same_id(ledger: Ledger) -> None:
    """A span that arrives raw and priced by the Collector is one call."""
    priced = {
        **USED,
        # What collector/processor/costprocessor stamps; the id follows from trace and span.
        "genops.call.id": "1V2KN201SVP4GS7M7YYWTHRNVG",
        "genops.cost.role": "account",
        "genops.cost.source": "span",
        "genops.cost.status": "priced",
        "genops.cost.total": float(COST),
        "genops.ledger.cost": COST,
        "genops.usage.quantity.input": "1200",
        "genops.usage.quantity.output": "350",
    }
    ledger.send(traces(span(2, USED, trace=2)), traces(span(2, priced, trace=2)))

    (entry,) = ledger.entries()
    assert ("1V2KN201SVP4GS7M7YYWTHRNVG", {"input": 1200, "output": 350}) == (entry.call_id, entry.usage)


@pytest.mark.parametrize("first", ["sum", "items"])
def test_a_batch_counts_by_its_items_or_as_a_whole(ledger: Ledger, first: str) -> None:
    """The span of a batch carries the sum of its items; where those come themselves, it adds nothing."""
    batch = traces(sdk_span("BATCH", {"genops.operation.type": "batch", "genops.cost.total": 0.0165}), scope="genops")
    given = {"genops.call.parent_id": "BATCH", "genops.operation.type": "batch"}
    items = logs(record("ITEM1", given), record("ITEM2", given))
    ledger.send(*((batch, items) if first == "sum" else (items, batch)))

    assert ["ITEM1", "ITEM2"] == sorted(entry.call_id for entry in ledger.entries())


def test_items_of_a_batch_that_was_booked_as_a_whole_come_too_late(ledger: Ledger) -> None:
    """Without their records for longer than calls are held, the sum was booked; it stays the only entry."""
    given = {"genops.call.parent_id": "BATCH", "genops.operation.type": "batch"}
    ledger.send(traces(sdk_span("BATCH", {"genops.operation.type": "batch"}), scope="genops"))
    ledger.wait(60)
    ledger.send(logs(record("ITEM1", given)))

    assert ["BATCH"] == [entry.call_id for entry in ledger.entries()]


def test_foreign_call_that_was_booked_is_not_booked_again_by_the_sdk(ledger: Ledger) -> None:
    """The first of two tellings with the same response counts, when the second comes after the hold."""
    ledger.send(TELLINGS["same response"])
    ledger.wait(60)
    ledger.send(TELLINGS["record"], TELLINGS["span"])

    assert ["span"] == [entry.api for entry in ledger.entries()]


def test_two_calls_of_an_sdk_with_the_same_response_id_stay_two(ledger: Ledger) -> None:
    """An SDK tells its own duplicates apart; some servers give every response the same id."""
    ledger.send(logs(record("A", RESPONSE), record("B", RESPONSE, number=2)))

    assert 2 == len(ledger.entries())


def _blocked(**more: Any) -> dict[str, Any]:
    none = dict.fromkeys(["genops.cost.role", "genops.cost.total", "genops.cost.status", "genops.tokens.input"])
    return {**none, "genops.tokens.output": None, "genops.call.outcome": "blocked", **more}


def test_refused_call_is_kept_without_a_cost(ledger: Ledger) -> None:
    """A span of a call that was blocked is an entry; it used and cost nothing."""
    said = _blocked(**{"genops.policy.result": "BLOCKED", "genops.policy.reason_code": "POLICY_VIOLATION"})
    ledger.send(traces(sdk_span("NO", said), scope="genops"))

    (entry,) = ledger.entries()
    assert ("blocked", None, {}, "POLICY_VIOLATION") == (
        entry.outcome,
        entry.cost,
        entry.usage,
        entry.policy_reason_code,
    )


@pytest.mark.parametrize(
    ("said", "attribution"),
    [
        ({}, {"team": None, "project": "shop", "environment": None}),
        ({"genops.team": "search", "genops.tag.tier": "gold"}, {"team": "search", "tags": {"tier": "gold"}}),
        ({"genops.team": "unknown", "session.id": "s1"}, {"team": None, "session_id": "s1"}),
        ({"traceloop.association.properties.customer_id": "acme"}, {"customer_id": "acme"}),
    ],
)
def test_attribution_of_a_foreign_span(ledger: Ledger, said: dict[str, Any], attribution: dict[str, Any]) -> None:
    """From the span, else its resource; OpenTelemetry's names and those of others; no placeholder."""
    ledger.send(traces(span(1, {**USED, **said}), resource={"service.name": "shop"}))

    (entry,) = ledger.entries()
    assert attribution == {field: getattr(entry, field) for field in attribution}


@pytest.mark.parametrize("count", [-5, 2**62, 1e300, float("inf"), float("nan"), "many", True])
def test_count_that_is_none_makes_a_call_unpriced(ledger: Ledger, count: Any) -> None:
    """A malformed count is no reason to lose the call, and none to guess."""
    signal, request = message(traces(span(1, {**USED, "gen_ai.usage.input_tokens": 1})))
    (value,) = (
        each.value
        for each in request.resource_spans[0].scope_spans[0].spans[0].attributes  # type: ignore[attr-defined]
        if each.key == "gen_ai.usage.input_tokens"
    )
    kinds: dict[type, str] = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value"}
    setattr(value, kinds[type(count)], count)
    batch, _ = READER.read(signal, request)
    ledger.calls.write([batch], ledger.now)

    (entry,) = ledger.entries()
    assert ("unpriced", None) == (entry.cost_status, entry.cost)
    assert "gen_ai.usage.input_tokens is " in str(entry.unpriced_reason)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"genops.ledger.cost": "NaN"}, "genops.ledger.cost is 'NaN'"),
        ({"genops.ledger.cost": "-1"}, "genops.ledger.cost is '-1'"),
        ({"genops.ledger.cost": "1e999999999999"}, "genops.ledger.cost is"),
        ({"genops.ledger.started_at": "yesterday"}, "genops.ledger.started_at is 'yesterday'"),
        ({"genops.call.outcome": "fine"}, "genops.call.outcome is 'fine'"),
        ({"gen_ai.provider.name": None}, "gen_ai.provider.name is missing"),
        ({"genops.usage.quantity.input": "lots"}, "genops.usage.quantity.input is 'lots'"),
    ],
)
def test_record_that_is_none_is_rejected_and_the_others_taken(ledger: Ledger, wrong: dict[str, Any], said: str) -> None:
    """The sender is told how many records were not taken, and what is wrong with the first."""
    batch, taken = READER.read(*message(logs(record("BAD", wrong), record("GOOD"))))
    ledger.calls.write([batch], ledger.now)

    assert 1 == taken.rejected
    assert said in taken.message
    assert ["GOOD"] == [entry.call_id for entry in ledger.entries()]


def test_amounts_are_exact_to_twelve_places(ledger: Ledger) -> None:
    """Text is exact; a double is the decimal of at most 12 places that it stands for."""
    ledger.send(
        logs(record("A", {"genops.ledger.cost": "123456789.000000000001"})),
        traces(sdk_span("B", {"genops.cost.total": 0.1 + 0.2}, number=2), scope="genops"),
        traces(sdk_span("C", {"genops.cost.total": 1e-12, "genops.cost.list": 2e-12}, number=3), scope="genops"),
    )

    found = {entry.call_id: entry.cost for entry in ledger.entries()}
    assert {"A": Decimal("123456789.000000000001"), "B": Decimal("0.3"), "C": Decimal("1e-12")} == found


def test_long_texts_are_cut_off_visibly(ledger: Ledger) -> None:
    """An attribute of a megabyte does not fill the ledger, and says that it was cut."""
    ledger.send(traces(span(1, {**USED, "genops.customer_id": "a" * 1_000_000})))

    (entry,) = ledger.entries()
    assert entry.customer_id == "a" * 1023 + "…"


def test_spans_that_are_no_calls_leave_no_entry(ledger: Ledger) -> None:
    """Requests of HTTP, blocks that group calls, agents and tools."""
    ledger.send(
        traces(
            span(1, {"http.request.method": "GET"}),
            span(2, {"genops.call.id": "BLOCK", "genops.cost.role": "aggregate"}),
            span(3, {**USED, "gen_ai.operation.name": "invoke_agent"}),
            span(4, {"gen_ai.operation.name": "chat", "gen_ai.system": "openai"}),
        )
    )

    assert [] == ledger.entries()


def _alert(threshold: float) -> dict[str, Any]:
    said = {"genops.budget.name": "daily", "genops.budget.threshold": threshold, "genops.budget.consumed": 8.0}
    return {
        "eventName": "genops.budget.alert",
        "timeUnixNano": "1795186800000000000",
        "attributes": attributes({**said, "genops.budget.allocated": 10.0, "genops.team": "search"}),
    }


def test_alerts_are_kept_once(ledger: Ledger) -> None:
    """A budget alert that is sent again is the same alert."""
    ledger.send(logs(_alert(80.0)), logs(_alert(80.0)), logs(_alert(100.0)))

    assert [("daily", 80.0, "search"), ("daily", 100.0, "search")] == sorted(
        (alert["budget"], alert["threshold"], alert["team"]) for alert in ledger.calls.alerts()
    )


@pytest.mark.parametrize("make", [lambda event: _on_a_span(event), lambda event: _as_a_record(event)])
def test_evaluations_are_kept_once(ledger: Ledger, make: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """As an event of a span or a record, in our names or OpenTelemetry's; again is the same."""
    ours = {"genops.eval.metric": "accuracy", "genops.eval.score": 0.9, "genops.eval.passed": True}
    theirs = {"gen_ai.evaluation.name": "tone", "gen_ai.evaluation.score.label": "kind"}
    for name, said in (("genops.evaluation.complete", ours), ("gen_ai.evaluation.result", theirs)):
        ledger.send(*[make({"name": name, "timeUnixNano": "1795186800500000000", "attributes": attributes(said)})] * 2)

    rows = ledger.calls._db.execute("SELECT body FROM evaluations ORDER BY body LIKE '%tone%'").fetchall()
    assert 2 == len(rows)
    assert all(part in rows[0][0] for part in ('"name":"accuracy"', '"score":0.9', '"passed":true', f'"{1:032x}"'))
    assert '"label":"kind"' in rows[1][0]


def _on_a_span(event: dict[str, Any]) -> dict[str, Any]:
    return traces({**span(1, {"http.request.method": "GET"}), "events": [event]})


def _as_a_record(event: dict[str, Any]) -> dict[str, Any]:
    where = {"traceId": f"{1:032x}", "spanId": f"{1:016x}"}
    return logs(
        {"eventName": event["name"], "timeUnixNano": event["timeUnixNano"], **where, "attributes": event["attributes"]}
    )


def test_evaluation_that_the_application_kept_itself_is_one(ledger: Ledger) -> None:
    """The event on the span comes to the server, too, a moment apart."""
    found = Evaluation(
        evaluation_id="OWN",
        evaluated_at=datetime(2026, 11, 20, 15, 0, 0, 400, tzinfo=UTC),
        name="accuracy",
        score=0.9,
        trace_id=f"{1:032x}",
        span_id=f"{1:016x}",
    )
    own = open_ledger(ledger.directory)
    own.append_evaluation(found)
    said = attributes({"genops.eval.metric": "accuracy", "genops.eval.score": 0.9})
    event = {"name": "genops.evaluation.complete", "timeUnixNano": "1795186800000000000", "attributes": said}
    ledger.send(_on_a_span(event))
    own.close()

    assert [("OWN",)] == ledger.calls._db.execute("SELECT evaluation_id FROM evaluations").fetchall()

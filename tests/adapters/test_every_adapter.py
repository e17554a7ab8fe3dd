"""The conformance suite: what holds for every call of every adapter, each case for each form of call.

A third-party adapter passes it, too: add its forms to `tests.adapters.forms`.
"""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from fnmatch import fnmatch
from typing import Any

import pytest
from tests.adapters.forms import FORMS, Form, Reading

import genops
from genops import semconv as s
from genops.core.budgets.model import Budget
from genops.core.cost_context import CostContext
from genops.core.errors import BudgetBlocked, GenOpsBlocked, PolicyBlocked
from genops.core.ledger import Outcome
from genops.core.policy import Policy, PolicySet
from genops.core.pricing import PriceBook, PriceQuery
from genops.core.redacting import Redaction
from genops.core.usage import Usage
from genops.providers._engine import registry
from genops.providers._engine.surface import InstrumentedAdapter
from genops.testing.capture import Captured, capture
from genops.testing.conformance import check
from genops.testing.replay import Exchange, ReplayServer

pytestmark = pytest.mark.filterwarnings("ignore")  # the SDKs deprecate arguments and models of their own

STREAMS = [form for form in FORMS if form.streamed]
LIMITED = [form for form in FORMS if form.limit is not None]
every_form = pytest.mark.parametrize("form", FORMS, ids=str)
every_stream = pytest.mark.parametrize("form", STREAMS, ids=str)
ADDRESS = "ada.lovelace@example.org"


@pytest.fixture
def exchange(form: Form, recordings: dict[str, Exchange]) -> Exchange:
    registry.adapter_named(form.adapter).package.installed() or pytest.skip(f"{form.adapter} is not installed")
    found = next(each for each in recordings.values() if fnmatch(each.id, form.exchange) and each.status < 400)
    cut = form.extra.get("without")
    return replace(found, body=found.body.replace(cut, "")) if cut else found


@pytest.fixture
def server(exchange: Exchange) -> Iterator[ReplayServer]:
    with ReplayServer([exchange], choose=lambda received: running.exchanges[0]) as running:
        yield running


@pytest.fixture(autouse=True)
def leave_nothing_open(request: pytest.FixtureRequest) -> Iterator[None]:
    """What SDKs leave open when a stream is broken off is collected here, and not in somebody else's test."""
    yield
    if re.search("stream|refused|unreachable|untouched", request.node.name):
        gc.collect()


@contextmanager
def governed(form: Form, **more: Any) -> Iterator[Captured]:
    with (
        capture(adapters=[form.adapter], **more) as captured,
        genops.attribution(team="search", project="shop", environment="test"),
    ):
        yield captured


def refuse(server: ReplayServer, status: int) -> None:
    """Have the server answer with an error, in a form that every SDK takes for one."""
    error = {"message": "refused", "code": status, "status": "REFUSED", "type": "refused"}
    headers = {"content-type": "application/json", "x-amzn-errortype": "ValidationException"}
    body = json.dumps({"error": error, "message": "refused", "errors": [{"code": "refused", "message": "refused"}]})
    server.play(replace(server.exchanges[0], status=status, streaming=False, headers=headers, body=body, content=None))


# -- accounting --------------------------------------------------------------------------------------------------------


@every_form
def test_one_entry_with_reported_usage(form: Form, server: ReplayServer) -> None:
    """A call is one entry, completed, with the usage that the provider reports."""
    with governed(form) as captured:
        form.call(server.url)

    assert (Outcome.COMPLETED, "reported") == (captured.entry.outcome, captured.entry.usage_source)
    assert sum(captured.entry.usage.values()) > 0


@every_form
def test_cost_is_what_the_price_book_says(form: Form, server: ReplayServer) -> None:
    """The amount booked is the usage at the book's prices, or the entry says why there is none."""
    with governed(form) as captured:
        form.call(server.url)

    entry = captured.entry
    query = PriceQuery(
        provider=entry.provider,
        api=entry.api,
        request_model=entry.request_model,
        response_model=entry.response_model,
        at=entry.started_at,
        service_tier=entry.service_tier,
        region=entry.region,
    )
    again = PriceBook.default().price(Usage(dict(entry.usage)), query)
    assert entry.cost == getattr(again, "amount", None)


@every_form
def test_span_conforms(form: Form, server: ReplayServer) -> None:
    """The call's span is an AI Workload Unit at level full."""
    with governed(form) as captured:
        form.call(server.url)

    assert [] == list(check(captured.spans).violations)


@every_form
def test_span_carries_the_entry(form: Form, server: ReplayServer) -> None:
    """Cost on the span is that of the ledger, once."""
    with governed(form) as captured:
        form.call(server.url)

    costs = [dict(span.attributes or {}).get(s.GENOPS_COST_TOTAL) for span in captured.spans]
    stated = [cost for cost in costs if cost is not None]
    assert ([float(captured.entry.cost)] if captured.entry.cost is not None else []) == stated


@every_form
def test_entry_says_what_was_called(form: Form, server: ReplayServer) -> None:
    """Provider, model and the adapter's name of the operation are those of the call."""
    with governed(form) as captured:
        form.call(server.url)

    adapter, entry = registry.adapter_named(form.adapter), captured.entry
    provider = form.extra.get("provider", adapter.provider)  # a router's is that of the model
    assert (provider, form.model, form.streamed) == (entry.provider, entry.request_model, entry.streamed)
    assert f"{form.adapter}.{form.operation}" in dict(captured.span.attributes or {}).values()


@every_form
def test_answer_is_untouched(form: Form, server: ReplayServer) -> None:
    """The application gets what it gets without governance."""
    without = form.call(server.url)
    with governed(form):
        given = form.call(server.url)

    assert type(without) is type(given)
    made_up = form.extra.get("made_up", ())  # by the SDK, for each answer
    if form.streamed:  # we ask for a last chunk with the usage, and take it out again
        without, given = ([each for each in answer if not _is_usage(each)] for answer in (without, given))
    assert _plain(without, made_up) == _plain(given, made_up)


def _is_usage(chunk: Any) -> bool:
    return getattr(chunk, "choices", None) == []


def _plain(answer: Any, made_up: Sequence[str] = ()) -> Any:
    """An answer without what differs from request to request."""
    if isinstance(answer, list):
        return [_plain(each, made_up) for each in answer]
    if isinstance(answer, dict):
        return {key: _plain(each) for key, each in answer.items() if key != "ResponseMetadata"}
    dump = getattr(answer, "model_dump", None)
    found = dump() if dump is not None else answer
    if isinstance(found, dict):
        return {key: each for key, each in found.items() if key != "sdk_http_response" and key not in made_up}
    return repr(found) if hasattr(found, "__dict__") else found


# -- attribution -------------------------------------------------------------------------------------------------------


@every_form
def test_attribution_of_the_block(form: Form, server: ReplayServer) -> None:
    """Attributes of the surrounding block reach entry and span."""
    with governed(form) as captured, genops.attribution(customer_id="acme"):
        form.call(server.url)

    assert ("search", "acme") == (captured.entry.team, captured.entry.customer_id)
    assert "acme" in dict(captured.span.attributes or {}).values()


@every_form
def test_attribution_of_the_call(form: Form, server: ReplayServer) -> None:
    """Attributes given to the vendor's method are taken out of the request and win over the block's."""
    with governed(form) as captured:
        form.call(server.url, team="ads", feature="banner")

    assert ("ads", "banner") == (captured.entry.team, captured.entry.feature)
    assert b"banner" not in json.dumps(server.requests[0].body).encode()


@every_form
def test_every_operation_can_be_attributed(form: Form) -> None:
    """The adapter has `instrument_<operation>` for what it governs, and refuses unknown attributes at once."""
    instrumented = InstrumentedAdapter(registry.adapter_named(form.adapter))
    attribute = getattr(instrumented, f"instrument_{form.operation}")

    assert attribute(object(), team="ads") is not None
    with pytest.raises(genops.ConfigurationError, match="tema"):
        attribute(object(), tema="ads")


@every_form
def test_cost_context_adds_up(form: Form, server: ReplayServer) -> None:
    """A cost context knows what the calls inside it cost."""
    server._unique_ids = True
    with governed(form) as captured, CostContext("two") as context:
        form.call(server.url)
        form.call(server.url)

    known = sum((entry.cost or Decimal(0) for entry in captured.entries), Decimal(0))
    assert known == context.get_final_summary().total_cost


# -- refusal -----------------------------------------------------------------------------------------------------------


@every_form
def test_blocked_call_is_never_sent(form: Form, server: ReplayServer) -> None:
    """A policy refuses before anything leaves the process; the entry is blocked and free."""
    policies = PolicySet((Policy(name="none-of-it", deny_models=(form.model,)),))
    with governed(form, policies=policies) as captured, pytest.raises(PolicyBlocked):
        form.call(server.url)

    assert [] == server.requests
    assert Outcome.BLOCKED is captured.entry.outcome


@every_form
def test_exhausted_budget_refuses(form: Form, server: ReplayServer) -> None:
    """A budget of one request lets the first through, settled, and refuses the second before anything is sent."""
    server._unique_ids = True
    with governed(form, budgets=[Budget(name="one", limit=Decimal(1), unit="requests")]) as captured:
        form.call(server.url)
        sent = len(server.requests)
        with pytest.raises(BudgetBlocked):
            form.call(server.url)

    first, second = captured.entries
    assert (Decimal(1), Decimal(1)) == (first.reserved, first.actual)
    assert Outcome.BLOCKED is second.outcome
    assert sent == len(server.requests)


@pytest.mark.parametrize("form", LIMITED, ids=str)
def test_limit_of_the_output_is_laid_over_the_request(form: Form, server: ReplayServer) -> None:
    """A rule that caps the output is sent to the provider, where its API has the limit."""
    assert form.limit is not None
    argument, path = form.limit
    with governed(form, policy_rules=_rule("max_output_tokens: 7")):
        form.call(server.url, **{argument: 50})

    sent: Any = server.requests[0].body
    for name in path.split("."):
        sent = sent[name]
    assert 7 == sent


@pytest.mark.parametrize("form", [form for form in LIMITED if form.extra.get("rerouted", True)], ids=str)
def test_rerouted_call_asks_for_the_other_model(form: Form, server: ReplayServer) -> None:
    """A rule that reroutes has the other model asked for; the entry names it."""
    with governed(form, policy_rules=_rule("reroute: other-model-1")) as captured:
        form.call(server.url)

    request = server.requests[0]
    assert "other-model-1" in request.path + json.dumps(request.body)
    assert "other-model-1" == captured.entry.request_model


@pytest.mark.parametrize("form", [form for form in LIMITED if not form.extra.get("rerouted", True)], ids=str)
def test_call_that_takes_no_other_model_is_refused(form: Form, server: ReplayServer) -> None:
    """Where the model belongs to the object that is called, a rule that reroutes refuses, and says so."""
    with governed(form, policy_rules=_rule("reroute: other-model-1")), pytest.raises(PolicyBlocked, match="reroute"):
        form.call(server.url)

    assert [] == server.requests


@pytest.mark.parametrize("form", LIMITED, ids=str)
def test_redacted_prompt_leaves_without_personal_data(form: Form, server: ReplayServer) -> None:
    """What redaction takes out of a prompt is not in the bytes the provider gets."""
    with governed(form, redactor=Redaction(always=["all"])):
        form.call(server.url, f"Write to {ADDRESS}.")

    assert ADDRESS not in json.dumps(server.requests[0].body)
    assert "Write to" in json.dumps(server.requests[0].body)


def _rule(actions: str) -> Any:
    from genops.config.policies import parse_policy
    from genops.core.rules.ruleset import RuleSet

    return RuleSet(parse_policy(f"rules:\n  - {{name: changed, condition: 'true', actions: {{{actions}}}}}\n").rules)


# -- failure -----------------------------------------------------------------------------------------------------------


@every_form
@pytest.mark.parametrize("status", [400, 429])
def test_refused_request_is_free(form: Form, server: ReplayServer, status: int) -> None:
    """The vendor's own exception passes through; the entry is an error that cost nothing."""
    refuse(server, status)
    with governed(form) as captured, pytest.raises(Exception) as raised:  # noqa: PT011  # of eleven SDKs
        form.call(server.url)

    assert not isinstance(raised.value, GenOpsBlocked)
    assert not type(raised.value).__module__.startswith("genops")
    assert (Outcome.ERROR, "free", Decimal(0)) == _ending(captured)


@every_form
def test_unreachable_provider_is_free(form: Form, exchange: Exchange) -> None:
    """Without a connection nothing was consumed."""
    with ReplayServer([exchange]) as gone:
        url = gone.url
    with governed(form) as captured, pytest.raises(Exception):  # noqa: B017, PT011  # of eleven SDKs
        form.call(url)

    assert (Outcome.ERROR, "free", Decimal(0)) == _ending(captured)


@every_form
def test_a_fault_of_ours_never_reaches_the_application(
    form: Form, server: ReplayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ledger that cannot be written leaves the answer as it is."""
    monkeypatch.setattr(Captured, "append", _broken)  # what a sink does when a disk is full
    with governed(form):
        given = form.call(server.url)

    assert given is not None


def _broken(sink: object, entry: object) -> None:
    raise OSError("no space left on device")


def _ending(captured: Captured) -> tuple[Outcome, str, Decimal | None]:
    entry = captured.entry
    return entry.outcome, entry.cost_status, entry.cost


# -- coming and going --------------------------------------------------------------------------------------------------


@every_form
def test_uninstrumented_adapter_books_nothing(form: Form, server: ReplayServer) -> None:
    """After `uninstrument` the vendor's methods are the vendor's again."""
    with governed(form) as captured:
        registry.uninstrument([form.adapter])
        form.call(server.url)
        registry.instrument(registry.adapter_named(form.adapter))
        form.call(server.url)

    assert 1 == len(captured.entries)


@every_form
def test_instrumenting_twice_is_instrumenting_once(form: Form, server: ReplayServer) -> None:
    """A second `instrument` does not book a call twice."""
    with governed(form) as captured:
        registry.instrument(registry.adapter_named(form.adapter))
        form.call(server.url)

    assert 1 == len(captured.entries)


@every_form
def test_sampled_out_call_is_accounted(form: Form, server: ReplayServer) -> None:
    """Sampling drops the span, and never the entry."""
    with governed(form, sampled=False) as captured:
        form.call(server.url)

    assert captured.entry.usage
    assert () == captured.spans


# -- streams -----------------------------------------------------------------------------------------------------------


@every_stream
def test_first_chunk_is_timed(form: Form, server: ReplayServer) -> None:
    """The entry says when the first piece came."""
    with governed(form) as captured:
        form.call(server.url)

    first = captured.entry.time_to_first_chunk_ms
    assert first is not None
    assert 0 < first <= captured.entry.duration_ms


@every_stream
def test_closed_stream_is_booked(form: Form, server: ReplayServer) -> None:
    """A stream the application closes after one chunk is one entry that says so."""
    with governed(form) as captured:
        form.call(server.url, reading=Reading(chunks=1, close=True))
        gc.collect()

    assert captured.entry.outcome in (Outcome.CLOSED_EARLY, Outcome.ABANDONED)
    assert captured.entry.usage


@every_stream
def test_abandoned_stream_is_booked(form: Form, server: ReplayServer) -> None:
    """A stream nobody reads on is one entry, when it is let go at the latest."""
    with governed(form) as captured:
        form.call(server.url, reading=Reading(chunks=1))
        gc.collect()

    assert captured.entry.outcome in (Outcome.ABANDONED, Outcome.CLOSED_EARLY, Outcome.CANCELLED)


@every_stream
def test_stream_cut_by_the_network_is_booked(form: Form, server: ReplayServer) -> None:
    """A stream that breaks off is one entry with what had come; the SDK's exception, if it has one, passes through."""
    server.cut_after = form.extra.get("cut_after", 2)
    with governed(form) as captured:
        try:
            form.call(server.url)
        except Exception:  # noqa: BLE001  # of eleven SDKs; some take it for the end of the stream
            assert Outcome.ERROR is captured.entry.outcome
        else:
            assert Outcome.COMPLETED is captured.entry.outcome

    assert captured.entry.usage_source is not None

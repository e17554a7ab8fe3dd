"""Gemini's interactions: requests in an argument of their own, and calls that go on by themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from genops.config.policies import parse_policy
from genops.core.ledger import Outcome
from genops.core.rules.ruleset import RuleSet
from genops.testing.capture import Captured, capture
from genops.testing.replay import Exchange, Received, ReplayServer

genai = pytest.importorskip("google.genai")
if not hasattr(genai.Client, "interactions"):
    pytest.skip("this version of the SDK has no interactions", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore")  # google-genai says that interactions are experimental
MODEL = "gemini-2.5-flash"


def _exchange(name: str, body: dict[str, Any]) -> Exchange:
    return Exchange(
        id=name,
        provider="google_genai",
        api="interactions",
        model=None,
        streaming=False,
        path="/v1beta/interactions",
        request={},
        status=200,
        headers={"content-type": "application/json"},
        body=json.dumps({"id": f"v1_{name}", "object": "interaction", **body}),
    )


def _answer(token: str | None, tokens: int) -> Exchange:
    usage = {"total_input_tokens": tokens, "total_output_tokens": 2, "total_tokens": tokens + 2}
    more = {"continuation_token": token, "status": "requires_continuation"} if token else {"status": "completed"}
    return _exchange(str(tokens), {"model": MODEL, "usage": usage, **more})


@pytest.fixture
def captured() -> Iterator[Captured]:
    with capture(adapters=["gemini"]) as found:
        yield found


def _client(server: ReplayServer) -> Any:
    return genai.Client(api_key="test", http_options={"base_url": server.url})


def test_each_request_of_a_call_that_goes_on_is_booked(captured: Captured) -> None:
    """Every request of one `create` is billed, so each is an entry."""
    answers = {None: _answer("more", 10), "more": _answer(None, 20)}

    def choose(received: Received) -> Exchange:
        return answers[received.body.get("continuation_token")]

    with ReplayServer(list(answers.values()), choose=choose) as server, _client(server) as client:
        client.interactions.create(model=MODEL, input="Hi")

    assert [10, 20] == [entry.input_tokens for entry in captured.entries]
    assert {MODEL} == {entry.request_model for entry in captured.entries}


def test_request_in_one_argument_is_read_and_changed() -> None:
    """`request=` names the model, and a rule's limit is laid inside of it."""
    rules = RuleSet(
        parse_policy("rules:\n  - {name: short, condition: 'true', actions: {max_output_tokens: 7}}\n").rules
    )
    models = pytest.importorskip("google.genai._gaos.models")
    request = models.CreateInteractionRequest(body={"model": MODEL, "input": "Hi"})
    with (
        capture(adapters=["gemini"], policy_rules=rules) as captured,
        ReplayServer([_answer(None, 10)], choose=lambda _: _answer(None, 10)) as server,
        _client(server) as client,
    ):
        client.interactions.create(request=request)

    assert (MODEL, Outcome.COMPLETED) == (captured.entry.request_model, captured.entry.outcome)
    assert {"max_output_tokens": 7} == server.requests[0].body["generation_config"]


def test_interaction_in_the_background_is_estimated(captured: Captured) -> None:
    """Its answer comes before its usage: the entry says so."""
    begun = _exchange("background", {"status": "in_progress", "agent": "deep-research"})
    with ReplayServer([begun], choose=lambda _: begun) as server, _client(server) as client:
        client.interactions.create(agent="deep-research", input="Hi", background=True)

    assert ("deep-research", "estimated") == (captured.entry.request_model, captured.entry.usage_source)

"""The SDK's own retries: one call and one entry, however many requests it took; the span counts them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import openai
import pytest

from genops import semconv as s
from genops.core.ledger import Outcome
from genops.testing.capture import Captured
from genops.testing.replay import Exchange, Received, ReplayServer

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
WAIT = {"content-type": "application/json", "retry-after-ms": "1"}


def _failing_once(exchange: Exchange) -> ReplayServer:
    """A server that is overloaded at the first request."""
    refused = replace(exchange, status=429, headers=WAIT, body='{"error": {"message": "slow down"}}')
    answers = iter([refused, exchange, exchange])

    def choose(received: Received) -> Exchange:
        return next(answers)

    return ReplayServer(choose=choose)


def test_retried_call_is_one_entry_with_its_attempts(recordings: dict[str, Exchange], captured: Captured) -> None:
    """Two requests, one entry at the price of the answered one."""
    with (
        _failing_once(recordings["openai-chat-once-0b39ae08eb"]) as server,
        openai.OpenAI(api_key="test", base_url=f"{server.url}/v1", max_retries=2) as client,
    ):
        client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}])

    attributes: dict[str, Any] = dict(captured.span.attributes or {})
    assert 2 == len(server.requests)
    assert (Outcome.COMPLETED, 264) == (captured.entry.outcome, captured.entry.input_tokens)
    if hasattr(openai._base_client.SyncAPIClient, "_sleep_for_retry"):  # not in the oldest version
        assert 2 == attributes[s.GENOPS_CALL_ATTEMPTS]

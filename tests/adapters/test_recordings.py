"""Every recorded exchange that the SDK parses is one ledger entry with the vendor's own figures.

`GENOPS_RECORDINGS=dir` runs another folder of the same format.
"""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest
from tests.adapters.conftest import RECORDINGS

from genops.core.ledger import Outcome
from genops.testing.capture import capture
from genops.testing.conformance import check
from genops.testing.replay import Exchange, ReplayServer, load_recordings

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # recordings name models of long ago

GOVERNED = {
    ("openai", "chat"): "chat.completions.create",
    ("openai", "responses"): "responses.create",
    ("openai", "completions"): "completions.create",
    ("openai", "embeddings"): "embeddings.create",
    ("openai", "images"): "images.generate",
    ("openai", "moderations"): "moderations.create",
    ("azure_openai", "chat"): "chat.completions.create",
    ("azure_openai", "responses"): "responses.create",
    ("azure_openai", "completions"): "completions.create",
    ("azure_openai", "embeddings"): "embeddings.create",
    ("anthropic", "messages"): "messages.create",
}
EXCHANGES = [each for each in load_recordings(RECORDINGS) if (each.provider, each.api) in GOVERNED and each.request]


def _client(provider: str, url: str) -> Any:
    if provider == "anthropic":
        return anthropic.Anthropic(api_key="test", base_url=url, max_retries=0)
    return openai.OpenAI(api_key="test", base_url=f"{url}/v1", max_retries=0)


def _call(client: Any, exchange: Exchange) -> Any:
    method = client
    for name in GOVERNED[(exchange.provider, exchange.api)].split("."):
        method = getattr(method, name, None)
        if method is None:
            pytest.skip(f"this version of the SDK has no {name}")
    known = {"model", "messages", "input", "prompt", "max_tokens", "stream", "stream_options", "tools"}
    arguments = {name: value for name, value in exchange.request.items() if name in known}
    rest = {name: value for name, value in exchange.request.items() if name not in known}
    arguments.setdefault("model", exchange.model or "gpt-4o")
    result = method(**arguments, extra_body=rest or None, extra_headers={"x-genops-exchange": exchange.id})
    if exchange.request.get("stream"):
        for _ in result:
            pass
    return result


def _stated(exchange: Exchange) -> dict[str, Any] | None:
    """The vendor's usage object, from the raw body: the last one of a stream, merged over the first for Anthropic."""
    if not exchange.streaming:
        return json.loads(exchange.body).get("usage")
    found: dict[str, Any] | None = None
    for line in exchange.body.splitlines():
        if not line.startswith("data:") or "[DONE]" in line:
            continue
        event = json.loads(line[5:])
        usage = event.get("usage") or (event.get("message") or event.get("response") or {}).get("usage")
        if usage:
            stated = {name: value for name, value in usage.items() if value is not None}
            found = {**(found or {}), **stated} if exchange.provider == "anthropic" else stated
    return found


def _expected(provider: str, usage: dict[str, Any]) -> tuple[int, int, int]:
    """Input, cached input and output tokens, written down again by hand from the vendors' documentation."""
    if provider == "anthropic":
        cached = usage.get("cache_read_input_tokens") or 0
        written = usage.get("cache_creation_input_tokens") or 0
        return usage["input_tokens"] + cached + written, cached, usage["output_tokens"]
    total = usage.get("prompt_tokens", usage.get("input_tokens", 0))
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    return total, details.get("cached_tokens") or 0, usage.get("completion_tokens", usage.get("output_tokens", 0))


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.id)
def test_recorded_exchange_is_booked_once_with_the_vendors_figures(exchange: Exchange) -> None:
    """One entry, the vendor's token counts, and a span that conforms at level full."""
    import genops

    with (
        ReplayServer([exchange]) as server,
        capture(adapters=["openai", "anthropic"]) as captured,
        genops.attribution(team="search", project="shop", environment="test"),
        _client(exchange.provider, server.url) as client,
    ):
        try:
            _call(client, exchange)
        except (openai.APIError, anthropic.APIError, ValueError) as error:
            if exchange.status < 400 or isinstance(error, ValueError):
                pytest.skip(f"the SDK does not parse it: {error}")
    entry = captured.entry
    assert check(captured.spans).ok, check(captured.spans).violations
    if exchange.status >= 400:
        assert (Outcome.ERROR, "free", {}) == (entry.outcome, entry.cost_status, entry.usage)
        return
    usage = _stated(exchange)
    if usage is None:
        assert entry.usage_source != "reported"
        return
    total, cached, output = _expected(exchange.provider, usage)
    assert (total, output) == (entry.input_tokens or 0, entry.output_tokens or 0)
    assert cached == sum(int(quantity) for meter, quantity in entry.usage.items() if meter.startswith("cache_read"))

"""What holds for every adapter: one call is one ledger entry, with the usage that the provider reports."""

from typing import Any

import acme_llm
import pytest
from genops.testing.capture import capture

import genops

SAY: list[Any] = [{"role": "user", "content": "hello"}]


@pytest.mark.parametrize("streamed", [False, True])
def test_call_is_one_entry(streamed: bool) -> None:
    with capture(adapters=["acme"]) as captured, genops.attribution(team="search"):
        answer = acme_llm.Client().complete(model="acme-1", messages=SAY, stream=streamed, feature="greeting")
        if streamed:
            list(answer)

    entry = captured.entry
    assert ("acme", "acme-1", "search", "greeting") == (
        entry.provider,
        entry.request_model,
        entry.team,
        entry.feature,
    )
    assert {"input": 12, "output": 3} == dict(entry.usage)

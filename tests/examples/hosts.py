"""Where the examples of each adapter find their provider: the variables that lead its SDK to the replay server."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from genops.testing.replay import Exchange, Received, ReplayServer, load_recordings

ROOT = Path(__file__).parents[2]
MISSING = "no-such-model"  # the model that the examples of production ask for in vain

# What a request says, and what the recording that answers it is to have.
FEATURES = {
    '"ttl": "1h"': "cache_1h",
    '"ttl": "5m"': "cache_read",
    '"thinking"': "thinking",
    "web_search": "server_tool",
    '"tools"': "tools",
}
_ID = re.compile(r'"(?:id|responseId|response_id|generation_id)":\s*"([^"]+)"')
_REQUEST = "x-amzn-requestid"
_Variables = Callable[[str], Mapping[str, str]]
VARIABLES: dict[str, _Variables] = {
    "openai": lambda url: {"OPENAI_API_KEY": "test", "OPENAI_BASE_URL": f"{url}/v1"},
    "anthropic": lambda url: {"ANTHROPIC_API_KEY": "test", "ANTHROPIC_BASE_URL": url},
}
RECORDED: dict[str, tuple[str, ...]] = {}  # folders of recordings, where they are not called as the adapter is


class ProviderServer(ReplayServer):
    """Answers as the provider would, and with its own error where the model does not exist."""

    def __init__(self, exchanges: list[Exchange]) -> None:
        super().__init__([exchange for exchange in exchanges if exchange.status < 400])
        self._answers = 0
        self._refusal = next(
            (each for each in exchanges if each.status in (404, 400) and not each.streaming),
            replace(exchanges[0], status=404, streaming=False, body='{"error": {"message": "no such model"}}'),
        )

    def answer(self, received: Received) -> Exchange | None:
        """The recorded answer to a request."""
        asked = json.dumps(received.body)
        if MISSING in received.path or MISSING in asked:
            return self._refusal
        everything = self.exchanges
        feature = next((feature for said, feature in FEATURES.items() if said in asked), None)
        alike = [each for each in everything if (_has(each, feature) if feature else _is_plain(each))]
        self.exchanges = alike
        found = super().answer(received)
        self.exchanges = everything
        found = found or super().answer(received)
        self._answers += 1
        return found and _as_another_call(found, self._answers)


def _as_another_call(exchange: Exchange, number: int) -> Exchange:
    """The exchange under an id of its own: providers do not give one twice, and one id is booked once."""
    found = _ID.search(exchange.body)
    body = exchange.body.replace(found[1], f"{found[1]}-{number}") if found else exchange.body
    headers = exchange.headers | ({_REQUEST: f"request-{number}"} if _REQUEST in exchange.headers else {})
    return replace(exchange, body=body, headers=headers)


@cache
def _index() -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in json.loads((ROOT / "tests/recordings/index.json").read_text())}


def _has(exchange: Exchange, feature: str) -> bool:
    return feature in _index().get(exchange.id, {}).get("features", ())


def _is_plain(exchange: Exchange) -> bool:
    return not any(_has(exchange, each) for each in ("no_usage", "tools"))


def exchanges_of(adapter: str) -> list[Exchange]:
    """The recordings that the examples of an adapter are answered from; those that say what they used come first."""
    folders = RECORDED.get(adapter, (adapter,))
    found = [
        each
        for each in load_recordings(ROOT / "tests/recordings")
        if _index()[each.id]["file"].partition("/")[0] in folders
    ]
    return [*sorted(found, key=lambda each: _has(each, "no_usage")), *FILES.get(adapter, ())]


def _file(path: str, lines: list[object]) -> Exchange:
    return Exchange(
        id=path,
        provider="",
        api="files",
        model=None,
        streaming=False,
        path=path,
        request={},
        status=200,
        headers={"content-type": "application/json"},
        body="".join(json.dumps(line) + "\n" for line in lines),
    )


@contextmanager
def provider(adapter: str, ledger: Path) -> Iterator[dict[str, str]]:
    """Run the provider's stand-in; gives the environment for a program that calls it."""
    with ProviderServer(exchanges_of(adapter)) as server:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("GENOPS_", "OTEL_"))}
        yield {
            **inherited,
            **VARIABLES[adapter](server.url),
            "GENOPS_LEDGER_DIR": str(ledger),
            "PYTHONWARNINGS": "error",
            "PYTHONUTF8": "1",
        }


# What has no recording: result files of batches, as the providers' references describe them.
_USAGE = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
_CHAT = {"id": "chatcmpl-b1", "object": "chat.completion", "model": "gpt-4o-mini", "choices": [], "usage": _USAGE}
_MESSAGE = {
    "id": "msg_b1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5",
    "content": [],
    "usage": {"input_tokens": 100, "output_tokens": 10},
}
_BATCH = "/v1/messages/batches/msgbatch_1"
FILES: dict[str, tuple[Exchange, ...]] = {
    "openai": (
        _file(
            "/v1/files/file-1/content",
            [{"id": "batch_req_1", "custom_id": "a", "response": {"status_code": 200, "body": _CHAT}, "error": None}],
        ),
    ),
    "anthropic": (
        _file(_BATCH, [{"id": "msgbatch_1", "type": "message_batch", "results_url": f"{_BATCH}/results"}]),
        _file(
            f"{_BATCH}/results",
            [
                {"custom_id": "a", "result": {"type": "succeeded", "message": _MESSAGE}},
                {"custom_id": "b", "result": {"type": "expired"}},
            ],
        ),
    ),
}

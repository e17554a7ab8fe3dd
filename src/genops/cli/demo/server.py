"""The demo's provider: recorded answers, one per model, and two that go wrong."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path

from genops.testing.replay import Exchange, Received, ReplayServer, load_recordings

__all__ = ["demo_server"]

_DOWN = '{"error": {"message": "The server is overloaded", "type": "server_error"}}'


def demo_server() -> ReplayServer:
    """The replay server of the demo, not started yet."""
    exchanges = load_recordings(Path(str(resources.files("genops.data").joinpath("demo"))))

    def choose(received: Received) -> Exchange | None:
        model, streaming = received.body.get("model"), bool(received.body.get("stream"))
        last = received.path.rpartition("/")[2]
        fitting = [e for e in exchanges if e.streaming == streaming and e.path.rpartition("/")[2] == last]
        if model == "gpt-4.1-nano":
            return replace(fitting[0], status=503, body=_DOWN, headers={"content-type": "application/json"})
        if model == "shop-7b":
            return replace(fitting[0], body=fitting[0].body.replace(str(fitting[0].model), "shop-7b"))
        return next((e for e in fitting if str(e.request.get("model")) == model), fitting[0] if fitting else None)

    return ReplayServer(choose=choose, unique_ids=True)

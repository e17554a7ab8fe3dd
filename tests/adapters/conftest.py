"""Real SDKs against replayed traffic."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from genops.testing.capture import Captured, capture
from genops.testing.replay import Exchange, ReplayServer, load_recordings

RECORDINGS = Path(os.environ.get("GENOPS_RECORDINGS") or Path(__file__).parents[1] / "recordings")


@pytest.fixture(scope="session")
def recordings() -> dict[str, Exchange]:
    return {exchange.id: exchange for exchange in load_recordings(Path(__file__).parents[1] / "recordings")}


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with ReplayServer() as running:
        yield running


@pytest.fixture
def captured() -> Iterator[Captured]:
    import genops

    with (
        capture(adapters=["openai", "anthropic"]) as found,
        genops.attribution(team="search", project="shop", environment="test"),
    ):
        yield found

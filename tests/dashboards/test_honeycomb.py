"""deploy/dashboards/honeycomb/create.py, run as a user runs it, against a Honeycomb on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.exporters import loopback

SCRIPT = Path(__file__).resolve().parents[2] / "deploy/dashboards/honeycomb/create.py"
RUN = f"import runpy, sys; sys.argv[0] = 'create.py'; runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"


@pytest.fixture
def server() -> Iterator[loopback.Backend]:
    """A server that gives everything the id x."""
    with loopback.backend() as running:
        running.says = b'{"id": "x"}'
        yield running


def test_board_shows_the_queries_that_were_created(server: loopback.Backend, tmp_path: Path) -> None:
    """First each query and its name, then one board with all of them."""
    done = loopback.run(tmp_path, RUN, "shop", HONEYCOMB_CONFIG_KEY="k", HONEYCOMB_ENDPOINT=server.url)
    *queries, board = server.sent
    panels = json.loads(board.raw)["panels"]

    assert (0, f"board x with {len(panels)} queries") == (done.returncode, done.stdout.strip()), done.stderr
    assert ["/1/queries/shop", "/1/query_annotations/shop"] * len(panels) == [each.path for each in queries]
    assert {"k"} == {each.headers["x-honeycomb-team"] for each in server.sent}
    assert {"x"} == {panel["query_panel"]["query_id"] for panel in panels}


def test_refusal_and_a_missing_key_say_what_to_type(server: loopback.Backend, tmp_path: Path) -> None:
    """What Honeycomb answers, and the variable."""
    server.status, server.says = 401, b'{"error": "unknown API key"}'
    refused = loopback.run(tmp_path, RUN, HONEYCOMB_CONFIG_KEY="k", HONEYCOMB_ENDPOINT=server.url)
    missing = loopback.run(tmp_path, RUN)

    assert "HTTP 401" in refused.stderr
    assert "unknown API key" in refused.stderr
    assert "fix: export HONEYCOMB_CONFIG_KEY" in missing.stderr

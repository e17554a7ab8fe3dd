"""OPA: asked over HTTP and a unix socket; what it does not say is an error, and never a pass.

The server here answers as OPA's Data API does. Where an `opa` binary is on the path, the real one is asked as well.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genops.core.decision import Result
from genops.core.errors import ConfigurationError, RateLimited
from genops.core.rules.engines import PolicyEngineError
from genops.core.rules.model import OnTrouble
from genops.engines import Asked
from genops.engines.opa import OPAEngine

CALL: dict[str, Any] = {"team": "search", "model": "o3", "estimated_cost": 0.5, "now": "2026-11-23T12:00:00+00:00"}
NO_O3 = {
    "violations": [{"rule": "no-o3", "reason_code": "POLICY_DENY_MODEL", "message": "too dear", "fix": "use mini"}]
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server: Any = self.server
        given = json.loads(self.rfile.read(int(self.headers["content-length"])))
        server.asked.append((self.path, dict(self.headers), given["input"]))
        time.sleep(server.slow_s)
        status, body = server.answer
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)
        if server.drops:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Quiet."""


class _Tcp(socketserver.ThreadingMixIn, HTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up is what some tests are about."""


class _Unix(_Tcp):
    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        self.socket.bind(self.server_address)

    def get_request(self) -> Any:
        request, _ = self.socket.accept()
        return request, ("local", 0)


def _serving(server: Any, result: Any) -> Any:
    server.asked, server.slow_s, server.drops = [], 0.0, False
    server.answer = (200, {"result": result})
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server


@pytest.fixture
def server() -> Iterator[Any]:
    made = _serving(_Tcp(("127.0.0.1", 0), _Handler), NO_O3)
    yield made
    made.shutdown()
    made.server_close()


_opened: list[OPAEngine] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while _opened:
        _opened.pop().close()


def engine(server: Any, **more: Any) -> OPAEngine:
    return opened(f"http://127.0.0.1:{server.server_port}", **{"timeout_s": 5, **more})


def opened(url: str, **more: Any) -> OPAEngine:
    _opened.append(OPAEngine(url, **more))
    return _opened[-1]


def test_violations_come_with_what_rego_says_of_them(server: Any) -> None:
    """The input is the call's, under the path of the decision, with the token."""
    (found,) = engine(server, path="genops.decision", token="t").evaluate(CALL)

    assert ("no-o3", "POLICY_DENY_MODEL", Result.BLOCKED, "use mini") == (
        found.rule,
        found.reason_code,
        found.result,
        found.fix,
    )
    path, headers, given_input = server.asked[0]
    assert ("/v1/data/genops/decision", "Bearer t", CALL) == (path, headers["Authorization"], given_input)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"violations": []}, []),
        ({"allow": True}, []),
        ({"allow": False, "reason": "no"}, [("opa", Result.BLOCKED, "x_policy_denied")]),
        ({"violations": [{"rule": "w", "decision": "WARNING"}]}, [("w", Result.WARNING, "x_policy_denied")]),
        (
            {"violations": [{"rule": "r", "decision": "RATE_LIMITED", "retry_after_s": 3}]},
            [("r", Result.RATE_LIMITED, "RATE_LIMITED")],
        ),
    ],
)
def test_decision_may_be_short(server: Any, result: Any, expected: Any) -> None:
    """A boolean is enough."""
    server.answer = (200, {"result": result})

    assert expected == [(each.rule, each.result, each.reason_code) for each in engine(server).evaluate(CALL)]


def test_rate_limit_of_rego_is_raised_as_one(server: Any) -> None:
    """With its seconds."""
    server.answer = (200, {"result": {"violations": [{"rule": "r", "decision": "RATE_LIMITED", "retry_after_s": 3}]}})
    (found,) = engine(server).evaluate(CALL)

    assert (RateLimited, 3.0) == (found.refusal, found.retry_after_s)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((200, {}), "undefined"),
        ((200, b"<html>"), "not JSON"),
        ((200, {"result": {"allowed": True}}), "answered"),
        ((200, {"result": {"violations": [{"message": "x"}]}}), "without a rule"),
        ((200, {"result": {"violations": [{"rule": "a", "decision": "NO"}]}}), "decides 'NO'"),
        ((200, {"result": {"violations": [{"rule": "a", "reason_code": "NO"}]}}), "reason code 'NO'"),
        ((500, {"code": "internal_error"}), "status 500"),
    ],
)
def test_answer_that_decides_nothing_is_an_error(server: Any, answer: Any, message: str) -> None:
    """It says what came, and what was expected."""
    server.answer = answer
    with pytest.raises(PolicyEngineError, match=message) as caught:
        engine(server).evaluate(CALL)
    assert "violations" in str(caught.value.fix)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [(OnTrouble.BLOCK, [Result.BLOCKED]), (OnTrouble.WARN, [Result.WARNING]), (OnTrouble.ALLOW, [])],
)
def test_what_follows_is_configured(choice: OnTrouble, expected: list[Result]) -> None:
    """Nobody listens there: block, warn, or let through."""
    asked = Asked(OPAEngine("http://127.0.0.1:1"), choice)

    assert expected == [each.result for each in asked(CALL)]


def test_slow_server_is_not_waited_for(server: Any) -> None:
    """The time-out is the engine's."""
    server.slow_s = 2
    with pytest.raises(PolicyEngineError, match="does not answer: TimeoutError"):
        engine(server, timeout_s=0.05).evaluate(CALL)


def test_connection_that_the_server_closed_is_opened_again(server: Any) -> None:
    """Keep-alive ends without a word."""
    server.drops = True
    asked = engine(server)

    assert [1, 1, 1] == [len(asked.evaluate(CALL)) for _ in range(3)]


def test_failing_server_is_left_alone_for_a_while_and_then_asked_again(server: Any) -> None:
    """Three failures in a row; time is the test's."""
    now = [0.0]
    asked = engine(server, clock=lambda: now[0])
    server.answer = (500, {})
    for _ in range(3):
        with pytest.raises(PolicyEngineError, match="status 500"):
            asked.evaluate(CALL)
    server.answer = (200, {"result": {"allow": True}})
    with pytest.raises(PolicyEngineError, match="left alone"):
        asked.evaluate(CALL)
    assert 3 == len(server.asked)
    now[0] = 1.0

    assert () == asked.evaluate(CALL)


def test_alike_calls_share_an_answer_for_as_long_as_asked(server: Any) -> None:
    """Time and cost are left out of what makes calls alike; another model is another question."""
    now = [0.0]
    asked = engine(server, cache_s=1, clock=lambda: now[0])
    asked.evaluate(CALL)
    asked.evaluate({**CALL, "estimated_cost": 0.6, "now": "2026-11-23T12:00:01+00:00"})
    assert 1 == len(server.asked)
    asked.evaluate({**CALL, "model": "o4"})
    now[0] = 1.0
    asked.evaluate(CALL)

    assert 3 == len(server.asked)


def test_unix_socket(tmp_path: Path) -> None:
    """As http+unix://."""
    path = tmp_path / "opa.sock"
    made = _serving(_Unix(str(path), _Handler, bind_and_activate=True), NO_O3)
    try:
        assert ["no-o3"] == [each.rule for each in opened(f"http+unix://{path}", timeout_s=5).evaluate(CALL)]
    finally:
        made.shutdown()
        made.server_close()


@pytest.mark.parametrize("url", ["127.0.0.1:8181", "ftp://host", "http://", "http+unix://"])
def test_address_that_is_none_is_refused(url: str) -> None:
    """With an example."""
    with pytest.raises(ConfigurationError, match="no address of an OPA server"):
        OPAEngine(url)


def test_child_process_asks_over_a_connection_of_its_own(server: Any) -> None:
    """After fork the parent's socket is the parent's."""
    asked = engine(server)
    asked.evaluate(CALL)
    child = os.fork()
    if child == 0:
        os._exit(0 if len(asked.evaluate(CALL)) == 1 else 1)
    assert 0 == os.waitpid(child, 0)[1]
    assert 1 == len(asked.evaluate(CALL))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["rule", "decision", "violations", "allow", "reason_code"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(result=JSON)
def test_whatever_the_server_says_is_a_decision_or_an_engine_error(result: Any) -> None:
    """Nothing else gets out."""
    try:
        found = OPAEngine("http://127.0.0.1:1")._violations(json.dumps({"result": result}).encode())
    except PolicyEngineError:
        return
    assert all(each.rule for each in found)


REGO = """\
package genops.decision

violations contains v if {
    input.model == "o3"
    v := {"rule": "no-o3", "reason_code": "POLICY_DENY_MODEL", "message": "too dear"}
}
"""


@pytest.mark.skipif(shutil.which("opa") is None, reason="no opa binary on the path: the real server was not asked")
def test_real_server(tmp_path: Path) -> None:
    """The same decision, by OPA itself."""
    (tmp_path / "p.rego").write_text(REGO)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        "opa",
        "run",
        "--server",
        "--addr",
        f"127.0.0.1:{port}",
        "--log-level",
        "error",
        str(tmp_path / "p.rego"),
    ]
    with subprocess.Popen(command) as running:
        try:
            asked = opened(f"http://127.0.0.1:{port}", timeout_s=5)
            _until_up(port)
            assert ["no-o3"] == [each.rule for each in asked.evaluate(CALL)]
            assert () == asked.evaluate({**CALL, "model": "gpt-4o-mini"})
        finally:
            running.terminate()


def _until_up(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)

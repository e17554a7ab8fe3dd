"""Open Policy Agent: rules in Rego, asked of a server on this machine or near it, over HTTP or a unix socket.

Source: OPA's REST API, "Data API": POST /v1/data/<path> with {"input": ...} answers {"result": ...}; an undefined
decision has no "result".
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from genops.core.budgets.forks import call_after_fork
from genops.core.decision import Result, Violation
from genops.core.errors import ConfigurationError, RateLimited
from genops.core.rules.engines import PolicyEngineError
from genops.core.rules.model import REASON_CODES

__all__ = ["OPAEngine"]

_CODE = re.compile(r"x_[a-z0-9_]+")
_FAILURES = 3  # in a row, before the server is left alone
_LONGEST_PAUSE_S = 30.0
_CACHED = 1000
_VARIES = frozenset({"now", "estimated_cost", "input_tokens", "budget_used"})  # between calls that are alike
_MOST = 1_048_576  # bytes of an answer


class OPAEngine:
    """Asks the decision at `path`. Safe for several threads and after `fork`.

    The decision is `{"violations": [{"rule", "decision", "reason_code", "message", "fix", "retry_after_s"}]}`, where
    all but `rule` may be left out, or `{"allow": true}`, `{"allow": false, "reason": ...}`. `url` is http://, https://
    or http+unix://%2Frun%2Fopa.sock. With `cache_s`, calls that differ in nothing but time, cost and tokens share an
    answer for so long; 0 asks about every call.
    """

    def __init__(
        self,
        url: str,
        *,
        path: str = "genops/decision",
        timeout_s: float = 0.25,
        cache_s: float = 0,
        token: str | None = None,
        name: str = "opa",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._connect = _connector(url, timeout_s)
        self._target = "/v1/data/" + "/".join(
            quote(part, safe="") for part in path.strip("/").replace(".", "/").split("/")
        )
        self._where = f"{url} ({path})"
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._cache_s = cache_s
        self._clock = clock
        self._failures = 0
        self._alone_until = 0.0
        self._start_over()
        call_after_fork(self._start_over)

    def _start_over(self) -> None:
        self._idle: list[http.client.HTTPConnection] = []  # list.pop and append are atomic
        self._lock = threading.Lock()
        self._cache: OrderedDict[str, tuple[float, tuple[Violation, ...]]] = OrderedDict()

    def evaluate(self, call: Mapping[str, Any]) -> Sequence[Violation]:
        """The rules that `call` breaks. Raises `PolicyEngineError`."""
        if not self._cache_s:
            return self._ask(call)
        key = json.dumps({name: value for name, value in call.items() if name not in _VARIES}, sort_keys=True)
        now = self._clock()
        with self._lock:
            known = self._cache.get(key)
            if known is not None and now < known[0]:
                return known[1]
        found = self._ask(call)
        with self._lock:
            self._cache[key] = now + self._cache_s, found
            if len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
        return found

    def _ask(self, call: Mapping[str, Any]) -> tuple[Violation, ...]:
        now = self._clock()
        if self._failures >= _FAILURES and now < self._alone_until:
            raise self._error(f"it failed {self._failures} times and is left alone for {self._alone_until - now:.1f} s")
        try:
            answer = self._post(json.dumps({"input": dict(call)}).encode())
        except (OSError, http.client.HTTPException) as error:
            self._failures += 1
            pause = min(_LONGEST_PAUSE_S, 0.5 * 2 ** max(0, self._failures - _FAILURES))
            self._alone_until = self._clock() + pause
            raise self._error(f"it does not answer: {type(error).__name__}: {error}") from error
        self._failures = 0
        return self._violations(answer)

    def close(self) -> None:
        """Close the connections that are kept."""
        while self._idle:
            self._idle.pop().close()

    def _post(self, body: bytes) -> bytes:
        """One exchange; a kept connection that the server has closed since is opened again, once."""
        idle = self._idle
        if idle:
            connection = idle.pop()
            try:
                return self._exchange(connection, body, idle)
            except (ConnectionError, http.client.BadStatusLine, http.client.CannotSendRequest):
                pass
        return self._exchange(self._connect(), body, idle)

    def _exchange(
        self, connection: http.client.HTTPConnection, body: bytes, idle: list[http.client.HTTPConnection]
    ) -> bytes:
        try:
            connection.request("POST", self._target, body, self._headers)
            response = connection.getresponse()
            answer = response.read(_MOST + 1)
        except BaseException:
            connection.close()
            raise
        if response.will_close or len(answer) > _MOST:
            connection.close()
        else:
            idle.append(connection)
        if response.status != 200:
            text = answer[:200].decode("utf-8", "replace")
            raise http.client.HTTPException(f"status {response.status}: {text}")
        if len(answer) > _MOST:
            raise http.client.HTTPException(f"an answer of over {_MOST} bytes")
        return answer

    def _violations(self, answer: bytes) -> tuple[Violation, ...]:
        try:
            document = json.loads(answer)
        except ValueError:
            raise self._error(f"it answered what is not JSON: {answer[:80]!r}") from None
        if not isinstance(document, dict) or "result" not in document:
            raise self._error("the decision is undefined: no rule of that name, or none that holds")
        result = document["result"]
        if isinstance(result, dict) and isinstance(result.get("violations"), list):
            return tuple(self._violation(each) for each in result["violations"])
        if isinstance(result, dict) and isinstance(result.get("allow"), bool):
            return () if result["allow"] else (self._violation({"rule": self.name, "message": result.get("reason")}),)
        raise self._error(f"it answered {str(result)[:80]!r}")

    def _violation(self, given: Any) -> Violation:
        if not isinstance(given, dict) or not isinstance(given.get("rule"), str) or not given["rule"].strip():
            raise self._error(f"a violation is {str(given)[:80]!r}, without a rule")
        rule, said = given["rule"], given.get("decision", "BLOCKED")
        if said not in ("BLOCKED", "WARNING", "RATE_LIMITED"):
            raise self._error(f"rule {rule!r} decides {str(said)[:40]!r}")
        result = Result(said)
        code = given.get("reason_code") or ("RATE_LIMITED" if result is Result.RATE_LIMITED else "x_policy_denied")
        if not isinstance(code, str) or (code not in REASON_CODES and _CODE.fullmatch(code) is None):
            raise self._error(f"rule {rule!r} has the reason code {str(code)[:40]!r}")
        message, after = given.get("message"), given.get("retry_after_s")
        found = Violation(
            rule=rule,
            reason_code=code,
            message=f"rule {rule!r} of {self.name}: {message or 'the call is not allowed'}",
            fix=given["fix"] if isinstance(given.get("fix"), str) else None,
            result=result,
            retry_after_s=float(after) if isinstance(after, int | float) and not isinstance(after, bool) else None,
        )
        return _rate_limited(found) if result is Result.RATE_LIMITED else found

    def _error(self, what: str) -> PolicyEngineError:
        return PolicyEngineError(
            f"OPA at {self._where}: {what}",
            fix='the server up, and its decision {"violations": [{"rule": ...}]} or {"allow": true}',
        )


def _rate_limited(found: Violation) -> Violation:
    import dataclasses

    return dataclasses.replace(found, refusal=RateLimited)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, socket_path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._socket_path = socket_path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(self._socket_path)
        except OSError:
            self.sock.close()
            raise


def _connector(url: str, timeout_s: float) -> Callable[[], http.client.HTTPConnection]:
    parts = urlsplit(url)
    if parts.scheme == "http+unix" and (path := unquote(parts.netloc) + parts.path):
        return lambda: _UnixConnection(path, timeout_s)
    host, port = parts.hostname, parts.port
    if parts.scheme == "http" and host:
        return lambda: http.client.HTTPConnection(host, port, timeout=timeout_s)
    if parts.scheme == "https" and host:
        context = ssl.create_default_context()
        return lambda: http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)
    raise ConfigurationError(
        f"{url!r} is no address of an OPA server.", fix="http://127.0.0.1:8181 or http+unix:///run/opa.sock"
    )

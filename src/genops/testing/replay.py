"""Replay: recorded provider exchanges, served to real SDKs by a server on loopback."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Exchange", "Received", "ReplayServer", "load_recordings"]

_DROPPED = frozenset({"content-length", "content-encoding", "transfer-encoding", "connection", "date"})
EXCHANGE_HEADER = "x-genops-exchange"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One recorded request with its response. Bodies are text; a stream is its events.

    `content` is the body where it is binary, as Amazon's event streams are. `url` is where the request went.
    """

    id: str
    provider: str
    api: str
    model: str | None
    streaming: bool
    path: str
    request: dict[str, Any]
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    content: bytes | None = None
    url: str = ""

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Exchange:
        """Read one file of a recordings folder."""
        request, response = found["request"], found["response"]
        return cls(
            id=found["id"],
            provider=found["provider"],
            api=found["api"],
            model=found.get("model"),
            streaming=bool(found.get("streaming")),
            path=urlsplit(request["url"]).path,
            request=_json_object(request.get("body")) or _form_fields(request),
            status=response["status"],
            headers={key.lower(): value for key, value in (response.get("headers") or {}).items()},
            body=response.get("body") or "",
            content=base64.b64decode(response["body_base64"]) if response.get("body_base64") else None,
            url=request["url"],
        )

    def events(self) -> list[bytes]:
        """The pieces of a stream: server-sent events, lines, or the messages of Amazon's event stream."""
        if self.content is not None:
            return _messages(self.content)
        if "event-stream" in self.headers.get("content-type", "event-stream"):
            pieces = re.split(r"(?<=\n\n)|(?<=\r\n\r\n)", self.body)
        else:
            pieces = self.body.splitlines(keepends=True)
        return [piece.encode() for piece in pieces if piece]

    def with_unique_id(self, suffix: str) -> Exchange:
        """The same exchange under another response id, as a second call would have had."""
        changed = re.sub(
            r'("id":\s*")((?:chatcmpl|resp|msg|cmpl)[-_])[^"]*',
            lambda match: f"{match[1]}{match[2]}{suffix}",
            self.body,
        )
        changed = re.sub(r'("responseId":\s*")[^"]*', lambda match: f"{match[1]}{suffix}", changed)
        return replace(self, body=changed)


def _messages(content: bytes) -> list[bytes]:
    """The messages of an event stream; each begins with its length."""
    found, place = [], 0
    while place < len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        found.append(content[place : place + length])
        place += length
    return found


def _json_object(body: Any) -> dict[str, Any]:
    try:
        found = json.loads(body) if isinstance(body, str) else body
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _form_fields(request: dict[str, Any]) -> dict[str, Any]:
    """The text fields of a form that was sent, as an upload of a file is."""
    kind = (request.get("headers") or {}).get("content-type", "")
    if not kind.startswith("multipart/form-data") or not request.get("body_base64"):
        return {}
    head = f"Content-Type: {kind}\r\n\r\n".encode()
    form = message_from_bytes(head + base64.b64decode(request["body_base64"]))
    parts = [part for part in form.walk() if not part.is_multipart() and part.get_filename() is None]
    return {
        str(part.get_param("name", header="content-disposition")): str(part.get_payload()).rstrip("\r\n")
        for part in parts
    }


def load_recordings(folder: Path) -> list[Exchange]:
    """Every exchange in a folder of recordings, in the order of its index, or of its file names without one."""
    index = folder / "index.json"
    if index.exists():
        files = [folder / row["file"] for row in json.loads(index.read_text())]
    else:
        files = sorted(folder.glob("*/*.json"))
    return [Exchange.from_dict(json.loads(file.read_text())) for file in files if file.exists()]


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it reached the server."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class ReplayServer:
    """Serves exchanges on 127.0.0.1: `with ReplayServer(exchanges) as server:`, then point a client at `server.url`.

    The exchange is the one named by the request header `x-genops-exchange`, else what `choose` returns for the request,
    else the first recorded with the same end of the path, model and streaming. `cut_after` drops the connection after
    so many events; `chunk_delay_s` waits before each. `unique_ids` gives every response an id of its own.
    """

    def __init__(
        self,
        exchanges: Iterable[Exchange] = (),
        *,
        choose: Callable[[Received], Exchange | None] | None = None,
        unique_ids: bool = False,
    ) -> None:
        self.exchanges = list(exchanges)
        self.requests: list[Received] = []
        self.cut_after: int | None = None
        self.chunk_delay_s = 0.0
        self._choose = choose
        self._unique_ids = unique_ids
        self._count = 0
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The address to give to a client as its base URL, without a path."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> ReplayServer:
        replay = self

        class Handler(_Handler):
            server_state = replay

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def play(self, *exchanges: Exchange) -> None:
        """Serve only these from here on."""
        self.exchanges = list(exchanges)

    def answer(self, received: Received) -> Exchange | None:
        """The exchange that answers a request; None if there is none."""
        with self._lock:
            self.requests.append(received)
            self._count += 1
            count = self._count
        found = self._find(received)
        return found.with_unique_id(f"r{count:06d}") if found is not None and self._unique_ids else found

    def _find(self, received: Received) -> Exchange | None:
        wanted = received.headers.get(EXCHANGE_HEADER)
        if wanted is not None:
            return next((exchange for exchange in self.exchanges if exchange.id == wanted), None)
        if self._choose is not None:
            return self._choose(received)
        streaming, path = bool(received.body.get("stream")), urlsplit(received.path).path
        fitting = [
            exchange
            for exchange in self.exchanges
            if exchange.streaming == streaming and _tail(exchange.path) == _tail(path)
        ]
        fitting = [exchange for exchange in fitting if exchange.path == path] or fitting
        exact = (exchange for exchange in fitting if exchange.request.get("model") == received.body.get("model"))
        return next(exact, fitting[0] if fitting else None)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that drops its connection is what many tests are about."""


def _tail(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_state: ReplayServer

    def log_message(self, format: str, *args: Any) -> None:
        return None

    def do_GET(self) -> None:
        self._respond({})

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        self._respond(_json_object(content.decode("utf-8", "replace")))

    def _respond(self, body: dict[str, Any]) -> None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        exchange = self.server_state.answer(Received(self.path, headers, body))
        try:
            if exchange is None:
                self._send(404, {"content-type": "application/json"}, b'{"error":{"message":"no such recording"}}')
            elif exchange.streaming and exchange.status < 400:
                self._stream(exchange)
            else:
                self._send(exchange.status, exchange.headers, exchange.content or exchange.body.encode())
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client went away, as some tests have it do

    def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for key, value in headers.items():
            if key not in _DROPPED:
                self.send_header(key, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, exchange: Exchange) -> None:
        """Send the events one by one; without a length, so that a cut is a broken body and not a short one."""
        state = self.server_state
        self.send_response(exchange.status)
        for key, value in exchange.headers.items():
            if key not in _DROPPED:
                self.send_header(key, value)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number, content in enumerate(exchange.events()):
            if state.cut_after is not None and number >= state.cut_after:
                self.close_connection = True
                self.connection.close()
                return
            if state.chunk_delay_s:
                time.sleep(state.chunk_delay_s)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

"""An HTTP server in front of ClickHouse's own engine (chdb), as much of the protocol as a client needs. Test code only.

python clickhouse_server.py DIRECTORY  prints its port. `POST /_fail?before=N|after=N` drops the connection of the next
N inserts, before or after the engine has done them, as a network that breaks.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from chdb import session

# What of a URL is the protocol's and no setting.
OURS = {"query", "database", "query_id", "session_id", "client_protocol_version", "wait_end_of_query", "default_format"}
OURS |= {
    "enable_http_compression",
    "compress",
    "decompress",
    "buffer_size",
    "role",
    "session_timeout",
    "http_headers_progress_interval_ms",
}
INSERT_ENDS = " FORMAT "

engine = session.Session(sys.argv[1])
lock = threading.Lock()
fail = {"before": 0, "after": 0}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        address = urlsplit(self.path)
        given = {name: values[0] for name, values in parse_qs(address.query, keep_blank_values=True).items()}
        body = self._body()
        if address.path == "/_fail":
            fail.update({name: int(count) for name, count in given.items()})
            return self._answer(200, b"")
        if address.path == "/ping":
            return self._answer(200, b"Ok.\n")
        is_insert = given.get("query", "").lstrip().upper().startswith("INSERT")
        if is_insert and self._breaks("before"):
            return None
        try:
            found = self._run(given, body, is_insert)
        except Exception as error:  # noqa: BLE001 - the engine's words are the answer
            return self._answer(
                500, str(error).encode(), code=str(error).partition("Code: ")[2].partition(".")[0] or "1000"
            )
        if is_insert and self._breaks("after"):
            return None
        return self._answer(200, found)

    def _run(self, given: dict[str, str], body: bytes, is_insert: bool) -> bytes:
        settings = {n: v for n, v in given.items() if n not in OURS and not n.startswith("param_")}
        parameters = {n.removeprefix("param_"): v for n, v in given.items() if n.startswith("param_")}
        text = ", ".join(f"{name} = '{value}'" for name, value in settings.items())
        with lock:
            engine.query(f"USE {given.get('database') or 'default'}")
            if is_insert:
                return self._insert(given["query"], body, text)
            sql = given.get("query") or body.decode()
            if text and sql.lstrip().upper().startswith(("SELECT", "WITH", "--")):
                sql, ends, form = sql.rpartition("\n FORMAT ") if "\n FORMAT " in sql else (sql, "", "")
                sql = f"{sql}\nSETTINGS {text}{ends}{form}"
            return bytes(
                engine.query(sql, given.get("default_format", "TabSeparated"), params=parameters).bytes() or b""
            )

    def _insert(self, sql: str, body: bytes, settings: str) -> bytes:
        head, _, form = sql.rpartition(INSERT_ENDS)
        with tempfile.NamedTemporaryFile(suffix=".data") as file:
            file.write(body)
            file.flush()
            settings = f"SETTINGS {settings}" if settings else ""
            engine.query(f"{head} SELECT * FROM file('{file.name}', '{form.strip()}') {settings}")
        return b""

    def _breaks(self, when: str) -> bool:
        if fail[when] <= 0:
            return False
        fail[when] -= 1
        self.close_connection = True
        self.connection.close()
        return True

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, status: int, body: bytes, code: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if code:
            self.send_header("X-ClickHouse-Exception-Code", code)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)  # noqa: T201
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()  # ends with its parent
    server.serve_forever()

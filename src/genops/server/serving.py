"""The server process: one for each ledger directory, from its lock to its last flush."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import secrets
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from genops.analytics import Replica
from genops.analytics.served import LOCK_NAME, read_address, write_address
from genops.config.settings import Settings
from genops.core.errors import ConfigurationError
from genops.core.pricing import PriceBook
from genops.core.rates import Rates
from genops.server.access import Access, is_loopback
from genops.server.app import make_app
from genops.server.following import Follower
from genops.server.otlp.grpc import GrpcReceiver
from genops.server.otlp.reading import Reader
from genops.server.receiving import Receiver
from genops.server.state import Changes, ServerState
from genops.server.writing import Writer
from genops.stores.arrivals import arrivals
from genops.stores.received import ReceivedCalls
from genops.stores.sqlite import told_plainly

__all__ = ["EVERYWHERE", "Options", "serve", "url_of"]

EVERYWHERE = frozenset({"0.0.0.0", "::"})  # all addresses of this machine
_ANALYTICS = "analytics.duckdb"
_SHORTEST_TOKEN = 16
_GRACE_S = 5
_PORT_FIX = "genops serve --port 4319, and OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4319"
_GRPC_PORT_FIX = "genops serve --grpc-port 4327, or --grpc-port 0 for none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Where a server listens, and for which ledger. Port 0 takes any; no `grpc_port` is no gRPC."""

    directory: Path
    host: str = "127.0.0.1"
    port: int = 4318
    grpc_port: int | None = 4317
    token: str | None = None


def serve(options: Options, settings: Settings, announce: Callable[[Access, int, int | None], None]) -> None:
    """Serve until SIGINT or SIGTERM. `announce` is told how to get in, the port, and that of gRPC, once both are open.

    Raises `ConfigurationError` if the directory is served already, or its ledger cannot be read or written, or a port
    cannot be had.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(_only_one(options.directory))
        held = stack.enter_context(contextlib.closing(_bind(options.host, options.port, _PORT_FIX)))
        port: int = held.getsockname()[1]
        access = Access(options.host, port, _token(options))
        changed, book = Changes(), PriceBook.default(Rates.parse(settings.prices))
        with told_plainly(options.directory):
            calls = stack.enter_context(contextlib.closing(ReceivedCalls(options.directory)))
        with arrivals(options.directory):  # one that cannot be read is said now, not page by page
            pass
        replica = Replica(options.directory, options.directory / _ANALYTICS)
        stack.enter_context(contextlib.closing(replica))
        follower = stack.enter_context(contextlib.closing(Follower(replica.advance, changed)))
        writer = stack.enter_context(contextlib.closing(Writer(calls, follower.poke)))
        receiver = stack.enter_context(contextlib.closing(Receiver(Reader(book), writer)))
        over_grpc = None
        if options.grpc_port is not None:
            _bind(options.host, options.grpc_port, _GRPC_PORT_FIX).close()  # gRPC says less about what is wrong
            over_grpc = GrpcReceiver(receiver, access, options.grpc_port)
            stack.callback(over_grpc.close, _GRACE_S)
        state = ServerState(
            source=replica,
            directory=options.directory,
            settings=settings,
            changed=changed,
            access=access,
            receiver=receiver,
            refresh=replica.advance,
            health=_health(options.directory, writer, follower),
        )
        stack.enter_context(_address(options, port, access))
        announce(access, port, over_grpc.port if over_grpc is not None else None)
        _run(state, held)


def _run(state: ServerState, held: socket.socket) -> None:
    config = uvicorn.Config(
        make_app(state),
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    asyncio.run(_Server(config, state.changed).serve(sockets=[held]))


class _Server(uvicorn.Server):
    """Ends on SIGINT and SIGTERM, and leaves the rest of the end to `serve`."""

    def __init__(self, config: uvicorn.Config, changed: Changes) -> None:
        super().__init__(config)
        self._changed = changed

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals, and do not raise them again afterwards: there is more to flush."""
        before = {each: signal.signal(each, self.handle_exit) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; pages that listen for changes would keep the server waiting."""
        super().handle_exit(sig, frame)
        asyncio.get_running_loop().call_soon_threadsafe(self._changed.close)


# -- what a server holds -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    """The directory's lock, which ends with the process, however that ends."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"the ledger directory {directory} cannot be written: {error.strerror}.",
            fix="genops serve --ledger DIR, with a directory of your own",
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            found = read_address(directory)
            where = f" at {found.url}, process {found.pid}" if found is not None else ""
            raise ConfigurationError(
                f"{directory} is being served already{where}.",
                fix=f"open {found.url if found is not None else 'that one'}, or end it first; another ledger: --ledger",
            ) from None
        yield
    finally:
        os.close(descriptor)


def _bind(host: str, port: int, fix: str) -> socket.socket:
    """A socket that listens there. Raises `ConfigurationError`, which says why it cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise ConfigurationError(f"there is no host {host!r}: {error.strerror}.", fix="--host 127.0.0.1") from None
    held = socket.socket(family, kind, protocol)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(address)
        held.listen(128)
    except OSError as error:
        held.close()
        reasons = {errno.EADDRINUSE: "something listens there", errno.EACCES: "that port needs a privilege"}
        raise ConfigurationError(
            f"port {port} of {host} cannot be had: {reasons.get(error.errno or 0, error.strerror)}.",
            fix=fix,
        ) from None
    return held


def _token(options: Options) -> str | None:
    """The token that every request needs; None on loopback, unless one is asked for."""
    if options.token is not None and len(options.token) < _SHORTEST_TOKEN:
        raise ConfigurationError(
            f"a token of {len(options.token)} characters can be guessed; {_SHORTEST_TOKEN} or more are needed.",
            fix="leave --token out, and one is made",
        )
    return options.token or (None if is_loopback(options.host) else secrets.token_urlsafe(32))


@contextlib.contextmanager
def _address(options: Options, port: int, access: Access) -> Iterator[None]:
    """Say in the ledger directory where the server is, for as long as it is there."""
    host = options.host if options.host not in EVERYWHERE else "127.0.0.1"
    path = write_address(options.directory, url_of(host, port), access.token)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def url_of(host: str, port: int) -> str:
    """The URL of a server."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _health(directory: Path, writer: Writer, follower: Follower) -> Callable[[], Mapping[str, Any]]:
    def health() -> Mapping[str, Any]:
        problems = [problem for problem in (writer.problem, follower.problem) if problem is not None]
        return {
            "status": "ok" if not problems else "degraded",
            "problems": problems,
            "ledger": str(directory),
            "received": writer.records,
            "pid": os.getpid(),
        }

    return health

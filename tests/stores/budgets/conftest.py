"""A real Redis server for the session, and a fresh store of each kind."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from genops.core.budgets.store import BudgetStore
from genops.stores.budgets.memory import MemoryBudgetStore
from genops.stores.budgets.redis import RedisBudgetStore
from genops.stores.budgets.sqlite import SQLiteBudgetStore

NO_SERVER = "redis-server is not installed here, so nothing about Redis was tested.  fix: apt-get install redis-server"


def free_port() -> int:
    """A port that nobody listens on, and low enough for a cluster's second one, 10,000 above it."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port < 55_000:
            return port


class RedisServer:
    """A redis-server process of ours on a free port, without persistence."""

    def __init__(self, folder: Path, *options: str, config: Path | None = None) -> None:
        self.folder, self.options, self.config = folder, options, config
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        command = ["redis-server"] + ([str(self.config), "--sentinel"] if self.config else [])
        command += ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        command += [] if self.config else ["--save", "", "--appendonly", "no", *self.options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=0.2).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise RuntimeError("redis-server did not start within 10 s")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def needs_redis() -> None:
    if shutil.which("redis-server") is None:
        pytest.skip(NO_SERVER)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One server for all tests that do not harm it; each takes a namespace of its own."""
    needs_redis()
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def start_redis(tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Start a server that the test may stop, empty or make a replica."""
    needs_redis()
    servers: list[RedisServer] = []

    def start(*options: str, config: Path | None = None) -> RedisServer:
        servers.append(RedisServer(tmp_path, *options, config=config))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(params=["memory", "sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BudgetStore]:
    """A fresh store of each kind."""
    made: BudgetStore
    if request.param == "memory":
        made = MemoryBudgetStore()
    elif request.param == "sqlite":
        made = SQLiteBudgetStore(tmp_path / "budgets.db")
    else:
        made = RedisBudgetStore(request.getfixturevalue("redis_server").url, namespace=uuid.uuid4().hex, timeout_s=5.0)
    yield made
    made.close()

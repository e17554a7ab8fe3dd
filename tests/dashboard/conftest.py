"""A ledger with something of everything, the server over it, and a real browser to look at it."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright
from starlette.testclient import TestClient
from tests.dashboard.sample import settings_of, write_sample

from genops.analytics import Replica
from genops.server.app import make_app
from genops.server.state import ServerState

expect.set_options(timeout=20_000)  # the machine may be busy
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def state_of(directory: Path, config: Path | None = None) -> ServerState:
    """A server's state over a ledger directory, loaded up to now."""
    replica = Replica(directory)
    if directory.is_dir():
        replica.advance()
    return ServerState(source=replica, directory=directory, settings=settings_of(directory, config))


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the sample's genops.yaml; its ledger is `ledger` inside."""
    return write_sample(tmp_path_factory.mktemp("dashboard"))


@pytest.fixture(scope="session")
def state(sample: Path) -> Iterator[ServerState]:
    found = state_of(sample / "ledger", sample / "genops.yaml")
    yield found
    found.source.close()


@pytest.fixture(scope="session")
def client(state: ServerState) -> TestClient:
    """Asks the application without a browser."""
    return TestClient(make_app(state), base_url="http://127.0.0.1", follow_redirects=False)


@contextmanager
def served(state: ServerState) -> Iterator[str]:
    """The application on a free port of loopback."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    config = uvicorn.Config(make_app(state), lifespan="off", ws="none", log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [held]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
    finally:
        server.should_exit = True
        state.changed.close()
        thread.join()
        held.close()


@pytest.fixture(scope="session")
def url(sample: Path) -> Iterator[str]:
    """Where a browser finds the sample."""
    own = state_of(sample / "ledger", sample / "genops.yaml")
    with served(own) as found:
        yield found
    own.source.close()


@pytest.fixture(scope="module")  # no longer: while it runs, asyncio.run() of other tests finds a running loop
def browser() -> Iterator[Browser]:
    """Debian's Chromium, with a profile of its own. CI never does without."""
    if not CHROMIUM.exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{CHROMIUM} is not here, and CI never skips the dashboard.  fix: apt-get install chromium")
        pytest.skip(f"no {CHROMIUM}, so nobody looked at the dashboard.  fix: apt-get install chromium")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=list(FLAGS))
        yield found
        found.close()


@dataclass
class Tab:
    """A page of the browser, and what it should not have done."""

    page: Page
    faults: list[str]  # messages on the console, uncaught errors, dialogs
    strangers: list[str]  # requests to other hosts


@contextmanager
def tab(browser: Browser, url: str, **options: Any) -> Iterator[Tab]:
    """A tab with storage of its own, in which `url` is the base."""
    context = browser.new_context(base_url=url, **{"viewport": {"width": 1280, "height": 800}, **options})
    page = context.new_page()
    found = Tab(page, [], [])
    page.on("console", lambda said: found.faults.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: found.faults.append(str(error)))
    page.on("dialog", lambda dialog: (found.faults.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda asked: None if asked.url.startswith(url) else found.strangers.append(asked.url))
    try:
        yield found
    finally:
        context.close()

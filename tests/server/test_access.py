"""Who may ask: hosts, origins, the token, browser sessions, and the headers of every answer."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from genops.analytics import Replica
from genops.config.settings import Settings
from genops.server import ServerState, make_app
from genops.server.access import Access, is_loopback

TOKEN = "a-token-of-enough-characters"


def ask(access: Access, asking: Callable[[httpx.AsyncClient], Awaitable[Any]], host: str = "localhost:4318") -> Any:
    """What a client of the application finds out."""

    async def run(directory: Path) -> Any:
        source = Replica(directory)  # of a ledger in which nothing is
        state = ServerState(source=source, directory=directory, settings=Settings(), access=access)
        transport = httpx.ASGITransport(make_app(state))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            found = await asking(client)
        source.close()
        return found

    with tempfile.TemporaryDirectory() as directory:
        return asyncio.run(run(Path(directory)))


def query(**headers: str) -> Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]:
    """Ask a query, which is a POST."""
    return lambda client: client.post("/api/query/totals", json={}, headers=headers)


@pytest.mark.parametrize("host", ["localhost:4318", "127.0.0.1:4318", "[::1]:4318", "app.localhost", "127.0.0.1"])
def test_names_of_this_machine_are_answered(host: str) -> None:
    """On loopback, without a token."""
    assert 200 == ask(Access(), query(), host).status_code


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:4318", "", "[::1"])
def test_name_of_another_machine_is_not_answered_on_loopback(host: str) -> None:
    """A site that has its name lead to 127.0.0.1 reads nothing (DNS rebinding)."""
    answer = ask(Access(), lambda client: client.get("/api/health", headers={"host": host}))

    assert 421 == answer.status_code


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, {}),
        (200, {"origin": "http://localhost:4318", "sec-fetch-site": "same-origin"}),
        (403, {"origin": "http://evil.example"}),
        (403, {"origin": "http://localhost:3000"}),
        (403, {"origin": "null"}),
        (403, {"sec-fetch-site": "cross-site"}),
        (403, {"sec-fetch-site": "same-site"}),
    ],
)
def test_pages_of_other_sites_change_nothing(status: int, headers: dict[str, str]) -> None:
    """What a browser says of where a request comes from decides; a program says nothing."""
    assert status == ask(Access(), query(**headers)).status_code


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (401, {}),
        (401, {"authorization": "Bearer wrong"}),
        (401, {"authorization": TOKEN}),
        (401, {"authorization": "Bearer é"}),
        (401, {"cookie": "genops_session_4318=made-up"}),
        (200, {"authorization": f"Bearer {TOKEN}"}),
        (200, {"authorization": f"bearer {TOKEN}"}),
    ],
)
def test_token_is_needed_where_there_is_one(status: int, headers: dict[str, str]) -> None:
    """In its header; anything else is refused."""
    headers = {name: value.encode() for name, value in headers.items()}  # type: ignore[misc]  # httpx takes bytes
    answer = ask(Access("0.0.0.0", 4318, TOKEN), query(**headers), "gateway.example")

    assert status == answer.status_code
    assert (status == 401) == ("www-authenticate" in answer.headers)


def test_link_opens_the_pages_once() -> None:
    """It gives a session cookie that no script and no other site can use, and works a single time."""
    access = Access("0.0.0.0", 4318, TOKEN)
    link = access.login_path
    assert link is not None

    async def visit(client: httpx.AsyncClient) -> tuple[httpx.Response, int, int]:
        opened = await client.get(link)
        inside = await client.post("/api/query/totals", json={})
        client.cookies.clear()
        again = await client.get(link)
        return opened, inside.status_code, again.status_code

    opened, inside, again = ask(access, visit)
    assert (303, "/") == (opened.status_code, opened.headers["location"])
    assert all(part in opened.headers["set-cookie"] for part in ("HttpOnly", "SameSite=strict", "Path=/"))
    assert TOKEN not in opened.headers["set-cookie"]
    assert (200, 401) == (inside, again)
    assert access.login_path is None


def test_form_takes_the_token() -> None:
    """Whoever lost the link types the token; a wrong one is told so."""
    access = Access("0.0.0.0", 4318, TOKEN)

    async def visit(client: httpx.AsyncClient) -> list[int]:
        locked = await client.get("/", headers={"accept": "text/html"})
        assert "<form" in locked.text
        wrong = await client.post("/login", data={"token": "no"})
        long = await client.post("/login", data={"token": "x" * 10_000})
        right = await client.post("/login", data={"token": TOKEN})
        inside = await client.post("/api/query/totals", json={})
        return [answer.status_code for answer in (locked, wrong, long, right, inside)]

    assert [401, 401, 413, 303, 200] == ask(access, visit)


def test_health_says_no_more_than_that_to_those_without_the_token() -> None:
    """A probe needs no token, and learns nothing."""
    answer = ask(Access("0.0.0.0", 4318, TOKEN), lambda client: client.get("/api/health"))

    assert {"status", "version"} == answer.json().keys()


@pytest.mark.parametrize("path", ["/", "/login", "/api/health", "/nowhere", "/api/query/totals"])
def test_every_answer_has_the_security_headers(path: str) -> None:
    """Pages, endpoints, mistakes and refusals alike."""
    for access in (Access(), Access("0.0.0.0", 4318, TOKEN)):
        headers = ask(access, lambda client: client.get(path)).headers
        assert headers["content-security-policy"].startswith("default-src 'self'; ")
        assert "unsafe" not in headers["content-security-policy"]
        assert ("nosniff", "DENY", "no-referrer") == (
            headers["x-content-type-options"],
            headers["x-frame-options"],
            headers["referrer-policy"],
        )
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)],
)
def test_what_is_loopback(host: str, loopback: bool) -> None:
    """Only what no other machine reaches."""
    assert loopback == is_loopback(host)


def test_locked_page_looks_like_the_others() -> None:
    """Its style is no secret; whatever says something of the ledger is."""
    paths = ("/assets/dashboard.css", "/assets/../", "/setup/findings", "/calls/x", "/api/query/totals")

    async def visit(client: httpx.AsyncClient) -> list[int]:
        return [(await client.get(path, headers={"accept": "text/html"})).status_code for path in paths]

    assert [200, 401, 401, 401, 401] == ask(Access("0.0.0.0", 4318, TOKEN), visit)

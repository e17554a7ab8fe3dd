"""The gate: every request passes it, whichever page or endpoint it is for; every answer gets its headers here."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genops.server.access import Access
from genops.server.otlp.answers import refused_over_http

__all__ = ["Gate", "login"]

_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_OPEN = frozenset({"/login", "/api/health"})
_ASSETS = "/assets/"  # what everybody finds in the package
_OTLP = "/v1/"
_LONGEST_LOGIN = 4096  # bytes
_LOGIN_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>GenOps</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml"><link rel="stylesheet" href="/assets/dashboard.css">
<script src="/assets/theme.js"></script></head>
<body><main class="login"><h1>GenOps</h1>
<p>{said} The command that started the server printed a link that opens these pages once, and a token.</p>
<form class="filter" method="post" action="/login">
<label for="token">Token</label> <input id="token" name="token" type="password" autocomplete="off" required autofocus>
<button class="button">Open</button></form></main></body></html>
"""


class Gate:
    """ASGI middleware: refuses what `Access` refuses, and puts the security headers on every answer."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refusal = self._refusal(HTTPConnection(scope), scope)
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, request: HTTPConnection, scope: Scope) -> Response | None:
        headers, access, path = request.headers, self._access, scope["path"]
        host = headers.get("host")
        if not access.trusts_host(host):
            return _refuse(
                421, f"this server does not answer for the host {host!r}.", "open http://localhost", headers, path
            )
        if not access.trusts_origin(scope["method"], host, headers.get("origin"), headers.get("sec-fetch-site")):
            return _refuse(
                403, "a page of another site made this request.", "use the pages of this server", headers, path
            )
        is_open = path in _OPEN or path.startswith(_ASSETS)
        if is_open or access.allows(headers.get("authorization"), request.cookies.get(access.cookie)):
            return None
        if "text/html" in headers.get("accept", ""):
            return _login_page(401, "These pages are locked.")
        return _refuse(401, "the token is missing or wrong.", "Authorization: Bearer <token>", headers, path)


def _refuse(status: int, message: str, fix: str, headers: Headers, path: str) -> Response:
    if path.startswith(_OTLP):
        return refused_over_http(status, f"{message} fix: {fix}", headers.get("content-type"))
    extra = {"www-authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"error": message, "fix": fix}, status, extra)


def _login_page(status: int, said: str) -> Response:
    return HTMLResponse(_LOGIN_PAGE.format(said=said), status)


async def login(request: Request) -> Response:
    """Give a browser its session cookie, for the code of the one-time link or the token from the form."""
    access: Access = request.app.state.access
    if request.method == "POST":
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LONGEST_LOGIN:
                return _login_page(413, "That is no token.")
        session = access.open_session(token=_form_value(body, "token"))
    else:
        code = request.query_params.get("code")
        if code is None:
            return _login_page(200, "These pages are locked.")
        session = access.open_session(code=code)
    if session is None:
        return _login_page(401, "That was not right, or the link has been used.")
    answer = RedirectResponse("/", 303)
    answer.set_cookie(access.cookie, session, httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return answer


def _form_value(body: bytes, name: str) -> str | None:
    found = parse_qs(body.decode(errors="replace"), max_num_fields=4).get(name)
    return found[0] if found else None

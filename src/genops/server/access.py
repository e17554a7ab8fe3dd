"""Who may ask: the token, browser sessions, and requests that other sites have a browser make.

On loopback everybody on this machine may read and send. A page of another site must not, so the Host header has to
name this machine (DNS rebinding), and what changes state must come from the server's own pages or from no browser.
Bound to another address, every request needs the token: as `Authorization: Bearer`, or as the cookie that the one-time
link gives a browser.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import threading
from urllib.parse import urlsplit

__all__ = ["Access", "is_loopback"]

_SESSIONS_KEPT = 1000
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITE = frozenset({"same-origin", "none"})


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what is bound to `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class Access:
    """The rules for one server, bound to `host`. Without a `token` there is none; sessions end with the process."""

    def __init__(self, host: str = "127.0.0.1", port: int = 4318, token: str | None = None) -> None:
        self.host = host
        self.token = token
        self.cookie = f"genops_session_{port}"  # browsers do not tell the ports of a host apart
        self._loopback = is_loopback(host)
        self._code: str | None = secrets.token_urlsafe(24) if token is not None else None
        self._sessions: dict[str, None] = {}
        self._lock = threading.Lock()

    # -- the token -----------------------------------------------------------------------------------------------------

    @property
    def login_path(self) -> str | None:
        """The path of the link that opens the pages in a browser, once; None if no token is needed or it was used."""
        return None if self._code is None else f"/login?code={self._code}"

    def knows_token(self, given: str) -> bool:
        """Whether `given` is the token."""
        return self.token is not None and _same(given, self.token)

    def allows(self, authorization: str | None, session: str | None) -> bool:
        """Whether a request with this Authorization header and this session cookie may pass."""
        if self.token is None:
            return True
        scheme, _, given = (authorization or "").partition(" ")
        if scheme.lower() == "bearer" and self.knows_token(given.strip()):
            return True
        return session is not None and session in self._sessions

    def open_session(self, *, code: str | None = None, token: str | None = None) -> str | None:
        """The value of a new session cookie, for the code of the link or the token; None for a wrong one."""
        with self._lock:
            by_code = code is not None and self._code is not None and _same(code, self._code)
            if by_code:
                self._code = None
            elif token is None or not self.knows_token(token):
                return None
            if len(self._sessions) >= _SESSIONS_KEPT:
                del self._sessions[next(iter(self._sessions))]
            session = secrets.token_urlsafe(32)
            self._sessions[session] = None
            return session

    # -- other sites ---------------------------------------------------------------------------------------------------

    def trusts_host(self, host: str | None) -> bool:
        """Whether the Host header names this machine, where that is all that keeps other sites out."""
        if not self._loopback:
            return True
        try:
            name = urlsplit(f"//{host or ''}").hostname or ""
        except ValueError:
            return False
        return is_loopback(name) or name == self.host

    def trusts_origin(self, method: str, host: str | None, origin: str | None, site: str | None) -> bool:
        """Whether a request that changes state was not made by the page of another site.

        `site` is the header Sec-Fetch-Site. A program that is no browser sends neither it nor an origin.
        """
        if method in _SAFE:
            return True
        if site is not None and site not in _OWN_SITE:
            return False
        return origin is None or (origin != "null" and urlsplit(origin).netloc == host)


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())

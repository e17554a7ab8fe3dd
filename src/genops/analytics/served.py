"""Asking a running `genops serve` instead of reading the ledger: it alone may open the analytics database.

A server says where it is in `serve.json` of its ledger directory, which only its owner may read, and holds `serve.lock`
while it runs; so an address that a killed server left behind is known to be one.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from genops.analytics import wire
from genops.analytics.filters import Filters
from genops.analytics.registry import Rows
from genops.analytics.replica import Replica
from genops.core.errors import ConfigurationError, GenOpsError

__all__ = ["LOCK_NAME", "Address", "Gone", "Served", "find_server", "read_address", "write_address"]

LOCK_NAME = "serve.lock"
_FILE = "serve.json"
_TIMEOUT_S = 60.0
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is this machine: no proxy knows it


class Gone(GenOpsError):
    """The server does not answer any more."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is, and the token that it wants, if any."""

    url: str
    token: str | None
    pid: int


def write_address(directory: Path, url: str, token: str | None) -> Path:
    """Write `serve.json` for this process, readable by its owner alone, whole or not at all."""
    descriptor, name = tempfile.mkstemp(prefix=_FILE, dir=directory)  # mode 0600
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(Address(url, token, os.getpid())), file)
    return Path(name).replace(directory / _FILE)


def read_address(directory: Path) -> Address | None:
    """What `serve.json` says; None if there is none, or one that cannot be read."""
    try:
        found = json.loads((directory / _FILE).read_bytes())
        return Address(str(found["url"]), found["token"], int(found["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def find_server(directory: Path, otherwise: Callable[[], Replica]) -> Served | None:
    """The server of a ledger directory, up to this moment, if one runs and answers; `otherwise` is used if it ends."""
    address = read_address(directory)
    if address is None or not _is_locked(directory):
        return None
    found = Served(address, otherwise)
    try:
        found.refresh()
    except Gone:
        return None
    return found


def _is_locked(directory: Path) -> bool:
    try:
        with (directory / LOCK_NAME).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


class Served:
    """A `Source`: the queries of a server; when it has ended meanwhile, those of another source in its place."""

    def __init__(self, address: Address, otherwise: Callable[[], Replica]) -> None:
        self.address = address
        self._otherwise = otherwise
        self._instead: Replica | None = None

    def query(self, name: str, /, filters: Filters = Filters(), **parameters: Any) -> Rows:  # noqa: B008 - frozen
        """Have the server answer a named query. Raises `ConfigurationError` for a question that is none."""
        if self._instead is None:
            try:
                return wire.unpack(self._ask(f"/api/query/{name}", wire.question(filters, parameters)))
            except Gone:
                self._instead = self._otherwise()
        return self._instead.query(name, filters, **parameters)

    def refresh(self) -> None:
        """Have the server look at the ledger now. Raises `Gone`."""
        self._ask("/api/refresh", {})

    def close(self) -> None:
        """Let go of what is held."""
        if self._instead is not None:
            self._instead.close()

    def _ask(self, path: str, body: Any) -> dict[str, Any]:
        headers = {"content-type": "application/json"}
        if self.address.token is not None:
            headers["authorization"] = f"Bearer {self.address.token}"
        request = urllib.request.Request(self.address.url + path, json.dumps(body).encode(), headers)
        try:
            with _OPENER.open(request, timeout=_TIMEOUT_S) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise _explained(error) from None
        except (OSError, ValueError) as error:
            raise Gone(f"genops serve at {self.address.url} does not answer: {error}") from None
        return found


def _explained(error: urllib.error.HTTPError) -> GenOpsError:
    try:
        said = json.load(error)
        return ConfigurationError(said["error"], fix=said["fix"])
    except (ValueError, KeyError, TypeError):
        return Gone(f"genops serve answers {error.code}")

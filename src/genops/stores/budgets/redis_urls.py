"""Connecting to Redis or Valkey by URL: one server, a cluster, or whatever its sentinels say is the master."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from genops.core.errors import ConfigurationError, NotInstalled

__all__ = ["SCHEMES", "RedisErrors", "connect", "errors_of", "without_password"]

SCHEMES = ("redis", "rediss", "unix", "cluster", "clusters", "sentinel", "sentinels")
_PORTS = {"sentinel": 26379, "sentinels": 26379}


class RedisErrors(NamedTuple):
    """What redis-py raises: anything that means no answer, and that a script is not loaded."""

    failures: tuple[type[Exception], ...]
    no_script: type[Exception]


def errors_of(url: str) -> RedisErrors:
    """Check `url` and that redis-py is there, and return its exceptions. Raises `ConfigurationError`."""
    scheme = urlsplit(url).scheme
    if scheme not in SCHEMES:
        raise ConfigurationError(
            f"{without_password(url)!r} is no URL of a budget store.",
            fix=f"use {', '.join(f'{name}://' for name in SCHEMES)}   (s: with TLS)",
        )
    exceptions = _redis().exceptions
    return RedisErrors((exceptions.RedisError, OSError), exceptions.NoScriptError)


def connect(url: str, timeout_s: float) -> Any:
    """Return a redis-py client. Nothing is sent yet, except to a cluster, which is asked for its nodes."""
    redis = _redis()
    parts = urlsplit(url)
    options: dict[str, Any] = {
        "decode_responses": True,
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": _retry(),
    }
    if parts.scheme in ("cluster", "clusters"):
        plain = parts._replace(scheme="rediss" if parts.scheme == "clusters" else "redis")
        return redis.cluster.RedisCluster.from_url(plain.geturl(), **options)
    if parts.scheme in ("sentinel", "sentinels"):
        return _by_sentinel(redis, parts, options)
    return redis.Redis.from_url(url, **options)


def _by_sentinel(redis: Any, parts: SplitResult, options: dict[str, Any]) -> Any:
    """sentinel://user:password@host:26379,host:26379/service/0; the password is that of the master."""
    hosts = [_host(text) for text in parts.netloc.rpartition("@")[2].split(",")]
    service, _, database = parts.path.lstrip("/").partition("/")
    if not service:
        raise ConfigurationError(
            "a sentinel URL names the service it asks for.", fix="sentinel://host:26379,host:26379/mymaster/0"
        )
    if parts.scheme == "sentinels":
        options["ssl"] = True
    asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    to_sentinel: dict[str, Any] = {
        "username": asked.get("sentinel_username"),
        "password": asked.get("sentinel_password"),
    }
    to_sentinel |= {name: value for name, value in options.items() if name.startswith(("socket_", "ssl"))}
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    sentinel = importlib.import_module("redis.sentinel").Sentinel(hosts, sentinel_kwargs=to_sentinel, **options)
    return sentinel.master_for(
        service,
        username=unquote(user) or None,
        password=unquote(password) or None,
        db=int(database or 0),
    )


def _host(text: str) -> tuple[str, int]:
    name, colon, port = text.rpartition(":")
    if not colon:
        return text, _PORTS["sentinel"]
    return name.strip("[]"), int(port)


def _retry() -> Any:
    """Once more at once: every operation may be repeated under its id, and a broken connection is made anew."""
    backoff = importlib.import_module("redis.backoff")
    return importlib.import_module("redis.retry").Retry(backoff.NoBackoff(), 1)


def _redis() -> Any:
    try:
        return importlib.import_module("redis")
    except ImportError:
        raise NotInstalled(
            "a budget store at a redis URL needs the package redis, which is not installed.",
            fix="pip install 'genops-ai[redis]'",
        ) from None


def without_password(url: str) -> str:
    """The URL as messages may show it."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    shown = f"{user.partition(':')[0]}:***@{hosts}" if at and ":" in user else parts.netloc
    return parts._replace(netloc=shown, query="").geturl()

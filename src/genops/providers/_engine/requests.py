"""Requests: what a vendor method was called with, by name; where the call goes; and how a request is changed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from genops.providers._engine._paths import fields_of, get
from genops.providers._engine.dialects import provider_named, provider_of_model
from genops.providers._engine.reading import provider_of, region_of
from genops.providers._engine.spec import Adapter

__all__ = [
    "Place",
    "biller_of",
    "laid_over",
    "model_key",
    "model_of",
    "named",
    "parameters_of",
    "place_of",
    "rerouted",
    "routed",
    "unpacked",
]

_KEPT = 256  # addresses
Address = tuple[str | None, int | None]
Place = tuple[str | None, int | None, str, str | None]
_NOWHERE: Address = (None, None)


def parameters_of(method: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a method's arguments, in order, without the object it belongs to."""
    return tuple(name for name in inspect.signature(method).parameters if name != "self")


def named(args: Sequence[Any], kwargs: Mapping[str, Any], parameters: Sequence[str]) -> dict[str, Any]:
    """All arguments by name. What is given twice stays for the vendor to refuse."""
    return {**dict(zip(parameters, args, strict=False)), **kwargs}


def unpacked(request: Mapping[str, Any], where: str) -> Mapping[str, Any] | None:
    """The request with what the argument at `where` holds of it; None where it holds nothing. See `Call.packed`."""
    found: Any = request
    for name in where.split("."):
        found = get(found, name)
    held = fields_of(found)
    return {**request, **held} if held else None


def laid_over(request: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The request with `changes`; a key `a.b` changes `b` inside the argument `a`."""
    made = dict(request)
    for key, value in changes.items():
        made = _with(made, key, value)
    return made


def _with(holder: Any, path: str, value: Any) -> Any:
    """A copy of `holder`, a mapping, a vendor's object or nothing, in which what `path` leads to is `value`."""
    name, _, rest = path.partition(".")
    if rest:
        value = _with(get(holder, name), rest, value)
    copy = getattr(holder, "model_copy", None)
    if copy is not None:
        return copy(update={name: value}) if not rest else holder.model_validate(_stated(holder) | {name: value})
    return {**holder, name: value} if isinstance(holder, Mapping) else {name: value}


def _stated(model: Any) -> dict[str, Any]:
    """The fields that were given to a pydantic object: making it anew checks what is laid into them."""
    return {name: getattr(model, name) for name in model.model_fields_set}


def model_of(where: str, instance: Any, request: Mapping[str, Any]) -> str | None:
    """The model a call names; see `Call.model`."""
    if where == "model":  # nearly always
        model = request.get("model")
        return model if isinstance(model, str) else None
    for option in where.split("|"):
        argument, _, within = option.partition(".")
        found = request.get(argument) if argument else instance
        for name in filter(None, within.split(".")):
            found = get(found, name)
        if isinstance(found, str):
            return found
    return None


def model_key(where: str, request: Mapping[str, Any]) -> str | None:
    """The argument that another model goes into; None where the model is an object's, or the request names no model."""
    first, *others = where.split("|")
    elsewhere = any(isinstance(request.get(option), str) for option in others)
    return None if first.startswith(".") or elsewhere else first


def address_of(path: str, instance: Any) -> Address:
    """Host and port of the service behind an object; see `Adapter.address`.

    Looked up once per URL object: the vendors keep theirs.
    """
    url = None
    for option in path.split("|") if "|" in path else (path,):
        url = _walk(instance, option)
        if url is not None:
            break
    if isinstance(url, str):
        return _split(url)
    known = _addresses.get(id(url))
    if known is not None and known[0] is url:
        return known[1], known[2]
    host = getattr(url, "host", None)
    if not isinstance(host, str) or not host or url is None:
        return _NOWHERE
    if len(_addresses) >= _KEPT:
        _addresses.clear()
    _addresses[id(url)] = url, host, url.port
    return host, url.port


_addresses: dict[int, tuple[Any, str, int | None]] = {}  # by the identity of the URL, which is kept alive beside it


@lru_cache(maxsize=_KEPT)
def _split(url: str) -> Address:
    parts = urlsplit(url if "//" in url else f"//{url}")
    try:
        return parts.hostname, parts.port
    except ValueError:  # a port that is no number: the vendor will say so
        return parts.hostname, None


def _walk(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = getattr(value, name, None)
    return value


def place_of(adapter: Adapter, instance: Any) -> Place:
    """Where a call made on `instance` goes, who is billed for it and in which region it runs, as far as it says."""
    host, port = address_of(adapter.address, instance)
    provider, region = adapter.provider, None
    for path, billed in adapter.billers.items():
        value = _walk(instance, path)
        if value and value != "auto":
            provider = billed.format(value)
    if adapter.region:
        region = _walk(instance, adapter.region)
    return host, port, provider, region if isinstance(region, str) else None


def routed(adapter: Adapter, model: str | None, request: Mapping[str, Any]) -> tuple[Place, str | None]:
    """Where a router sends a call, and the model as the provider calls it; `custom_llm_provider` names it apart."""
    given = request.get("custom_llm_provider")
    prefix, slash, rest = (model or "").partition("/")
    if isinstance(given, str):
        provider = provider_named(given)
    elif slash:
        provider, model = provider_named(prefix), rest
    else:
        provider = provider_of_model(model or "") or adapter.provider
    host, port = _split(request["api_base"]) if isinstance(request.get("api_base"), str) else _NOWHERE
    return (host, port, provider, None), model


def rerouted(before: Any, after: str) -> str:
    """Another model by its name alone stays with the provider that a router was told, as in `openai/gpt-4o`."""
    prefix, slash, _ = before.partition("/") if isinstance(before, str) else ("", "", "")
    return f"{prefix}/{after}" if slash and "/" not in after else after


@lru_cache(maxsize=_KEPT)
def biller_of(host: str | None, default: str, region: str | None = None) -> tuple[str, str | None]:
    """Who sends the bill, and where the call runs: what the host says, else what is given."""
    return (provider_of(host, default), region_of(host) or region) if host is not None else (default, region)

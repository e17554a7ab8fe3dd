"""Destinations: from a row of the table of backends and the environment to addresses, headers and limits."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from genops.config.environment import environment_variable
from genops.core.errors import ConfigurationError

__all__ = ["Backend", "Destination", "Needed", "Read", "Signal", "Temporality", "resolve"]

Read = Callable[[str], str | None]
"""Gives the value of an environment variable; None if it is not set."""


class Signal(StrEnum):
    """What OpenTelemetry sends."""

    TRACES = "traces"
    METRICS = "metrics"
    LOGS = "logs"


class Temporality(StrEnum):
    """What a backend demands of counters; a row without one takes either."""

    DELTA = "delta"
    CUMULATIVE = "cumulative"


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """An environment variable that a row reads. Without `default` it must be set; "" is a default for "leave out"."""

    name: str
    meaning: str
    example: str
    default: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One row of the table. In texts, `{NAME}` is a variable and `{NAME:NAME}` is base64 of two, for HTTP Basic.

    An address is `base` and the signal's path; the variable `override` replaces the base. A header whose variable is
    left out is left out; so is a signal, where `signal_headers` or its path need that variable.
    """

    name: str
    title: str
    override: str
    base: str | None  # None: there is no address before `override` says it
    bases: Mapping[Signal, str] = field(default_factory=dict)  # where a signal has a host of its own
    paths: Mapping[Signal, str]  # by each signal that is taken
    headers: Mapping[str, str] = field(default_factory=dict)
    signal_headers: Mapping[Signal, Mapping[str, str]] = field(default_factory=dict)
    resource: Mapping[str, str] = field(default_factory=dict)  # attributes that the backend asks for
    variables: tuple[Needed, ...] = ()
    credentials: str | None = None  # the vendor whose own library signs requests: aws, azure, google
    region: str | None = None  # that requests are signed for
    protocols: str = "HTTP protobuf"  # what the vendor takes; HTTP protobuf is what is sent
    temporality: Temporality | None = None
    exponential_histograms: bool = False
    attribute_length: int | None = None  # characters of a value; longer ones are cut
    request_bytes: int | None = None  # of a request before compression
    pitfalls: tuple[str, ...] = ()
    collector: str | None = None  # its file in deploy/collector/exporters
    source: str  # the vendor's page


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where and how one backend is sent to. Its headers hold secrets: it is never logged."""

    backend: Backend
    endpoints: Mapping[Signal, str]
    headers: Mapping[Signal, Mapping[str, str]] = field(repr=False)
    resource: Mapping[str, str]
    left_out: Mapping[Signal, str]  # a signal the backend takes, and the variable that would switch it on
    region: str | None = None


_VARIABLE = re.compile(r"\{([A-Z0-9_]+)(?::([A-Z0-9_]+))?\}")
_SIGNAL_PATH = re.compile(r"/v\d+/(traces?|metrics|logs|datapoint)(/otlp)?/?$")


def resolve(backend: Backend, read: Read = environment_variable) -> Destination:
    """Return where `backend` is, from its variables. Raises `ConfigurationError` that names every one missing."""
    values = {each.name: read(each.name) or each.default for each in backend.variables}
    base = _checked(backend, read(backend.override))
    spared = frozenset() if base is None else _only_in_bases(backend)
    missing = [each for each in backend.variables if values[each.name] is None and each.name not in spared]
    if base is None and backend.base is None and not backend.bases:
        missing.insert(0, Needed(name=backend.override, meaning="the address", example="https://..."))
    if missing:
        names = " and ".join(each.name for each in missing)
        exports = " ".join(f"{each.name}={each.example}" for each in missing)
        raise ConfigurationError(
            f"backend {backend.name!r} needs {names}, which {'is' if len(missing) == 1 else 'are'} not set.",
            fix=f"export {exports}   ({', '.join(each.meaning for each in missing)})",
        )
    return _destination(backend, {name: value or "" for name, value in values.items()}, base)


def _destination(backend: Backend, values: Mapping[str, str], base: str | None) -> Destination:
    endpoints: dict[Signal, str] = {}
    headers: dict[Signal, dict[str, str]] = {}
    left_out: dict[Signal, str] = {}
    common = {name: text for name, given in backend.headers.items() if (text := _filled(given, values)) is not None}
    for signal, path in backend.paths.items():
        own = backend.signal_headers.get(signal, {})
        lacking = [name for text in (path, *own.values()) for name in _names(text) if not values[name]]
        if lacking:
            left_out[signal] = lacking[0]
            continue
        start = base or _filled(backend.bases.get(signal, backend.base or ""), values) or ""
        endpoints[signal] = start.rstrip("/") + str(_filled(path, values))
        headers[signal] = common | {name: str(_filled(text, values)) for name, text in own.items()}
    return Destination(
        backend=backend,
        endpoints=endpoints,
        headers=headers,
        resource={key: text for key, given in backend.resource.items() if (text := _filled(given, values)) is not None},
        left_out=left_out,
        region=_filled(backend.region or "", values),
    )


def _checked(backend: Backend, given: str | None) -> str | None:
    """The address that the override gives; errors for what people write instead of a base."""
    if given is None:
        return None
    if not given.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"{backend.override} is {given!r}, expected a URL.", fix=f"export {backend.override}=https://{given}"
        )
    found = _SIGNAL_PATH.search(given)
    if found is not None:
        raise ConfigurationError(
            f"{backend.override} ends in {found[0]!r}, which is put behind it for each signal.",
            fix=f"export {backend.override}={given[: found.start()]}",
        )
    return given


def _names(text: str) -> Iterator[str]:
    for found in _VARIABLE.finditer(text):
        yield from filter(None, found.groups())


def _filled(text: str, values: Mapping[str, str]) -> str | None:
    """The text with its variables; None if one of them is left out."""
    if not all(values[name] for name in _names(text)):
        return None

    def value(found: re.Match[str]) -> str:
        first, second = found.groups()
        if second is None:
            return values[first]
        return base64.b64encode(f"{values[first]}:{values[second]}".encode()).decode()

    return _VARIABLE.sub(value, text)


def _only_in_bases(backend: Backend) -> frozenset[str]:
    """The variables that nothing but the address needs: with an address of the user's, they need not be set."""
    region = backend.region or ""
    own = [text for texts in backend.signal_headers.values() for text in texts.values()]
    rest = {
        name
        for text in (*backend.paths.values(), *backend.headers.values(), *backend.resource.values(), *own, region)
        for name in _names(text)
    }
    bases = {name for text in (backend.base or "", *backend.bases.values()) for name in _names(text)}
    return frozenset(bases - rest)

"""Detectors beside the rules: `phonenumbers` and Presidio, imported only when asked for, or one of the user's own."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from genops.core._suggest import did_you_mean
from genops.core.errors import ConfigurationError, NotInstalled
from genops.core.redaction.model import Find

__all__ = ["Detector", "PhoneNumbers", "Presidio", "detector_named"]


class Detector(Protocol):
    """Something that finds entities in a text.

    `entities` is what it may find. `streams` says that what it finds never holds a gap between two plain words, and
    does not depend on the text after it; without it a stream is held back until it ends.
    """

    @property
    def name(self) -> str: ...

    @property
    def entities(self) -> Sequence[str]: ...

    @property
    def streams(self) -> bool: ...

    def find(self, text: str) -> Iterable[Find]: ...


class PhoneNumbers:
    """Telephone numbers by Google's numbering plans: national forms too, for the `regions` named."""

    name = "phonenumbers"
    entities = ("PHONE",)
    streams = False

    def __init__(self, regions: Sequence[str] = ("US", "GB")) -> None:
        self._library = _imported("phonenumbers", "genops-ai[redaction-phones]")
        self._regions = tuple(regions)

    def find(self, text: str) -> Iterable[Find]:
        for region in self._regions:
            for match in self._library.PhoneNumberMatcher(text, region):
                yield Find(match.start, match.end, "PHONE", f"{self.name}-{region}")


_PRESIDIO_ENTITIES: Mapping[str, str] = MappingProxyType(
    {"PERSON": "NAME", "LOCATION": "ADDRESS", "NRP": "GROUP", "ORGANIZATION": "ORGANIZATION", "DATE_TIME": "DATE"}
)


class Presidio:
    """Names, places and groups by a language model on this machine.

    `analyzer` is an `AnalyzerEngine` that you set up; without it Presidio's default is built, with its spaCy model.
    """

    name = "presidio"
    streams = False

    def __init__(
        self,
        *,
        analyzer: Any = None,
        language: str = "en",
        wanted: Sequence[str] = ("PERSON", "LOCATION"),
        min_score: float = 0.5,
    ) -> None:
        library = _imported("presidio_analyzer", "presidio-analyzer")
        self._analyzer = library.AnalyzerEngine() if analyzer is None else analyzer
        self._language = language
        self._wanted = list(wanted)
        self._min_score = min_score
        self.entities = tuple(_PRESIDIO_ENTITIES.get(name, name) for name in wanted)

    def find(self, text: str) -> Iterable[Find]:
        results = self._analyzer.analyze(text, language=self._language, entities=self._wanted)
        for result in results:
            if result.score >= self._min_score:
                entity = _PRESIDIO_ENTITIES.get(result.entity_type, result.entity_type)
                yield Find(result.start, result.end, entity, self.name)


_NAMED: Mapping[str, Any] = MappingProxyType({"phonenumbers": PhoneNumbers, "presidio": Presidio})


def detector_named(wanted: str | Detector) -> Detector:
    """The detector of that name, or `wanted` itself."""
    if not isinstance(wanted, str):
        return wanted
    if wanted not in _NAMED:
        raise ConfigurationError(
            f"there is no detector {wanted!r}.{did_you_mean(wanted, _NAMED)}", fix=f"name one of {', '.join(_NAMED)}"
        )
    made: Detector = _NAMED[wanted]()
    return made


def _imported(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise NotInstalled(f"{module} is not installed.", fix=f"pip install '{package}'") from None

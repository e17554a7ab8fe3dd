"""The key `redaction` of genops.yaml: what is looked for in content, and what happens to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from genops.config.shapes import Choice, Flag, ListOf, MapOf, Names, Table, Text
from genops.core.errors import ConfigurationError
from genops.core.redaction.model import Action, Rule

if TYPE_CHECKING:
    from genops.core.redacting import Redaction

__all__ = ["REDACTION", "RedactionSettings"]

_SHORTEST_KEY = 16  # bytes
_CUSTOM = Table(
    {
        "name": Text("EMPLOYEE_ID"),
        "pattern": Text(r"E-\d{6}"),
        "near": Names("employee", single=True),
        "unless": Names("version", single=True),
        "validate": Text("luhn"),
        "boundary": Text("word"),
    },
    required=("name", "pattern"),
)
REDACTION = Table(
    {
        "requests": Names("all", single=True, empty=True),
        "actions": MapOf(Choice(tuple(Action))),
        "key": Text("at least 16 characters, better from GENOPS_REDACTION_KEY"),
        "custom": ListOf(_CUSTOM),
        "detectors": Names("phonenumbers", words=("phonenumbers", "presidio"), empty=True),
        "exports": Flag(),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionSettings:
    """What is redacted. `requests` are the entities taken out of every request; rules may ask for more.

    `exports` redacts what GenOps itself exports, where it has set OpenTelemetry up. `stated` is whether the user said
    anything about redaction at all.
    """

    requests: tuple[str, ...] = ()
    actions: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    custom: Sequence[Mapping[str, Any]] = ()
    detectors: tuple[str, ...] = ()
    exports: bool = True
    stated: bool = False

    def open(self) -> Redaction:
        """The redaction that the settings describe. Raises `ConfigurationError`; `NotInstalled` without its engine."""
        from genops.core.redacting import Redaction  # it takes a while to load, and most processes redact nothing

        if self.key is not None and len(self.key.encode()) < _SHORTEST_KEY:
            raise ConfigurationError(
                f"redaction.key has {len(self.key.encode())} bytes, which can be guessed.",
                fix=f"export GENOPS_REDACTION_KEY=...   ({_SHORTEST_KEY} random characters or more)",
            )
        return Redaction(
            actions=self.actions,
            key=self.key.encode() if self.key is not None else None,
            custom=[_rule(each) for each in self.custom],
            detectors=self.detectors,
            always=self.requests,
        )


def _rule(given: Mapping[str, Any]) -> Rule:
    stated = {key: value for key, value in given.items() if key != "name"}
    return Rule(id=given["name"], entity=given["name"], **stated)

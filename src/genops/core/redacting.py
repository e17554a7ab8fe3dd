"""Redacting calls: which kinds of data a request holds, the request without them, and what is exported without them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from genops.core._suggest import did_you_mean
from genops.core.content import CONTENT_ARGUMENTS
from genops.core.errors import ConfigurationError
from genops.core.redaction.detectors import Detector
from genops.core.redaction.model import Action, Rule
from genops.core.redaction.redactor import Redactor
from genops.core.redaction.rules import Rules
from genops.core.redaction.vault import Vault

__all__ = ["ALL", "Redacted", "Redaction"]

ALL = "all"
_IN_PLACE = frozenset({Action.TOKEN, Action.BLOCK})  # what they do makes no sense for a copy that is exported


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """A request after redaction: the arguments that change, how many of each kind were taken out, and what must not go.

    `vault` has what the tokens in the request stand for; None if there are none.
    """

    changes: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    refused: Sequence[str] = ()
    vault: Vault | None = None


class Redaction:
    """What the settings say about redaction. Safe to share between threads.

    `actions` are by entity or kind, as `Redactor` takes them; `always` are the entities, or "all", that are taken out
    of every request. Raises `ConfigurationError`, and `NotInstalled` without the engine.
    """

    def __init__(
        self,
        *,
        actions: Mapping[str, str] | None = None,
        key: bytes | None = None,
        custom: Iterable[Rule] = (),
        detectors: Iterable[str | Detector] = (),
        always: Sequence[str] = (),
    ) -> None:
        self._key = key
        self._rules = Rules.default().extended(custom)
        self._detectors = tuple(detectors)
        self._whole = self._redactor(dict(actions or {}), Vault())
        self._actions = {entity: self._whole.action_of(entity) for entity in self._whole.entities}
        exported = {entity: Action.LABEL if action in _IN_PLACE else action for entity, action in self._actions.items()}
        self._exported = self._redactor(exported, None)
        self._finder = self._redactor(dict.fromkeys(self._actions, Action.LABEL), None)
        self._some: dict[tuple[str, ...], Redactor] = {}
        self.check(always)
        self.always = tuple(always)

    def _redactor(self, actions: Mapping[str, Action | str], vault: Vault | None) -> Redactor:
        return Redactor(self._rules, actions=actions, key=self._key, vault=vault, detectors=self._detectors)

    def check(self, kinds: Iterable[str]) -> None:
        """Raise `ConfigurationError` for a kind of data that nothing finds."""
        known = (ALL, *self._actions)
        for kind in kinds:
            if kind not in known:
                raise ConfigurationError(
                    f"there is no entity {kind!r} to redact.{did_you_mean(kind, known)}",
                    fix=f"use {', '.join(known)}",
                )

    def redact(self, value: Any) -> Any:
        """A value that is to be exported, redacted; the same object if nothing is found."""
        return self._exported.redact_value(value)[0]

    def entities(self, request: Mapping[str, Any]) -> list[str]:
        """The kinds of personal data and secrets in the content of a request, sorted."""
        found: set[str] = set()
        for _, value in _content(request):
            found |= self._finder.redact_value(value)[1].counts.keys()
        return sorted(found)

    def redact_request(self, request: Mapping[str, Any], kinds: Sequence[str]) -> Redacted:
        """The content of a request without `kinds`, each replaced as its action says."""
        vault = Vault()
        redactor = self._for(tuple(kinds)).with_vault(vault)
        changes: dict[str, Any] = {}
        counts: dict[str, int] = {}
        for name, value in _content(request):
            made, found = redactor.redact_value(value)
            if made is not value or value is not request[name]:
                changes[name] = made
            for entity, count in found.counts.items():
                counts[entity] = counts.get(entity, 0) + count
        refused = [entity for entity in counts if self._actions[entity] is Action.BLOCK]
        return Redacted(changes=changes, counts=counts, refused=refused, vault=vault if len(vault) else None)

    def _for(self, kinds: tuple[str, ...]) -> Redactor:
        if ALL in kinds:
            return self._whole
        found = self._some.get(kinds)
        if found is None:
            self.check(kinds)
            actions = {entity: action if entity in kinds else Action.ALLOW for entity, action in self._actions.items()}
            found = self._some[kinds] = self._redactor(actions, Vault())
        return found


def _content(request: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """The arguments of a request that hold content, as plain values."""
    for name in CONTENT_ARGUMENTS:
        if request.get(name) is not None:
            yield name, _plain(request[name], 0)


def _plain(value: Any, depth: int) -> Any:
    """Vendor objects inside a value as dictionaries; the same object if there are none."""
    if isinstance(value, str | bytes | int | float | None) or depth > 32:
        return value
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json", exclude_unset=True)
    if isinstance(value, Mapping):
        made = {key: _plain(each, depth + 1) for key, each in value.items()}
        return value if all(made[key] is value[key] for key in value) else made
    if isinstance(value, list | tuple):
        items = [_plain(each, depth + 1) for each in value]
        return value if all(one is other for one, other in zip(items, value, strict=True)) else items
    return value

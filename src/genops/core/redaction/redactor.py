"""Redact a text, a nested value or a stream of text, by an action for each entity."""

from __future__ import annotations

import copy
import hashlib
import hmac
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from genops.core._suggest import did_you_mean
from genops.core.errors import ConfigurationError
from genops.core.redaction.detectors import Detector, detector_named
from genops.core.redaction.model import Action, Find, Kind, Redacted, Rule
from genops.core.redaction.rules import Rules
from genops.core.redaction.scan import Candidate, Scanner, resolve
from genops.core.redaction.streams import RedactionStream
from genops.core.redaction.values import redact_nested
from genops.core.redaction.vault import Vault

__all__ = ["Redactor"]

_HASH_DIGITS = 12
_SHOWN = 4  # characters that a mask leaves
_MASKED_FROM = 8  # a value shorter than this is masked whole


class Redactor:
    """Finds and replaces. Immutable after it is made, and safe to share between threads.

    `actions` maps an entity (`EMAIL`) or a kind (`personal`, `secret`) to what happens; an entity goes before its kind,
    and what neither names is labelled. `key` is for `hash`, `vault` for `token`. `custom` are rules of your own and
    `detectors` are names or objects, see `Detector`.
    """

    def __init__(
        self,
        rules: Rules | None = None,
        *,
        actions: Mapping[str, Action | str] | None = None,
        key: bytes | None = None,
        vault: Vault | None = None,
        custom: Iterable[Rule] = (),
        detectors: Iterable[str | Detector] = (),
    ) -> None:
        self._rules = (Rules.default() if rules is None else rules).extended(custom)
        self._detectors = tuple(detector_named(each) for each in detectors)
        self._key, self._vault = key, vault
        kinds = {name: Kind.PERSONAL for each in self._detectors for name in each.entities} | dict(self._rules.entities)
        self._actions = _actions(actions or {}, kinds)
        self._check_needs()
        self._kinds = kinds
        active = [rule for rule in self._rules.rules if self._actions[rule.entity] is not Action.ALLOW]
        self._scanner = Scanner(active)
        self.streams = all(each.streams for each in self._detectors) and not any(r.spans_words for r in active)

    @property
    def version(self) -> str:
        """The version of the rules."""
        return self._rules.version

    @property
    def entities(self) -> Mapping[str, Kind]:
        """What can be found, and whose harm it is when it gets out."""
        return dict(self._kinds)

    def action_of(self, entity: str) -> Action:
        """What happens to a find of `entity`."""
        return self._actions[entity]

    def with_vault(self, vault: Vault) -> Redactor:
        """The same redactor with another vault: the tokens of one call are of no use to the next."""
        other = copy.copy(self)
        other._vault = vault
        return other

    def find(self, text: str) -> list[Find]:
        """What is acted on in `text`, in order and without overlaps; positions are in characters."""
        candidates = self._scanner.candidates(text)
        for detector in self._detectors:
            candidates += self._detected(detector, text)
        return resolve([each for each in candidates if not self._hashed(text, each)]) if candidates else []

    def _hashed(self, text: str, each: Candidate) -> bool:
        """Whether it is what the action hash put there: redacted once more, a text stays as it is."""
        opened = text.rfind("[", 0, each.start)
        return (
            each.end - each.start == _HASH_DIGITS
            and text[opened + 1 : each.start - 1] in self._kinds
            and text[each.start - 1] + text[each.end : each.end + 1] == ":]"
            and not set(text[each.start : each.end]) - set("0123456789abcdef")
        )

    def redact(self, text: str) -> Redacted:
        """`text` with every find replaced by what its action says."""
        return self.apply(text, self.find(text))

    def apply(self, text: str, finds: Sequence[Find]) -> Redacted:
        """`text` with `finds`, which are in order, replaced."""
        if not finds:
            return Redacted(text)
        pieces: list[str] = []
        at = 0
        for find in finds:
            pieces += (text[at : find.start], self._replacement(find.entity, text[find.start : find.end]))
            at = find.end
        pieces.append(text[at:])
        counts = Counter(find.entity for find in finds)
        blocked = any(self._actions[entity] is Action.BLOCK for entity in counts)
        return Redacted("".join(pieces), dict(counts), blocked)

    def redact_value(self, value: Any) -> tuple[Any, Redacted]:
        """A nested value, such as a list of messages, with its texts redacted, and the counts (their text is empty).

        What did not change is shared with `value`, which itself stays as it is.
        """
        return redact_nested(self, value)

    def stream(self) -> RedactionStream:
        """Redact a text that comes in pieces; the pieces together are what `redact` makes of the whole."""
        return RedactionStream(self)

    def _replacement(self, entity: str, value: str) -> str:
        action = self._actions[entity]
        if action is Action.DROP:
            return ""
        if action is Action.MASK:
            return "****" + (value[-_SHOWN:] if len(value) >= _MASKED_FROM else "")
        if action is Action.HASH and self._key is not None:
            digest = hmac.new(self._key, value.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
            return f"[{entity}:{digest[:_HASH_DIGITS]}]"
        if action is Action.TOKEN and self._vault is not None:
            return self._vault.token_for(entity, value)
        return f"[{entity}]"

    def _detected(self, detector: Detector, text: str) -> list[Candidate]:
        # What a detector finds counts as announced: a form of its own and a check digit go before it.
        return [
            Candidate(
                find.start,
                find.end,
                Rule(find.rule, find.entity, "", self._kinds.get(find.entity, Kind.PERSONAL), rank=1),
            )
            for find in detector.find(text)
            if self._actions.setdefault(find.entity, Action.LABEL) is not Action.ALLOW
        ]

    def _check_needs(self) -> None:
        used = set(self._actions.values())
        if Action.HASH in used and not self._key:
            raise ConfigurationError(
                "the action hash needs a key.", fix="Redactor(..., key=b'at least 16 random bytes')"
            )
        if Action.TOKEN in used and self._vault is None:
            raise ConfigurationError("the action token needs a vault.", fix="Redactor(..., vault=Vault())")


def _actions(wanted: Mapping[str, Action | str], kinds: Mapping[str, Kind]) -> dict[str, Action]:
    known = [*kinds, *(kind.value for kind in Kind)]
    chosen: dict[str, Action] = {}
    for name, action in wanted.items():
        if name not in known:
            raise ConfigurationError(
                f"there is no entity or kind {name!r} to redact.{did_you_mean(name, known)}",
                fix=f"use one of {', '.join(known)}",
            )
        chosen[name] = _action(name, action)
    return {entity: chosen.get(entity, chosen.get(kind.value, Action.LABEL)) for entity, kind in kinds.items()}


def _action(name: str, action: Action | str) -> Action:
    try:
        return Action(action)
    except ValueError:
        raise ConfigurationError(
            f"{action!r} is no action for {name}.{did_you_mean(str(action), list(Action))}",
            fix=f"use one of {', '.join(Action)}",
        ) from None

"""Tokens in place of values, and the way back: in memory, on this machine only."""

from __future__ import annotations

import re
import secrets

from genops.core.budgets.forks import new_lock

__all__ = ["RestoringStream", "Vault"]

_TOKEN = re.compile(r"\[[A-Z][0-9A-Z_]{0,30}_[0-9a-f]{8}\]")
_START = re.compile(r"\[(?:[A-Z][0-9A-Z_]{0,30}(?:_[0-9a-f]{0,8})?)?$")


class Vault:
    """Values by token. One value has one token, so that a model can tell two people apart; it is never written down."""

    def __init__(self) -> None:
        self._lock = new_lock()
        self._tokens: dict[tuple[str, str], str] = {}
        self._values: dict[str, str] = {}

    def token_for(self, entity: str, value: str) -> str:
        """The token that stands for `value`, such as `[EMAIL_3f9a2c01]`."""
        with self._lock:
            token = self._tokens.get((entity, value))
            while token is None or (token in self._values and self._values[token] != value):
                token = f"[{entity}_{secrets.token_hex(4)}]"
            self._tokens[entity, value] = token
            self._values[token] = value
            return token

    def restore(self, text: str) -> str:
        """`text` with every token of this vault replaced by its value; other brackets stay."""
        return _TOKEN.sub(lambda match: self._values.get(match[0], match[0]), text)

    def stream(self) -> RestoringStream:
        """Restore a text that comes in pieces."""
        return RestoringStream(self)

    def clear(self) -> None:
        """Forget every value."""
        with self._lock:
            self._tokens.clear()
            self._values.clear()

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Vault({len(self._values)} values)"


class RestoringStream:
    """`feed` gives back what is sure to hold no half token; a token is at most 42 characters, so little waits."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._held = ""

    def feed(self, chunk: str) -> str:
        text = self._held + chunk
        opened = text.rfind("[", max(len(text) - 42, 0))
        cut = opened if opened >= 0 and _START.match(text, opened) else len(text)
        self._held = text[cut:]
        return self._vault.restore(text[:cut])

    def finish(self) -> str:
        rest, self._held = self._held, ""
        return self._vault.restore(rest)

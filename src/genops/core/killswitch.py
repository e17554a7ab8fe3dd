"""The kill switch: all calls stopped, or all calls of a kind, before any policy is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from genops.core.decision import Violation
from genops.core.errors import ConfigurationError, KillSwitchOn
from genops.core.matching import MATCH_KEYS, Match, matches

__all__ = ["KILL_SWITCH", "KillSwitch", "Stop"]

KILL_SWITCH = "x_kill_switch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """An order to stop the calls that `match`; all calls if it is empty. `source` is where it was given."""

    source: str
    reason: str | None = None
    match: Match = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, source: str) -> Stop | None:
        """Read an order: on or off, or what to stop as provider=openai,team=ads. Raises `ConfigurationError`."""
        word = text.strip().casefold()
        if word in ("", "0", "off", "false", "no"):
            return None
        if word in ("1", "on", "true", "yes", "all"):
            return cls(source=source)
        match: dict[str, tuple[str, ...]] = {}
        for part in text.split(","):
            key, _, pattern = (each.strip() for each in part.partition("="))
            if key not in MATCH_KEYS or not pattern:
                raise ConfigurationError(
                    f"{source} is {text!r}; {part.strip()!r} names nothing to stop.",
                    fix=f"{source}=on, or key=pattern with one of {', '.join(MATCH_KEYS)}",
                )
            match[key] = (*match.get(key, ()), pattern)
        return cls(source=source, match=match)

    def violation(self) -> Violation:
        """What a stopped call is told."""
        what = ", ".join(f"{key}={'|'.join(patterns)}" for key, patterns in self.match.items())
        why = f": {self.reason}" if self.reason else ""
        return Violation(
            rule="kill_switch",
            reason_code=KILL_SWITCH,
            message=f"the kill switch is on for {what or 'all calls'}{why} ({self.source})",
            fix="wait until it is off, or ask who turned it on; genops kill-switch status",
            refusal=KillSwitchOn,
        )

    def stops(self, fact: Callable[[str], str | None]) -> bool:
        """Whether a call with these facts is meant."""
        return matches(self.match, fact)


class KillSwitch(Protocol):
    """Where the order comes from. Asked before every call, so it must answer from memory as a rule."""

    def stop(self, now_ns: int) -> Stop | None: ...

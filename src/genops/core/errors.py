"""Every exception GenOps raises.

GenOpsError
├── ConfigurationError        a setting, file or argument is wrong; raised before any call
│   └── NotInstalled          something asked for by name is not installed, or in the wrong version
├── BudgetStoreError          a budget store does not answer, or has lost what it held
├── ReservationConflict       a reservation is to end in two different ways
└── GenOpsBlocked             a call was refused before any spend
    ├── AttributionBlocked    a required governance attribute is missing or not allowed
    ├── PolicyBlocked         a rule of the user's policy says no
    │   ├── ApprovalRequired  it says yes once a person has approved
    │   └── KillSwitchOn      somebody has stopped such calls
    └── BudgetBlocked         a reservation does not fit
        └── RateLimited       it would fit later

Vendor exceptions are never wrapped: they pass through untouched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genops.core.decision import Decision

__all__ = [
    "ApprovalRequired",
    "AttributionBlocked",
    "BudgetBlocked",
    "BudgetStoreError",
    "ConfigurationError",
    "GenOpsBlocked",
    "GenOpsError",
    "KillSwitchOn",
    "NotInstalled",
    "PolicyBlocked",
    "RateLimited",
    "ReservationConflict",
]


class GenOpsError(Exception):
    """Base of everything GenOps raises.

    `fix` is what to type or change; it is the last line of the message.
    """

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message if fix is None else f"{message}\n  fix: {fix}")
        self.message = message
        self.fix = fix


class ConfigurationError(GenOpsError):
    """A setting, a file or an argument is wrong."""


class NotInstalled(ConfigurationError):
    """A package that was asked for by name is absent or outside the supported range."""


class BudgetStoreError(GenOpsError):
    """A budget store does not answer, or no longer holds what it was given. `on_store_error` says what follows."""


class ReservationConflict(GenOpsError):
    """A reservation that has ended is to end in another way; what was recorded first stays."""


class GenOpsBlocked(GenOpsError):
    """A call was refused before it was sent.

    `reason_code` is from the GenOps specification's closed set or starts with `x_`; `rule` names what refused;
    `decision` holds every rule that the call breaks.
    """

    decision: Decision | None = None

    def __init__(self, message: str, *, reason_code: str, rule: str, fix: str | None = None) -> None:
        super().__init__(message, fix=fix)
        self.reason_code = reason_code
        self.rule = rule


class AttributionBlocked(GenOpsBlocked):
    """A required governance attribute is missing, or its value is not allowed."""


class PolicyBlocked(GenOpsBlocked):
    """A policy rule refused the call."""


class ApprovalRequired(PolicyBlocked):
    """A rule lets such calls through only with somebody's approval. The approved retry is a call of its own."""


class KillSwitchOn(PolicyBlocked):
    """Somebody has stopped all calls, or all calls of a kind."""


class BudgetBlocked(GenOpsBlocked):
    """The reservation for the call does not fit its budget."""


class RateLimited(BudgetBlocked):
    """A rate limit is reached. `retry_after_s` is when the call may fit; None if nobody can tell."""

    retry_after_s: float | None = None

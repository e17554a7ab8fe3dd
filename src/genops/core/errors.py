"""Every exception GenOps raises.

GenOpsError
├── ConfigurationError        a setting, file or argument is wrong; raised before any call
│   └── NotInstalled          something asked for by name is not installed, or in the wrong version
└── GenOpsBlocked             a call was refused before any spend
    ├── AttributionBlocked    a required governance attribute is missing or not allowed
    ├── PolicyBlocked         a rule of the user's policy says no
    └── BudgetBlocked         a reservation does not fit

Vendor exceptions are never wrapped: they pass through untouched.
"""

from __future__ import annotations

__all__ = [
    "AttributionBlocked",
    "BudgetBlocked",
    "ConfigurationError",
    "GenOpsBlocked",
    "GenOpsError",
    "NotInstalled",
    "PolicyBlocked",
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


class GenOpsBlocked(GenOpsError):
    """A call was refused before it was sent.

    `reason_code` is from the GenOps specification's closed set or starts with `x_`; `rule` names what refused.
    """

    def __init__(self, message: str, *, reason_code: str, rule: str, fix: str | None = None) -> None:
        super().__init__(message, fix=fix)
        self.reason_code = reason_code
        self.rule = rule


class AttributionBlocked(GenOpsBlocked):
    """A required governance attribute is missing, or its value is not allowed."""


class PolicyBlocked(GenOpsBlocked):
    """A policy rule refused the call."""


class BudgetBlocked(GenOpsBlocked):
    """The reservation for the call does not fit its budget."""

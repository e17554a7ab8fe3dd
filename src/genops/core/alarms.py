"""Warnings of a loss, which somebody must see.

The loggers of GenOps have a `NullHandler`, so an application that sets up no logging hears nothing of them. That is
right for most of what they say, and wrong for what is being lost.
"""

from __future__ import annotations

import logging

__all__ = ["warn_of_loss"]


def warn_of_loss(log: logging.Logger, message: str, *args: object) -> None:
    """Log a warning; on standard error where no logging is set up, as Python does for loggers without a handler."""
    log.warning(message, *args)
    if not _is_heard(log) and logging.lastResort is not None:
        made = log.makeRecord(log.name, logging.WARNING, "", 0, message, args, None)
        logging.lastResort.handle(made)


def _is_heard(log: logging.Logger) -> bool:
    """Whether a warning of this logger reaches a handler, or is switched off on purpose."""
    if not log.isEnabledFor(logging.WARNING):
        return True
    at: logging.Logger | None = log
    while at is not None:
        if any(not isinstance(handler, logging.NullHandler) for handler in at.handlers):
            return True
        at = at.parent if at.propagate else None
    return False

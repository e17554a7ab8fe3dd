"""Starting: governance is switched on once per process, whoever asks for it, and never stands in the program's way.

`genops run` asks from its `sitecustomize`, `opentelemetry-instrument` through entry points: before and after it applies
the other instrumentations, and in between by the name `genops`. Whatever is wrong is said on stderr, and the program
runs; with GENOPS_REQUIRED=on it does not.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

from genops.config.environment import governance_is_required, is_disabled_instrumentation
from genops.config.settings import ARGUMENTS_NAME
from genops.core._guarding import contained, never_raises
from genops.core.errors import GenOpsError
from genops.core.runtime import current_runtime
from genops.providers._engine import registry, setup
from genops.providers._engine.ending import flush_on_sigterm

__all__ = ["NAME", "govern", "post_instrument", "pre_instrument"]

NAME = "genops"  # of the entry points
_EXIT_STATUS = 2  # as the command line's for wrong settings
_log = logging.getLogger(__name__)
_asked = False


def govern(settings: Mapping[str, Any] | None = None, *, asked_by: str = ARGUMENTS_NAME) -> bool:
    """Govern this process, unless that was done before; whether it is governed. Raises nothing.

    `settings` are arguments of `genops.auto_instrument()`, as messages call `asked_by`; given, they are put in force in
    place of what is.
    """
    global _asked  # the process is governed once
    if settings or not (_asked or current_runtime() is not None):
        _asked = True
        problem = _problem(settings or {})
        if problem is not None:
            _say(problem.replace(ARGUMENTS_NAME, asked_by))
        flush_on_sigterm()
    return current_runtime() is not None


def _problem(settings: Mapping[str, Any]) -> str | None:
    """Switch governance on; what is wrong with it, in words for the user."""
    attempt = contained(_log, "switching governance on")
    with attempt:
        try:
            setup.auto_instrument(**settings)
        except GenOpsError as error:
            return str(error)
    if attempt.error is None:
        return None
    return f"{type(attempt.error).__name__} inside genops: {attempt.error}\n  fix: genops validate   (it may say more)"


def _say(problem: str) -> None:
    """Tell the user on stderr: so early, no program has set up its logging."""
    governed = registry.instrumented()
    outcome = f"governed are only: {', '.join(governed)}" if governed else "nothing is governed"
    required = governance_is_required()
    if required:
        outcome = "the program is not started (GENOPS_REQUIRED=on)"
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):  # stderr is closed
            sys.stderr.write(f"{NAME}: {problem}\n{NAME}: {outcome}\n")
            sys.stderr.flush()
    if required:
        os._exit(_EXIT_STATUS)  # the interpreter still starts: SystemExit would be one more traceback


# -- entry points of opentelemetry-instrument --------------------------------------------------------------------------


@never_raises
def pre_instrument() -> None:
    """Govern before other instrumentations wrap the SDKs, so that theirs are around ours.

    OpenTelemetry calls it for instrumentations that are switched off, too.
    """
    if not is_disabled_instrumentation(NAME):
        govern()


@never_raises
def post_instrument() -> None:
    """Put back what another instrumentation has replaced meanwhile."""
    for name in registry.instrumented():
        registry.instrument(registry.adapter_named(name))

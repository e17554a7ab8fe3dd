"""Policy engines outside GenOps: asked about every call, beside the rules of the policy files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from genops.core.decision import Violation
from genops.core.errors import GenOpsError

__all__ = ["PolicyEngine", "PolicyEngineError"]


class PolicyEngineError(GenOpsError):
    """An engine gave no answer that can be used. The engine's `on_error` says what follows."""


class PolicyEngine(Protocol):
    """Decides about one call.

    `call` has the known inputs of `genops.core.rules.inputs` as plain JSON values. Return the rules that the call
    breaks, none if it may be made. Called before the call is sent, in the thread that makes it: it has to be quick, and
    safe for several threads. Raises `PolicyEngineError`.
    """

    name: str

    def evaluate(self, call: Mapping[str, Any]) -> Sequence[Violation]: ...

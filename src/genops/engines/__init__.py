"""Policy engines outside GenOps, for teams that have their rules in Rego or Cedar already. docs/guides/policies.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from genops.config.engines import CedarSettings, EngineSettings, OPASettings
from genops.core.decision import Result, Violation
from genops.core.errors import ConfigurationError
from genops.core.rules.engines import PolicyEngine, PolicyEngineError
from genops.core.rules.model import RULE_ERROR, OnTrouble

__all__ = ["Asked", "open_engines"]


class Asked:
    """An engine with what follows when it gives no answer. Calling it gives the rules that a call breaks."""

    def __init__(self, engine: PolicyEngine, on_error: OnTrouble = OnTrouble.BLOCK) -> None:
        self.engine = engine
        self.on_error = on_error

    def __call__(self, call: Mapping[str, Any]) -> Sequence[Violation]:
        """The rules that `call` breaks, by its plain inputs. Raises nothing."""
        try:
            return self.engine.evaluate(call)
        except PolicyEngineError as error:
            if self.on_error is OnTrouble.ALLOW:
                return ()
            violation = Violation(
                rule=self.engine.name,
                reason_code=RULE_ERROR,
                message=f"policy engine {self.engine.name!r} could not decide: {error.message} "
                f"(on_error is {self.on_error})",
                fix=error.fix,
                result=Result.BLOCKED if self.on_error is OnTrouble.BLOCK else Result.WARNING,
            )
            return (violation,)

    def close(self) -> None:
        """Let go of what the engine holds."""
        close = getattr(self.engine, "close", None)
        if close is not None:
            close()


def open_engines(settings: Iterable[EngineSettings], base: Path) -> tuple[Asked, ...]:
    """The engines of the settings; files are relative to `base`. Raises `ConfigurationError` and `NotInstalled`."""
    return tuple(Asked(_opened(each, base), each.on_error) for each in settings)


def _opened(settings: EngineSettings, base: Path) -> PolicyEngine:
    if isinstance(settings, OPASettings):
        from genops.engines.opa import OPAEngine

        return OPAEngine(
            settings.url,
            path=settings.path,
            timeout_s=settings.timeout_ms / 1000,
            cache_s=settings.cache_s,
            token=settings.token,
        )
    assert isinstance(settings, CedarSettings)
    from genops.engines.cedar import CedarEngine

    file = base / Path(settings.policies).expanduser()
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}.", fix="correct policies under cedar") from error
    return CedarEngine(text, source=settings.policies)

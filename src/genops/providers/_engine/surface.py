"""The names every adapter offers: instrument, cost context, validation. Written once, typed, bound to an adapter."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

import wrapt

from genops.config.environment import environment_variable
from genops.core.attribution import attribution, set_default_attributes
from genops.core.cost_context import CostContext
from genops.core.errors import ConfigurationError, NotInstalled
from genops.core.runtime import current_runtime
from genops.core.validation import Finding, Severity, ValidationResult
from genops.providers._engine import registry
from genops.providers._engine.patching import missing_targets, wrappers_around
from genops.providers._engine.setup import configure
from genops.providers._engine.spec import Adapter

__all__ = [
    "InstrumentedAdapter",
    "cost_context_of",
    "instrument_adapter",
    "print_validation_result",
    "validate_adapter",
]


class InstrumentedAdapter:
    """An adapter that is switched on. `instrument_<operation>(client, team=...)` returns the client, attributed.

    The returned object behaves as the client does; calls made through it carry the given governance attributes, over
    those of the surrounding `genops.attribution` blocks.
    """

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter

    def _attributed(self, operation: str, target: Any, attributes: Mapping[str, Any]) -> Any:
        if operation not in self.adapter.operations():
            raise ConfigurationError(
                f"{self.adapter.title} has no {operation!r} operation; it has {', '.join(self.adapter.operations())}."
            )
        return _Attributed(target, attributes)

    def instrument_chat(self, target: Any, **attributes: Any) -> Any:
        """Attribute the chat completions made through `target`, a client or one of its resources."""
        return self._attributed("chat", target, attributes)

    def instrument_responses(self, target: Any, **attributes: Any) -> Any:
        """Attribute the responses created through `target`."""
        return self._attributed("responses", target, attributes)

    def instrument_completions(self, target: Any, **attributes: Any) -> Any:
        """Attribute the text completions made through `target`."""
        return self._attributed("completions", target, attributes)

    def instrument_messages(self, target: Any, **attributes: Any) -> Any:
        """Attribute the messages created through `target`."""
        return self._attributed("messages", target, attributes)

    def instrument_embeddings(self, target: Any, **attributes: Any) -> Any:
        """Attribute the embeddings made through `target`."""
        return self._attributed("embeddings", target, attributes)

    def instrument_images(self, target: Any, **attributes: Any) -> Any:
        """Attribute the images made through `target`."""
        return self._attributed("images", target, attributes)

    def instrument_speech(self, target: Any, **attributes: Any) -> Any:
        """Attribute the speech made through `target`."""
        return self._attributed("speech", target, attributes)

    def instrument_transcription(self, target: Any, **attributes: Any) -> Any:
        """Attribute the transcriptions and translations made through `target`."""
        return self._attributed("transcription", target, attributes)

    def instrument_moderations(self, target: Any, **attributes: Any) -> Any:
        """Attribute the moderations made through `target`."""
        return self._attributed("moderations", target, attributes)

    def instrument_batches(self, target: Any, **attributes: Any) -> Any:
        """Attribute the batch results read through `target`."""
        return self._attributed("batches", target, attributes)

    def instrument_generate_content(self, target: Any, **attributes: Any) -> Any:
        """Attribute the content generated through `target`."""
        return self._attributed("generate_content", target, attributes)

    def instrument_interactions(self, target: Any, **attributes: Any) -> Any:
        """Attribute the interactions held through `target`."""
        return self._attributed("interactions", target, attributes)

    def instrument_converse(self, target: Any, **attributes: Any) -> Any:
        """Attribute the conversations held through `target`."""
        return self._attributed("converse", target, attributes)

    def instrument_invoke_model(self, target: Any, **attributes: Any) -> Any:
        """Attribute the models invoked through `target`."""
        return self._attributed("invoke_model", target, attributes)

    def instrument_generate(self, target: Any, **attributes: Any) -> Any:
        """Attribute the text generated through `target`."""
        return self._attributed("generate", target, attributes)

    def instrument_text_generation(self, target: Any, **attributes: Any) -> Any:
        """Attribute the text generated through `target`."""
        return self._attributed("text_generation", target, attributes)

    def instrument_fim(self, target: Any, **attributes: Any) -> Any:
        """Attribute the code completions made through `target`."""
        return self._attributed("fim", target, attributes)

    def instrument_agents(self, target: Any, **attributes: Any) -> Any:
        """Attribute the agent completions made through `target`."""
        return self._attributed("agents", target, attributes)

    def instrument_rerank(self, target: Any, **attributes: Any) -> Any:
        """Attribute the rerank calls made through `target`."""
        return self._attributed("rerank", target, attributes)

    def instrument_ocr(self, target: Any, **attributes: Any) -> Any:
        """Attribute the documents read through `target`."""
        return self._attributed("ocr", target, attributes)

    def uninstrument(self) -> None:
        """Restore the vendor's methods."""
        registry.patches_of(self.adapter).remove()


class _Attributed(wrapt.ObjectProxy):  # type: ignore[type-arg]  # not subscriptable at run time
    """A client, a resource or a method, called under given attributes."""

    def __init__(self, target: Any, attributes: Mapping[str, Any]) -> None:
        super().__init__(target)
        with attribution(**attributes):  # refuse unknown names here, not at the first call
            self._self_attributes = attributes

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.__wrapped__, name)
        if (
            callable(value)
            or type(value).__module__.partition(".")[0] == type(self.__wrapped__).__module__.partition(".")[0]
        ):
            return _Attributed(value, self._self_attributes)
        return value

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with attribution(**self._self_attributes):
            result = self.__wrapped__(*args, **kwargs)
        return self._self_await(result) if inspect.iscoroutine(result) else result

    async def _self_await(self, call: Coroutine[Any, Any, Any]) -> Any:
        with attribution(**self._self_attributes):
            return await call


class _CostContextFactory(Protocol):
    def __call__(self, context_id: str, **attributes: Any) -> CostContext: ...


def instrument_adapter(adapter: Adapter) -> Callable[..., InstrumentedAdapter]:
    """Return the `instrument_<x>()` of an adapter."""

    def instrument(**attributes: Any) -> InstrumentedAdapter:
        """Switch the adapter on. Raises `NotInstalled` when the vendor's package is absent or out of range.

        Keyword arguments are default governance attributes for every call of the process.
        """
        registry.instrument(adapter)
        if attributes:
            set_default_attributes(**attributes)
        if current_runtime() is None:
            configure()
        return InstrumentedAdapter(adapter)

    return instrument


def cost_context_of(adapter: Adapter) -> _CostContextFactory:
    """Return the `create_<x>_cost_context(id)` of an adapter."""

    def create(context_id: str, **attributes: Any) -> CostContext:
        """Return a context manager that adds up what the calls inside it cost."""
        return CostContext(context_id, {name: str(value) for name, value in attributes.items()})

    return create


def validate_adapter(adapter: Adapter) -> Callable[..., ValidationResult]:
    """Return the `validate_setup()` of an adapter."""

    def validate_setup(*, live: bool = False) -> ValidationResult:
        """Check package, environment and patch targets; with `live`, make a call that costs nothing."""
        return ValidationResult(tuple(_findings(adapter, live=live)))

    return validate_setup


def _findings(adapter: Adapter, *, live: bool) -> list[Finding]:
    name = adapter.name
    try:
        version = adapter.package.check()
    except NotInstalled as problem:
        return [Finding(check=name, severity=Severity.ERROR, message=problem.message, fix=problem.fix)]
    findings = [
        Finding(
            check=name,
            severity=Severity.OK,
            message=f"{adapter.package.name} {version} is in range {adapter.package.requires}",
        )
    ]
    missing = missing_targets(adapter, version)
    findings.extend(
        Finding(
            check=name,
            severity=Severity.ERROR,
            message=f"{target} is not there in {adapter.package.name} {version}; calls through it are not governed",
            fix="pip install -U genops-ai",
        )
        for target in missing
    )
    if not missing:
        findings.append(Finding(check=name, severity=Severity.OK, message="every method to govern was found"))
    findings.extend(_environment(adapter))
    findings.extend(_peers(adapter))
    if live and not any(finding.severity is Severity.WARNING for finding in _environment(adapter)):
        findings.append(_ping(adapter))
    return findings


def _environment(adapter: Adapter) -> list[Finding]:
    findings = []
    for variable in adapter.env:
        if environment_variable(variable.name):
            findings.append(Finding(check=adapter.name, severity=Severity.OK, message=f"{variable.name} is set"))
        else:
            findings.append(
                Finding(
                    check=adapter.name,
                    severity=Severity.WARNING,
                    message=f"{variable.name} is not set; clients need the key as an argument",
                    fix=variable.fix,
                )
            )
    return findings


def _peers(adapter: Adapter) -> list[Finding]:
    others = sorted({who for chain in wrappers_around(adapter).values() for who in chain if who != "genops"})
    return [
        Finding(check=adapter.name, severity=Severity.INFO, message=f"methods are wrapped by {who}, too")
        for who in others
    ]


def _ping(adapter: Adapter) -> Finding:
    if adapter.ping is None:
        return Finding(check=adapter.name, severity=Severity.INFO, message="there is no free call to check with")
    module = sys.modules[adapter.calls[0].module.partition(".")[0]]
    try:
        adapter.ping(module)
    except getattr(module, "APIError", OSError) as error:
        return Finding(
            check=adapter.name,
            severity=Severity.ERROR,
            message=f"the live check failed: {type(error).__name__}: {error}",
            fix=f"check the key in {adapter.env[0].name}, the base URL and the network"
            if adapter.env
            else "check the network",
        )
    return Finding(check=adapter.name, severity=Severity.OK, message="the live check answered")


def print_validation_result(result: ValidationResult) -> None:
    """Print findings, one a line, each with its fix."""
    print(result)  # noqa: T201  # printing is what it is for

"""Anthropic: messages, their streams and parsed forms, the beta namespace, and message batches.

Not metered: counting tokens, listing models, agents and sessions. Batches are booked when their results are read. The
SDK's own tracing may be on or off: its spans carry no cost.
"""

from genops.providers._engine import (
    Adapter,
    Call,
    EnvVar,
    Package,
    Shape,
    cost_context_of,
    instrument_adapter,
    print_validation_result,
    validate_adapter,
)

__all__ = [
    "ANTHROPIC",
    "create_anthropic_cost_context",
    "instrument_anthropic",
    "print_validation_result",
    "validate_setup",
]

MESSAGES, BETA = "anthropic.resources.messages", "anthropic.resources.beta.messages"
CREATE, STREAM = ("Messages.create", "AsyncMessages.create"), ("Messages.stream", "AsyncMessages.stream")
PARSE, RESULTS = ("Messages.parse", "AsyncMessages.parse"), ("Batches.results", "AsyncBatches.results")


def _messages(module: str, methods: tuple[str, ...], requires: str = "", shape: Shape = Shape.RESPONSE) -> Call:
    return Call(
        name="messages",
        operation="chat",
        api="messages",
        module=module,
        methods=methods,
        requires=requires,
        shape=shape,
        streamed=shape is Shape.MANAGER,
    )


def _batches(module: str, requires: str = "") -> Call:
    return Call(
        name="batches",
        operation="batch",
        operation_type="batch",
        api="message_batches",
        module=module,
        methods=RESULTS,
        requires=requires,
        shape=Shape.BATCH_RESULTS,
        processing="batch",
    )


RETRIES = (
    "anthropic._base_client:SyncAPIClient._sleep_for_retry",
    "anthropic._base_client:AsyncAPIClient._sleep_for_retry",
)

ANTHROPIC = Adapter(
    name="anthropic",
    title="Anthropic",
    provider="anthropic",
    package=Package("anthropic", ">=0.40,<3"),
    env=(
        EnvVar(
            name="ANTHROPIC_API_KEY", fix="export ANTHROPIC_API_KEY=...   (create one in the console under API keys)"
        ),
    ),
    retries=RETRIES,
    ping=lambda anthropic: anthropic.Anthropic(max_retries=0, timeout=5).models.list(),
    calls=(
        _messages(MESSAGES, CREATE),
        _messages(MESSAGES, STREAM, shape=Shape.MANAGER),
        _messages(MESSAGES, PARSE, requires=">=0.77"),
        _messages(BETA, CREATE),
        _messages(BETA, STREAM, requires=">=0.43", shape=Shape.MANAGER),
        _messages(BETA, PARSE, requires=">=0.73"),
        _batches("anthropic.resources.messages.batches", requires=">=0.41"),
        _batches("anthropic.resources.beta.messages.batches"),
    ),
)

instrument_anthropic = instrument_adapter(ANTHROPIC)
create_anthropic_cost_context = cost_context_of(ANTHROPIC)
validate_setup = validate_adapter(ANTHROPIC)

"""Mistral AI: chat, its streams and parsed forms, code completion, agents, embeddings, OCR and moderation.

Not metered: batch jobs, fine-tuning, files, conversations and audio. The SDK's own tracing may be on or off.
"""

from dataclasses import replace
from functools import partial

from genops.providers._engine import (
    Adapter,
    Call,
    EnvVar,
    Package,
    cost_context_of,
    instrument_adapter,
    print_validation_result,
    validate_adapter,
)

__all__ = [
    "MISTRAL",
    "create_mistral_cost_context",
    "instrument_mistral",
    "print_validation_result",
    "validate_setup",
]


def _both(call: Call) -> tuple[Call, Call]:
    """The call in both layouts of the SDK: version 2 put everything under `mistralai.client`."""
    return (
        replace(call, module=f"mistralai.{call.module}", requires="<2"),
        replace(call, module=f"mistralai.client.{call.module}", requires=">=2"),
    )


_chat = partial(Call, name="chat", operation="chat", api="chat_completions")
_fim = partial(Call, name="fim", operation="text_completion", api="chat_completions", module="fim")
_agents = partial(Call, name="agents", operation="chat", api="chat_completions", module="agents")


MISTRAL = Adapter(
    name="mistral",
    title="Mistral AI",
    provider="mistral_ai",
    package=Package("mistralai", ">=1.2,<4"),
    env=(EnvVar(name="MISTRAL_API_KEY", fix="export MISTRAL_API_KEY=...   (create one in the console)"),),
    address="sdk_configuration.server_url",
    calls=(
        *_both(_chat(module="chat", methods=("Chat.complete", "Chat.complete_async"))),
        *_both(_chat(module="chat", methods=("Chat.stream", "Chat.stream_async"), streamed=True, chunk="data")),
        *_both(_fim(methods=("Fim.complete", "Fim.complete_async"))),
        *_both(_fim(methods=("Fim.stream", "Fim.stream_async"), streamed=True, chunk="data")),
        *_both(_agents(methods=("Agents.complete", "Agents.complete_async"))),
        *_both(_agents(methods=("Agents.stream", "Agents.stream_async"), streamed=True, chunk="data")),
        *_both(
            Call(
                name="embeddings",
                operation="embeddings",
                operation_type="embedding",
                api="embeddings",
                module="embeddings",
                methods=("Embeddings.create", "Embeddings.create_async"),
            )
        ),
        Call(
            name="ocr",
            operation="generate_content",
            operation_type="ocr",
            api="ocr",
            module="mistralai.client.ocr",
            methods=("Ocr.process", "Ocr.process_async"),
            requires=">=2",
        ),
    ),
)

instrument_mistral = instrument_adapter(MISTRAL)
create_mistral_cost_context = cost_context_of(MISTRAL)
validate_setup = validate_adapter(MISTRAL)

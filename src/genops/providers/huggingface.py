"""Hugging Face `InferenceClient`: chat completion, text generation and embeddings, on any of its inference providers.

The inference provider of the client sends the bill (`provider="together"`); with `auto` the hub chooses, and the call
is unpriced. Text generation states tokens with `details=True` alone, else it is estimated. Not metered: images, audio
and the other tasks, which state no usage.
"""

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
    "HUGGINGFACE",
    "create_huggingface_cost_context",
    "instrument_huggingface",
    "print_validation_result",
    "validate_setup",
]

SYNC, ASYNC = "huggingface_hub.inference._client", "huggingface_hub.inference._generated._async_client"
_chat = partial(
    Call,
    name="chat",
    operation="chat",
    api="chat_completions",
    model="model|.model",
    usage_option="stream_options.include_usage",
)
_text = partial(
    Call, name="text_generation", operation="text_completion", api="text_generation_stream", model="model|.model"
)
_embeddings = partial(
    Call,
    name="embeddings",
    operation="embeddings",
    operation_type="embedding",
    api="feature_extraction",
    model="model|.model",
)
HOSTS = ("together", "novita", "cerebras", "fireworks-ai", "groq", "nebius", "nscale", "sambanova", "hyperbolic")

HUGGINGFACE = Adapter(
    name="huggingface",
    title="Hugging Face",
    provider="huggingface",
    package=Package("huggingface_hub", ">=0.28,<2"),
    env=(EnvVar(name="HF_TOKEN", fix="export HF_TOKEN=...   (create one under Settings, Access tokens)"),),
    usage_option_providers=frozenset({"huggingface", *(f"huggingface_{host}" for host in HOSTS)}),
    address="base_url",
    billers={"provider": "huggingface_{}"},
    ping=lambda huggingface_hub: huggingface_hub.whoami(),
    calls=(
        _chat(module=SYNC, methods=("InferenceClient.chat_completion",)),
        _chat(module=ASYNC, methods=("AsyncInferenceClient.chat_completion",)),
        _text(module=SYNC, methods=("InferenceClient.text_generation",)),
        _text(module=ASYNC, methods=("AsyncInferenceClient.text_generation",)),
        _embeddings(module=SYNC, methods=("InferenceClient.feature_extraction",)),
        _embeddings(module=ASYNC, methods=("AsyncInferenceClient.feature_extraction",)),
    ),
)

instrument_huggingface = instrument_adapter(HUGGINGFACE)
create_huggingface_cost_context = cost_context_of(HUGGINGFACE)
validate_setup = validate_adapter(HUGGINGFACE)

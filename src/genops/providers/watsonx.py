"""IBM watsonx.ai: chat, text generation and embeddings through `ModelInference` and `Embeddings`.

A stream of text reports tokens only in its raw form: it is asked for, and the application gets the text it wanted.
Not metered: rerank, time series, speech, tuning and deployments by the hour.
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
    "WATSONX",
    "create_watsonx_cost_context",
    "instrument_watsonx",
    "print_validation_result",
    "validate_setup",
]

INFERENCE = "ibm_watsonx_ai.foundation_models.inference.model_inference"
_chat = partial(Call, name="chat", operation="chat", api="watsonx_chat", model=".model_id", module=INFERENCE)
_text = partial(Call, name="generate", operation="text_completion", api="text_generation", model=".model_id")

WATSONX = Adapter(
    name="watsonx",
    title="IBM watsonx.ai",
    provider="ibm.watsonx.ai",
    package=Package("ibm-watsonx-ai", ">=1.3,<2"),
    env=(
        EnvVar(name="WATSONX_APIKEY", fix="export WATSONX_APIKEY=...   (create one under Manage, Access, API keys)"),
        EnvVar(name="WATSONX_URL", fix="export WATSONX_URL=...   (the address of your region)"),
    ),
    usage_option_providers=frozenset({"ibm.watsonx.ai"}),
    address="_client.credentials.url",
    calls=(
        _chat(methods=("ModelInference.chat", "ModelInference.achat")),
        _chat(methods=("ModelInference.chat_stream", "ModelInference.achat_stream"), streamed=True),
        _text(methods=("ModelInference.generate", "ModelInference.agenerate"), module=INFERENCE),
        _text(
            methods=("ModelInference.generate_text_stream",),
            module=INFERENCE,
            streamed=True,
            usage_option="raw_response",
            plain="results.0.generated_text",
        ),
        _text(methods=("ModelInference.agenerate_stream",), module=INFERENCE, streamed=True),
        Call(
            name="embeddings",
            operation="embeddings",
            operation_type="embedding",
            api="text_embeddings",
            module="ibm_watsonx_ai.foundation_models.embeddings.embeddings",
            methods=("Embeddings.generate", "Embeddings.agenerate"),
            model=".model_id",
        ),
    ),
)

instrument_watsonx = instrument_adapter(WATSONX)
create_watsonx_cost_context = cost_context_of(WATSONX)
validate_setup = validate_adapter(WATSONX)

"""Cohere: chat in both versions of the API, generation, embeddings and rerank. Billed units are what is booked.

A client made before `auto_instrument()` keeps some of its methods: make clients afterwards. Not metered: parsing,
datasets, fine-tuning, batches of embeddings as jobs.
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
    "COHERE",
    "create_cohere_cost_context",
    "instrument_cohere",
    "print_validation_result",
    "validate_setup",
]

V1, V2 = "cohere.base_client", "cohere.v2.client"
_embedding = partial(Call, name="embeddings", operation="embeddings", operation_type="embedding")
_rerank = partial(Call, name="rerank", operation="rerank", operation_type="rerank")
_chat = partial(Call, name="chat", operation="chat")
_generate = partial(Call, name="generate", operation="text_completion")

COHERE = Adapter(
    name="cohere",
    title="Cohere",
    provider="cohere",
    package=Package("cohere", ">=5.13,<8"),
    env=(EnvVar(name="CO_API_KEY", fix="export CO_API_KEY=...   (create one in the dashboard under API keys)"),),
    address="_raw_client._client_wrapper._base_url|_client_wrapper._base_url",
    ping=lambda cohere: cohere.ClientV2().models.list(page_size=1),
    calls=(
        _chat(api="chat_v2", module=V2, methods=("V2Client.chat", "AsyncV2Client.chat")),
        _chat(api="chat_v2", module=V2, methods=("V2Client.chat_stream", "AsyncV2Client.chat_stream"), streamed=True),
        _embedding(api="embed_v2", module=V2, methods=("V2Client.embed", "AsyncV2Client.embed")),
        _rerank(api="rerank_v2", module=V2, methods=("V2Client.rerank", "AsyncV2Client.rerank")),
        _chat(api="chat_v1", module=V1, methods=("BaseCohere.chat", "AsyncBaseCohere.chat")),
        _chat(
            api="chat_v1", module=V1, methods=("BaseCohere.chat_stream", "AsyncBaseCohere.chat_stream"), streamed=True
        ),
        _generate(api="generate", module=V1, methods=("BaseCohere.generate", "AsyncBaseCohere.generate")),
        _rerank(api="rerank", module=V1, methods=("BaseCohere.rerank", "AsyncBaseCohere.rerank")),
        # Splits its texts into batches and sends these from threads: one call, its meters added up by the SDK.
        _embedding(api="embed", module="cohere.client", methods=("Client.embed", "AsyncClient.embed")),
    ),
)

instrument_cohere = instrument_adapter(COHERE)
create_cohere_cost_context = cost_context_of(COHERE)
validate_setup = validate_adapter(COHERE)

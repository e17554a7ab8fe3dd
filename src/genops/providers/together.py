"""Together AI: chat completions, completions, embeddings, rerank, images and speech, in both layouts of the SDK.

Not metered: fine-tuning, dedicated endpoints by the hour, batches, code interpreter sessions and videos.
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
    "TOGETHER",
    "create_together_cost_context",
    "instrument_together",
    "print_validation_result",
    "validate_setup",
]

R = "together.resources"
_chat = partial(Call, name="chat", operation="chat", api="chat_completions")
_completions = partial(Call, name="completions", operation="text_completion", api="completions")
_embeddings = partial(
    Call,
    name="embeddings",
    operation="embeddings",
    operation_type="embedding",
    api="embeddings",
    module=f"{R}.embeddings",
)
_rerank = partial(Call, name="rerank", operation="rerank", operation_type="rerank", api="rerank_tokens")
_images = partial(Call, name="images", operation="generate_content", operation_type="image", api="images_data")
OPTION = "stream_options.include_usage"


def _both(name: str) -> tuple[str, str]:
    return f"{name}Resource.create", f"Async{name}Resource.create"


RETRIES = (
    "together._base_client:SyncAPIClient._sleep_for_retry",
    "together._base_client:AsyncAPIClient._sleep_for_retry",
)

TOGETHER = Adapter(
    name="together",
    title="Together AI",
    provider="together_ai",
    package=Package("together", ">=1.4,<4"),
    env=(EnvVar(name="TOGETHER_API_KEY", fix="export TOGETHER_API_KEY=...   (create one under Settings, API keys)"),),
    usage_option_providers=frozenset({"together_ai"}),
    address="_client.base_url",
    retries=RETRIES,
    ping=lambda together: together.Together(max_retries=0, timeout=5).models.list(),
    calls=(
        _chat(module=f"{R}.chat.completions", methods=_both("Completions"), requires=">=2"),
        _completions(module=f"{R}.completions", methods=_both("Completions"), requires=">=2"),
        _embeddings(methods=_both("Embeddings"), requires=">=2"),
        _rerank(module=f"{R}.rerank", methods=_both("Rerank"), requires=">=2"),
        _images(
            module=f"{R}.images", methods=("ImagesResource.generate", "AsyncImagesResource.generate"), requires=">=2"
        ),
        _chat(
            module=f"{R}.chat.completions",
            methods=("ChatCompletions.create", "AsyncChatCompletions.create"),
            requires="<2",
        ),
        _completions(
            module=f"{R}.completions", methods=("Completions.create", "AsyncCompletions.create"), requires="<2"
        ),
        _embeddings(methods=("Embeddings.create", "AsyncEmbeddings.create"), requires="<2"),
        _rerank(module=f"{R}.rerank", methods=("Rerank.create", "AsyncRerank.create"), requires="<2"),
        _images(module=f"{R}.images", methods=("Images.generate", "AsyncImages.generate"), requires="<2"),
    ),
)

instrument_together = instrument_adapter(TOGETHER)
create_together_cost_context = cost_context_of(TOGETHER)
validate_setup = validate_adapter(TOGETHER)

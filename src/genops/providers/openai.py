"""OpenAI, Azure OpenAI and OpenAI-compatible hosts: who sends the bill follows from the base URL.

Not metered: realtime and other WebSocket sessions, videos, fine-tuning, assistants. Responses that are retrieved,
listed or counted are never booked; batches are booked when their result file is read.
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

__all__ = ["OPENAI", "create_openai_cost_context", "instrument_openai", "print_validation_result", "validate_setup"]

INCLUDE_USAGE = "stream_options.include_usage"

RETRIES = (
    "openai._base_client:SyncAPIClient._sleep_for_retry",
    "openai._base_client:AsyncAPIClient._sleep_for_retry",
)

OPENAI = Adapter(
    name="openai",
    title="OpenAI",
    provider="openai",
    package=Package("openai", ">=1.40,<4"),
    env=(EnvVar(name="OPENAI_API_KEY", fix="export OPENAI_API_KEY=...   (create one in the console under API keys)"),),
    # Hosts that accept `stream_options`; an unknown host counts as the adapter's own provider.
    usage_option_providers=frozenset({"openai", "azure.ai.openai", "groq", "together_ai", "fireworks", "openrouter"}),
    retries=RETRIES,
    ping=lambda openai: openai.OpenAI(max_retries=0, timeout=5).models.list(),
    calls=(
        Call(
            name="chat",
            operation="chat",
            api="chat_completions",
            module="openai.resources.chat.completions",
            methods=("Completions.create", "AsyncCompletions.create"),
            usage_option=INCLUDE_USAGE,
        ),
        Call(
            name="chat",
            operation="chat",
            api="chat_completions",
            module="openai.resources.chat.completions",
            methods=("Completions.parse", "AsyncCompletions.parse"),
            requires=">=1.92",
        ),
        Call(
            name="chat",
            operation="chat",
            api="chat_completions",
            module="openai.resources.beta.chat.completions",
            methods=("Completions.parse", "AsyncCompletions.parse"),
            requires="<1.92",
        ),
        Call(
            name="responses",
            operation="chat",
            api="responses",
            module="openai.resources.responses",
            methods=("Responses.create", "AsyncResponses.create", "Responses.parse", "AsyncResponses.parse"),
            requires=">=1.66",
        ),
        Call(
            name="completions",
            operation="text_completion",
            api="completions",
            module="openai.resources.completions",
            methods=("Completions.create", "AsyncCompletions.create"),
            usage_option=INCLUDE_USAGE,
        ),
        Call(
            name="embeddings",
            operation="embeddings",
            operation_type="embedding",
            api="embeddings",
            module="openai.resources.embeddings",
            methods=("Embeddings.create", "AsyncEmbeddings.create"),
        ),
        Call(
            name="images",
            operation="generate_content",
            operation_type="image",
            api="images",
            module="openai.resources.images",
            methods=(
                *("Images.generate", "Images.edit", "Images.create_variation"),
                *("AsyncImages.generate", "AsyncImages.edit", "AsyncImages.create_variation"),
            ),
        ),
        Call(
            name="speech",
            operation="generate_content",
            operation_type="speech",
            api="audio_speech",
            module="openai.resources.audio.speech",
            methods=("Speech.create", "AsyncSpeech.create"),
        ),
        Call(
            name="transcription",
            operation="generate_content",
            operation_type="transcription",
            api="audio_transcriptions",
            module="openai.resources.audio.transcriptions",
            methods=("Transcriptions.create", "AsyncTranscriptions.create"),
        ),
        Call(
            name="transcription",
            operation="generate_content",
            operation_type="transcription",
            api="audio_transcriptions",
            module="openai.resources.audio.translations",
            methods=("Translations.create", "AsyncTranslations.create"),
        ),
        Call(
            name="moderations",
            operation="moderation",
            operation_type="moderation",
            api="moderations",
            module="openai.resources.moderations",
            methods=("Moderations.create", "AsyncModerations.create"),
        ),
        Call(
            name="batches",
            operation="batch",
            operation_type="batch",
            api="chat_completions",
            module="openai.resources.files",
            methods=("Files.content", "AsyncFiles.content"),
            shape=Shape.BATCH_RESULTS,
            processing="batch",
        ),
    ),
)

instrument_openai = instrument_adapter(OPENAI)
create_openai_cost_context = cost_context_of(OPENAI)
validate_setup = validate_adapter(OPENAI)

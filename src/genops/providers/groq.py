"""Groq: chat completions, transcription, translation, speech and embeddings.

A stream reports its usage unasked, in `x_groq` of its last chunk. An error may come in the middle of a stream that
began with HTTP 200: the call is booked as failed, with what had been generated. Not metered: batches and files.
"""

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
    "GROQ",
    "create_groq_cost_context",
    "instrument_groq",
    "print_validation_result",
    "validate_setup",
]

AUDIO = "groq.resources.audio"

RETRIES = (
    "groq._base_client:SyncAPIClient._sleep_for_retry",
    "groq._base_client:AsyncAPIClient._sleep_for_retry",
)

GROQ = Adapter(
    name="groq",
    title="Groq",
    provider="groq",
    package=Package("groq", ">=0.13,<2"),
    env=(EnvVar(name="GROQ_API_KEY", fix="export GROQ_API_KEY=...   (create one in the console under API keys)"),),
    retries=RETRIES,
    ping=lambda groq: groq.Groq(max_retries=0, timeout=5).models.list(),
    calls=(
        Call(
            name="chat",
            operation="chat",
            api="chat_completions",
            module="groq.resources.chat.completions",
            methods=("Completions.create", "AsyncCompletions.create"),
        ),
        Call(
            name="embeddings",
            operation="embeddings",
            operation_type="embedding",
            api="embeddings",
            module="groq.resources.embeddings",
            methods=("Embeddings.create", "AsyncEmbeddings.create"),
        ),
        Call(
            name="transcription",
            operation="generate_content",
            operation_type="transcription",
            api="audio_transcriptions",
            module=f"{AUDIO}.transcriptions",
            methods=("Transcriptions.create", "AsyncTranscriptions.create"),
        ),
        Call(
            name="transcription",
            operation="generate_content",
            operation_type="transcription",
            api="audio_transcriptions",
            module=f"{AUDIO}.translations",
            methods=("Translations.create", "AsyncTranslations.create"),
        ),
        Call(
            name="speech",
            operation="generate_content",
            operation_type="speech",
            api="audio_speech",
            module=f"{AUDIO}.speech",
            methods=("Speech.create", "AsyncSpeech.create"),
            requires=">=0.15",
        ),
    ),
)

instrument_groq = instrument_adapter(GROQ)
create_groq_cost_context = cost_context_of(GROQ)
validate_setup = validate_adapter(GROQ)

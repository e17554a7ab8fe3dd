"""Google Gemini through `google-genai`: AI Studio and Vertex AI; who sends the bill follows from the client.

Automatic function calling sends several requests in one call: each is a call of its own, decided and booked. Cached
content is counted as cache reads, thoughts as output. An interaction that goes on by itself is a call for each
request, as it is billed; one in the background is estimated, since its answer comes before its usage. Not metered: live
sessions, videos, file storage and the storage of caches. A batch of embeddings is estimated: the SDK drops its usage.
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
    "GEMINI",
    "create_gemini_cost_context",
    "instrument_gemini",
    "print_validation_result",
    "validate_setup",
]

MODELS = "google.genai.models"

GEMINI = Adapter(
    name="gemini",
    title="Google Gemini",
    provider="gcp.gemini",
    package=Package("google-genai", ">=1.16,<4"),
    env=(EnvVar(name="GEMINI_API_KEY", fix="export GEMINI_API_KEY=...   (create one in Google AI Studio)"),),
    address="_api_client._http_options.base_url",
    region="_api_client.location",
    billers={"_api_client.vertexai": "gcp.vertex_ai"},
    ping=lambda google: google.genai.Client().models.list(config={"page_size": 1}),
    calls=(
        Call(
            name="generate_content",
            operation="generate_content",
            api="generateContent",
            module=MODELS,
            methods=("Models.generate_content", "AsyncModels.generate_content"),
            inner=("Models._generate_content", "AsyncModels._generate_content"),
        ),
        Call(
            name="generate_content",
            operation="generate_content",
            api="streamGenerateContent",
            module=MODELS,
            methods=("Models.generate_content_stream", "AsyncModels.generate_content_stream"),
            inner=("Models._generate_content_stream", "AsyncModels._generate_content_stream"),
            streamed=True,
        ),
        Call(
            name="embeddings",
            operation="embeddings",
            operation_type="embedding",
            api="embedContent",
            module=MODELS,
            methods=("Models.embed_content", "AsyncModels.embed_content"),
        ),
        Call(
            name="interactions",
            operation="generate_content",
            api="interactions",
            module="google.genai._gaos.google_genai",
            methods=("GeminiNextGenInteractions.create", "AsyncGeminiNextGenInteractions.create"),
            inner=("GeneratedInteractions.create", "GeneratedAsyncInteractions.create"),
            requires=">=2.9",
            model="model|agent",
            packed="request.body",
        ),
        Call(
            name="interactions",
            operation="generate_content",
            api="interactions",
            module="google.genai._interactions.resources.interactions",
            methods=("InteractionsResource.create", "AsyncInteractionsResource.create"),
            requires=">=1.55,<2.9",
            model="model|agent",
        ),
        Call(
            name="images",
            operation="generate_content",
            operation_type="image",
            api="predict",
            module=MODELS,
            methods=("Models.generate_images", "AsyncModels.generate_images"),
        ),
    ),
)

instrument_gemini = instrument_adapter(GEMINI)
create_gemini_cost_context = cost_context_of(GEMINI)
validate_setup = validate_adapter(GEMINI)

"""Ollama: chat, generation and embeddings of models that run on your own machines.

There is no invoice: the tokens are counted, and the time the model ran is priced if you give a rate for it (`prices` in
genops.yaml). Ollama leaves out the count of a prompt it had cached. Not metered: pulling and creating models.
"""

from genops.providers._engine import (
    Adapter,
    Call,
    Package,
    cost_context_of,
    instrument_adapter,
    print_validation_result,
    validate_adapter,
)

__all__ = [
    "OLLAMA",
    "create_ollama_cost_context",
    "instrument_ollama",
    "print_validation_result",
    "validate_setup",
]

CLIENT = "ollama._client"

OLLAMA = Adapter(
    name="ollama",
    title="Ollama",
    provider="ollama",
    package=Package("ollama", ">=0.4.5,<1"),
    address="_client.base_url",
    rebound=("ollama:chat", "ollama:generate", "ollama:embed", "ollama:embeddings"),
    ping=lambda ollama: ollama.list(),
    calls=(
        Call(
            name="chat",
            operation="chat",
            api="chat",
            module=CLIENT,
            methods=("Client.chat", "AsyncClient.chat"),
        ),
        Call(
            name="generate",
            operation="text_completion",
            api="generate",
            module=CLIENT,
            methods=("Client.generate", "AsyncClient.generate"),
        ),
        Call(
            name="embeddings",
            operation="embeddings",
            operation_type="embedding",
            api="embed_ollama",
            module=CLIENT,
            methods=("Client.embed", "AsyncClient.embed", "Client.embeddings", "AsyncClient.embeddings"),
        ),
    ),
)

instrument_ollama = instrument_adapter(OLLAMA)
create_ollama_cost_context = cost_context_of(OLLAMA)
validate_setup = validate_adapter(OLLAMA)

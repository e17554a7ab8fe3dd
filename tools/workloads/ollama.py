"""What the generated examples and pages of Ollama are made of; tools/build_examples.py cuts it out by name."""

from collections.abc import Iterator
from typing import Any

import ollama

TITLE = "Ollama"
SMALL = "gemma3:1b"
LARGE = "llama3"
ERROR = ollama.ResponseError
SETTINGS: dict[str, Any] = {
    "custom_rates": [{"provider": "ollama", "model": "*", "unit": "compute_hour", "usd": "2.40"}]
}


def make_client() -> ollama.Client:
    """The client reads OLLAMA_HOST; without it, it calls the server on this machine."""
    return ollama.Client()


def ask(client: ollama.Client, question: str, model: str = SMALL) -> str:
    response = client.chat(
        model=model,
        options={"num_predict": 300},
        messages=[{"role": "user", "content": question}],
    )
    return response.message.content or ""


def stream(client: ollama.Client, question: str) -> Iterator[str]:
    chunks = client.chat(
        model=SMALL,
        options={"num_predict": 300},
        messages=[{"role": "user", "content": question}],
        stream=True,
    )
    for chunk in chunks:
        yield chunk.message.content or ""


async def ask_async(question: str) -> str:
    response = await ollama.AsyncClient().chat(
        model=SMALL,
        options={"num_predict": 300},
        messages=[{"role": "user", "content": question}],
    )
    return response.message.content or ""

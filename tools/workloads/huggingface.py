"""What the generated examples and pages of Hugging Face are made of; tools/build_examples.py cuts it out by name."""

import os
from collections.abc import Iterator

from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import HfHubHTTPError

TITLE = "Hugging Face"
SMALL = "meta-llama/Llama-3.1-8B-Instruct"
LARGE = "deepseek-ai/DeepSeek-R1"
ERROR = HfHubHTTPError
BASE_URL = os.environ.get("HF_INFERENCE_BASE_URL")  # None: Hugging Face's own router; or a gateway of yours


def make_client() -> InferenceClient:
    """The client reads HF_TOKEN, or the token that `hf auth login` has stored. The provider sends the bill."""
    return InferenceClient(provider="novita", base_url=BASE_URL)


def ask(client: InferenceClient, question: str, model: str = SMALL) -> str:
    completion = client.chat_completion(
        model=model,
        max_tokens=300,
        messages=[{"role": "user", "content": question}],
    )
    return completion.choices[0].message.content or ""


def stream(client: InferenceClient, question: str) -> Iterator[str]:
    chunks = client.chat_completion(
        model=SMALL,
        max_tokens=300,
        messages=[{"role": "user", "content": question}],
        stream=True,
    )
    for chunk in chunks:
        if chunk.choices:
            yield chunk.choices[0].delta.content or ""


async def ask_async(question: str) -> str:
    async with AsyncInferenceClient(provider="novita", base_url=BASE_URL) as client:
        completion = await client.chat_completion(
            model=SMALL,
            max_tokens=300,
            messages=[{"role": "user", "content": question}],
        )
    return completion.choices[0].message.content or ""

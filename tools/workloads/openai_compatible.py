"""What the generated examples and pages of OpenAI-compatible hosts are made of; tools/build_examples.py cuts it out."""

import os
from collections.abc import Iterator

import openai

ADAPTER = "openai"
EXPORT = "export OPENROUTER_API_KEY=...   # create one at openrouter.ai under Keys"
TITLE = "OpenAI-like hosts"
HEADING = "OpenAI-compatible hosts"
SMALL = "openai/gpt-oss-120b"
LARGE = "anthropic/claude-sonnet-4.6"
ERROR = openai.OpenAIError
HOST = os.environ.get("OPENROUTER_BASE_URL", "https://openrouter.ai/api/v1")


def make_client() -> openai.OpenAI:
    """The SDK of OpenAI at another host: OpenRouter here. The host says who sends the bill."""
    return openai.OpenAI(base_url=HOST, api_key=os.environ["OPENROUTER_API_KEY"])


def ask(client: openai.OpenAI, question: str, model: str = SMALL) -> str:
    completion = client.chat.completions.create(
        model=model,
        max_tokens=300,
        messages=[{"role": "user", "content": question}],
    )
    return completion.choices[0].message.content or ""


def stream(client: openai.OpenAI, question: str) -> Iterator[str]:
    chunks = client.chat.completions.create(
        model=LARGE,
        max_tokens=300,
        messages=[{"role": "user", "content": question}],
        stream=True,
    )
    for chunk in chunks:
        if chunk.choices:
            yield chunk.choices[0].delta.content or ""


async def ask_async(question: str) -> str:
    async with openai.AsyncOpenAI(base_url=HOST, api_key=os.environ["OPENROUTER_API_KEY"]) as client:
        completion = await client.chat.completions.create(
            model=SMALL,
            max_tokens=300,
            messages=[{"role": "user", "content": question}],
        )
    return completion.choices[0].message.content or ""

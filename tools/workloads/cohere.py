"""What the generated examples and pages of Cohere are made of; tools/build_examples.py cuts it out by name."""

from collections.abc import Iterator

import cohere
from cohere.core.api_error import ApiError

TITLE = "Cohere"
SMALL = "command-r7b-12-2024"
LARGE = "command-a-03-2025"
ERROR = ApiError


def make_client() -> cohere.ClientV2:
    """The client reads CO_API_KEY, and CO_API_URL if there is one."""
    return cohere.ClientV2()


def ask(client: cohere.ClientV2, question: str, model: str = SMALL) -> str:
    response = client.chat(
        model=model,
        max_tokens=300,
        messages=[{"role": "user", "content": question}],
    )
    return "".join(part.text for part in response.message.content or () if part.type == "text")


def stream(client: cohere.ClientV2, question: str) -> Iterator[str]:
    events = client.chat_stream(
        model=SMALL,
        max_tokens=300,
        messages=[{"role": "user", "content": question}],
    )
    for event in events:
        if event.type == "content-delta":
            yield event.delta.message.content.text or ""


async def ask_async(question: str) -> str:
    async with cohere.AsyncClientV2() as client:
        response = await client.chat(
            model=SMALL,
            max_tokens=300,
            messages=[{"role": "user", "content": question}],
        )
    return "".join(part.text for part in response.message.content or () if part.type == "text")

"""What the generated examples and pages of Mistral are made of; tools/build_examples.py cuts it out by name."""

import os
from collections.abc import Iterator

from mistralai.client import Mistral, errors

TITLE = "Mistral"
SMALL = "mistral-small-latest"
LARGE = "mistral-large-latest"
ERROR = errors.MistralError


def make_client() -> Mistral:
    """The SDK reads no variable itself; MISTRAL_SERVER_URL is for a gateway or a deployment of your own."""
    return Mistral(api_key=os.environ["MISTRAL_API_KEY"], server_url=os.environ.get("MISTRAL_SERVER_URL"))


def ask(client: Mistral, question: str, model: str = SMALL) -> str:
    response = client.chat.complete(
        model=model,
        max_tokens=300,
        messages=[{"role": "user", "content": question}],
    )
    return str(response.choices[0].message.content)


def stream(client: Mistral, question: str) -> Iterator[str]:
    events = client.chat.stream(
        model=SMALL,
        max_tokens=300,
        messages=[{"role": "user", "content": question}],
    )
    with events:
        for event in events:
            yield str(event.data.choices[0].delta.content or "")


async def ask_async(question: str) -> str:
    async with make_client() as client:
        response = await client.chat.complete_async(
            model=SMALL,
            max_tokens=300,
            messages=[{"role": "user", "content": question}],
        )
    return str(response.choices[0].message.content)

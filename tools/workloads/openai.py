"""What the generated examples and pages of OpenAI are made of; tools/build_examples.py cuts it out by name."""

from collections.abc import Iterator

import openai

TITLE = "OpenAI"
SMALL = "gpt-4o-mini"
LARGE = "gpt-4o"
ERROR = openai.OpenAIError


def make_client() -> openai.OpenAI:
    """The client reads OPENAI_API_KEY, and OPENAI_BASE_URL if there is one."""
    return openai.OpenAI()


def ask(client: openai.OpenAI, question: str, model: str = SMALL) -> str:
    completion = client.chat.completions.create(
        model=model,
        max_tokens=300,
        messages=[{"role": "user", "content": question}],
    )
    return completion.choices[0].message.content or ""


def stream(client: openai.OpenAI, question: str) -> Iterator[str]:
    chunks = client.chat.completions.create(
        model=SMALL,
        max_tokens=300,
        messages=[{"role": "user", "content": question}],
        stream=True,
    )
    for chunk in chunks:
        if chunk.choices:
            yield chunk.choices[0].delta.content or ""


async def ask_async(question: str) -> str:
    async with openai.AsyncOpenAI() as client:
        completion = await client.chat.completions.create(
            model=SMALL,
            max_tokens=300,
            messages=[{"role": "user", "content": question}],
        )
    return completion.choices[0].message.content or ""

"""What the generated examples and pages of Groq are made of; tools/build_examples.py cuts it out by name."""

from collections.abc import Iterator

import groq

TITLE = "Groq"
SMALL = "llama-3.1-8b-instant"
LARGE = "llama-3.3-70b-versatile"
ERROR = groq.GroqError


def make_client() -> groq.Groq:
    """The client reads GROQ_API_KEY, and GROQ_BASE_URL if there is one."""
    return groq.Groq()


def ask(client: groq.Groq, question: str, model: str = SMALL) -> str:
    completion = client.chat.completions.create(
        model=model,
        max_completion_tokens=300,
        messages=[{"role": "user", "content": question}],
    )
    return completion.choices[0].message.content or ""


def stream(client: groq.Groq, question: str) -> Iterator[str]:
    chunks = client.chat.completions.create(
        model=SMALL,
        max_completion_tokens=300,
        messages=[{"role": "user", "content": question}],
        stream=True,
    )
    for chunk in chunks:
        yield chunk.choices[0].delta.content or ""


async def ask_async(question: str) -> str:
    async with groq.AsyncGroq() as client:
        completion = await client.chat.completions.create(
            model=SMALL,
            max_completion_tokens=300,
            messages=[{"role": "user", "content": question}],
        )
    return completion.choices[0].message.content or ""

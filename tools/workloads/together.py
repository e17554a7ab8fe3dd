"""What the generated examples and pages of Together are made of; tools/build_examples.py cuts it out by name."""

from collections.abc import Iterator

import together

TITLE = "Together"
SMALL = "mistralai/Mixtral-8x7B-Instruct-v0.1"
LARGE = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
ERROR = together.TogetherError


def make_client() -> together.Together:
    """The client reads TOGETHER_API_KEY, and TOGETHER_BASE_URL if there is one."""
    return together.Together()


def ask(client: together.Together, question: str, model: str = SMALL) -> str:
    completion = client.chat.completions.create(
        model=model,
        max_tokens=300,
        messages=[{"role": "user", "content": question}],
    )
    return str(completion.choices[0].message.content)


def stream(client: together.Together, question: str) -> Iterator[str]:
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
    async with together.AsyncTogether() as client:
        completion = await client.chat.completions.create(
            model=SMALL,
            max_tokens=300,
            messages=[{"role": "user", "content": question}],
        )
    return str(completion.choices[0].message.content)

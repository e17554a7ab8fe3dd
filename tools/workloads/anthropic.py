"""What the generated examples and pages of Anthropic are made of; tools/build_examples.py cuts it out by name."""

from collections.abc import Iterator

import anthropic

TITLE = "Anthropic"
SMALL = "claude-haiku-4-5"
LARGE = "claude-opus-4-6"
ERROR = anthropic.AnthropicError


def make_client() -> anthropic.Anthropic:
    """The client reads ANTHROPIC_API_KEY, and ANTHROPIC_BASE_URL if there is one."""
    return anthropic.Anthropic()


def ask(client: anthropic.Anthropic, question: str, model: str = SMALL) -> str:
    message = client.messages.create(
        model=model,
        max_tokens=300,
        messages=[{"role": "user", "content": question}],
    )
    return "".join(block.text for block in message.content if block.type == "text")


def stream(client: anthropic.Anthropic, question: str) -> Iterator[str]:
    with client.messages.stream(
        model=SMALL,
        max_tokens=300,
        messages=[{"role": "user", "content": question}],
    ) as events:
        yield from events.text_stream


async def ask_async(question: str) -> str:
    async with anthropic.AsyncAnthropic() as client:
        message = await client.messages.create(
            model=SMALL,
            max_tokens=300,
            messages=[{"role": "user", "content": question}],
        )
    return "".join(block.text for block in message.content if block.type == "text")

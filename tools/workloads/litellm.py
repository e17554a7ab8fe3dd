"""What the generated examples and pages of LiteLLM are made of; tools/build_examples.py cuts it out by name."""

from collections.abc import Iterator

import litellm
import openai

TITLE = "LiteLLM"
SMALL = "openai/gpt-4o-mini"
LARGE = "anthropic/claude-opus-4-6"
MISSING = "openai/no-such-model"
ERROR = openai.OpenAIError


def make_client() -> litellm.Router:
    """A router over every model of two providers; they read OPENAI_API_KEY and ANTHROPIC_API_KEY."""
    models = [{"model_name": name, "litellm_params": {"model": name}} for name in ("openai/*", "anthropic/*")]
    return litellm.Router(model_list=models, num_retries=0)


def ask(client: litellm.Router, question: str, model: str = SMALL) -> str:
    response = client.completion(
        model=model,
        max_tokens=300,
        messages=[{"role": "user", "content": question}],
    )
    return response.choices[0].message.content or ""


def stream(client: litellm.Router, question: str) -> Iterator[str]:
    chunks = client.completion(
        model=SMALL,
        max_tokens=300,
        messages=[{"role": "user", "content": question}],
        stream=True,
        stream_options={"include_usage": True},
    )
    for chunk in chunks:
        if chunk.choices:
            yield chunk.choices[0].delta.content or ""


async def ask_async(question: str) -> str:
    response = await make_client().acompletion(
        model=SMALL,
        max_tokens=300,
        messages=[{"role": "user", "content": question}],
    )
    return response.choices[0].message.content or ""

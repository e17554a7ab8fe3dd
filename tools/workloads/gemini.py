"""What the generated examples and pages of Gemini are made of; tools/build_examples.py cuts it out by name."""

from collections.abc import Iterator

from google import genai
from google.genai import errors, types

TITLE = "Gemini"
SMALL = "gemini-2.5-flash-lite"
LARGE = "gemini-2.5-pro"
ERROR = errors.APIError
LIMITS = types.GenerateContentConfig(max_output_tokens=300)


def make_client() -> genai.Client:
    """The client reads GEMINI_API_KEY or GOOGLE_API_KEY; with GOOGLE_GENAI_USE_VERTEXAI=true it calls Vertex AI."""
    return genai.Client()


def ask(client: genai.Client, question: str, model: str = SMALL) -> str:
    response = client.models.generate_content(model=model, contents=question, config=LIMITS)
    return response.text or ""


def stream(client: genai.Client, question: str) -> Iterator[str]:
    for chunk in client.models.generate_content_stream(model=SMALL, contents=question, config=LIMITS):
        yield chunk.text or ""


async def ask_async(question: str) -> str:
    async with genai.Client().aio as client:
        response = await client.models.generate_content(model=SMALL, contents=question, config=LIMITS)
    return response.text or ""

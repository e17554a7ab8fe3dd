"""What the generated examples and pages of Bedrock are made of; tools/build_examples.py cuts it out by name."""

from collections.abc import Iterator
from typing import Any

import boto3
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

TITLE = "Bedrock"
SMALL = "amazon.nova-micro-v1:0"
LARGE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
ERROR = ClientError


def make_client() -> Any:
    """boto3 reads AWS_PROFILE or AWS_ACCESS_KEY_ID, and AWS_DEFAULT_REGION, as it always does."""
    return boto3.client("bedrock-runtime")


def ask(client: Any, question: str, model: str = SMALL) -> str:
    response = client.converse(
        modelId=model,
        inferenceConfig={"maxTokens": 300},
        messages=[{"role": "user", "content": [{"text": question}]}],
    )
    return "".join(part.get("text", "") for part in response["output"]["message"]["content"])


def stream(client: Any, question: str) -> Iterator[str]:
    response = client.converse_stream(
        modelId=LARGE,
        inferenceConfig={"maxTokens": 300},
        messages=[{"role": "user", "content": [{"text": question}]}],
    )
    for event in response["stream"]:
        yield event.get("contentBlockDelta", {}).get("delta", {}).get("text", "")


async def ask_async(question: str) -> str:
    async with get_session().create_client("bedrock-runtime") as client:
        response = await client.converse(
            modelId=SMALL,
            inferenceConfig={"maxTokens": 300},
            messages=[{"role": "user", "content": [{"text": question}]}],
        )
    return "".join(part.get("text", "") for part in response["output"]["message"]["content"])

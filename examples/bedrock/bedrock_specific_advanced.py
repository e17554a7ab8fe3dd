"""What is Bedrock's own: inference profiles and their ARNs, prompt caching, streams, and InvokeModel."""

import json
from typing import Any

import boto3

import genops
from genops.core.ledger import LedgerEntry

# An application inference profile has an opaque ARN; what runs behind it is said once, here or in genops.yaml.
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6"
ALIASES = {f"aws.bedrock/{PROFILE}": {"model": "anthropic.claude-sonnet-4-5-20250929-v1:0"}}


def stream_across_regions(client: Any) -> None:
    """A profile such as us.anthropic... is one price, wherever in the US the request is served."""
    response = client.converse_stream(
        modelId="us.anthropic.claude-3-7-sonnet-20250219-v1:0",
        inferenceConfig={"maxTokens": 300},
        messages=[{"role": "user", "content": [{"text": "Where is my parcel?"}]}],
    )
    for event in response["stream"]:
        print(event.get("contentBlockDelta", {}).get("delta", {}).get("text", ""), end="")
    print()


def ask_through_profile(client: Any) -> None:
    """A team's own profile splits the bill in AWS; the entry splits it here, under the model that the alias names."""
    client.converse(
        modelId=PROFILE,
        inferenceConfig={"maxTokens": 300},
        system=[{"text": "Every answer is short and polite. " * 300}, {"cachePoint": {"type": "default"}}],
        messages=[{"role": "user", "content": [{"text": "May I return it?"}]}],
    )


def invoke(client: Any) -> None:
    """InvokeModel takes each family's own body; tokens are in the body or only in the response's headers."""
    body = {"schemaVersion": "messages-v1", "messages": [{"role": "user", "content": [{"text": "Hello?"}]}]}
    response = client.invoke_model(
        modelId="amazon.nova-micro-v1:0", body=json.dumps(body | {"inferenceConfig": {"maxTokens": 300}})
    )
    print(json.loads(response["body"].read())["output"]["message"]["content"][0]["text"][:60])


def show(entry: LedgerEntry) -> None:
    """One entry: model and every meter that was billed."""
    meters = ", ".join(f"{meter} {quantity}" for meter, quantity in entry.usage.items())
    print(f"  {entry.response_model or entry.request_model}: {meters}: {entry.cost or 0:f} {entry.currency}")


def main() -> None:
    genops.auto_instrument(team="logistics", project="helpdesk", environment="development", model_aliases=ALIASES)
    client = boto3.client("bedrock-runtime")
    with genops.track("morning", feature="planning") as block:
        stream_across_regions(client)
        ask_through_profile(client)
        invoke(client)

    for entry in block.cost.entries:
        show(entry)
    summary = block.cost.get_final_summary()
    print(f"logistics: {summary.calls} calls, {summary.total_cost:.9f} {summary.currency}")


if __name__ == "__main__":
    main()

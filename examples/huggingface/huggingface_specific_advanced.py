"""What is Hugging Face's own: one client for many providers, chosen by name, by price or by speed."""

import os

from huggingface_hub import InferenceClient

import genops
from genops.core.ledger import LedgerEntry

ROUTER = os.environ.get("HF_ROUTER_URL", "https://router.huggingface.co/v1")


def ask(client: InferenceClient, model: str) -> None:
    completion = client.chat.completions.create(  # the same as client.chat_completion, under the name OpenAI gave it
        model=model,
        max_tokens=100,
        messages=[{"role": "user", "content": "Where is my parcel?"}],
    )
    print(completion.choices[0].message.content)


def stream(client: InferenceClient, model: str) -> None:
    for chunk in client.chat.completions.create(
        model=model,
        max_tokens=100,
        messages=[{"role": "user", "content": "May I return it?"}],
        stream=True,
    ):
        if chunk.choices:
            print(chunk.choices[0].delta.content or "", end="")
    print()


def show(entry: LedgerEntry) -> None:
    """One entry: model and every meter that was billed."""
    meters = ", ".join(f"{meter} {quantity}" for meter, quantity in entry.usage.items())
    print(f"  {entry.response_model or entry.request_model}: {meters}: {entry.cost or 0:f} {entry.currency}")


def main() -> None:
    genops.auto_instrument(team="logistics", project="helpdesk", environment="development")
    client = InferenceClient(base_url=ROUTER)  # bill_to="my-organisation" charges an organisation instead of you
    with genops.track("comparison", feature="model-choice") as block:
        ask(client, "deepseek-ai/DeepSeek-R1:together")  # this provider, at its price
        ask(client, "meta-llama/Llama-4-Scout-17B-16E-Instruct:cheapest")
        stream(client, "meta-llama/Llama-3.1-8B-Instruct:fastest")

    for entry in block.cost.entries:
        show(entry)
    summary = block.cost.get_final_summary()
    print(f"logistics: {summary.calls} calls, {summary.total_cost:.9f} {summary.currency}")


if __name__ == "__main__":
    main()

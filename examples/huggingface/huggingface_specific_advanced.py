"""What is Hugging Face's own: one client for many providers, each with its own price for the same model."""

import os

from huggingface_hub import InferenceClient

import genops
from genops.core.ledger import LedgerEntry

BASE_URL = os.environ.get("HF_INFERENCE_BASE_URL")  # None: Hugging Face's own router; or a gateway of yours
MODEL = "deepseek-ai/DeepSeek-R1"


def ask(provider: str) -> None:
    """The provider that is named sends the bill. With "auto" the hub chooses one, and nobody can know the price."""
    client = InferenceClient(provider=provider, base_url=BASE_URL)  # bill_to="..." charges an organisation
    completion = client.chat.completions.create(  # chat_completion, under the name that OpenAI gave it
        model=MODEL,
        max_tokens=100,
        messages=[{"role": "user", "content": "Where is my parcel?"}],
    )
    print(f"{provider}: {(completion.choices[0].message.content or '')[:60]!r}")


def stream(provider: str) -> None:
    """Streams report usage when asked; GenOps asks, and takes the extra chunk out again."""
    client = InferenceClient(provider=provider, base_url=BASE_URL)
    for chunk in client.chat.completions.create(
        model="meta-llama/Llama-3.1-8B-Instruct",
        max_tokens=100,
        messages=[{"role": "user", "content": "May I return it?"}],
        stream=True,
    ):
        print(chunk.choices[0].delta.content or "", end="")
    print()


def show(entry: LedgerEntry) -> None:
    """One entry: who bills, and every meter that was billed."""
    meters = ", ".join(f"{meter} {quantity}" for meter, quantity in entry.usage.items())
    print(f"  {entry.provider}: {meters}: {entry.cost or 0:f} {entry.currency}")


def main() -> None:
    genops.auto_instrument(team="logistics", project="helpdesk", environment="development")
    with genops.track("comparison", feature="model-choice") as block:
        ask("together")
        ask("novita")
        stream("novita")

    for entry in block.cost.entries:
        show(entry)
    summary = block.cost.get_final_summary()
    print(f"logistics: {summary.calls} calls, {summary.total_cost:.9f} {summary.currency}")


if __name__ == "__main__":
    main()

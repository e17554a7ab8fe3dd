"""What is Mistral's own: OCR by the page, code filled in the middle, reasoning, and embeddings."""

import os

from mistralai.client import Mistral

import genops
from genops.core.ledger import LedgerEntry


def read_document(client: Mistral) -> None:
    """OCR is billed by the page: the meter is pages, and there are no tokens."""
    found = client.ocr.process(
        model="mistral-ocr-latest",
        document={"type": "document_url", "document_url": "https://arxiv.org/pdf/1706.03762"},
    )
    print(f"{len(found.pages)} pages")


def complete_code(client: Mistral) -> None:
    """Codestral fills the gap between prompt and suffix."""
    found = client.fim.complete(
        model="codestral-latest",
        prompt="def mean(numbers: list[float]) -> float:\n    ",
        suffix="\n    return total / len(numbers)",
        max_tokens=100,
    )
    print(found.choices[0].message.content if found.choices else "")


def think(client: Mistral) -> None:
    """Magistral's thinking is output, in parts of its own in the answer."""
    client.chat.complete(
        model="magistral-medium-latest",
        max_tokens=2000,
        messages=[{"role": "user", "content": "Three parcels, two vans, one driver: what is the plan?"}],
    )


def embed(client: Mistral) -> None:
    found = client.embeddings.create(model="mistral-embed", inputs=["red shoes", "rain coat"])
    print(f"{len(found.data)} vectors")


def show(entry: LedgerEntry) -> None:
    """One entry: model and every meter that was billed."""
    meters = ", ".join(f"{meter} {quantity}" for meter, quantity in entry.usage.items())
    print(f"  {entry.response_model or entry.request_model}: {meters}: {entry.cost or 0:f} {entry.currency}")


def main() -> None:
    genops.auto_instrument(team="logistics", project="helpdesk", environment="development")
    server = os.environ.get("MISTRAL_SERVER_URL")
    with Mistral(api_key=os.environ["MISTRAL_API_KEY"], server_url=server) as client, genops.track("morning") as block:
        read_document(client)
        complete_code(client)
        think(client)
        embed(client)

    for entry in block.cost.entries:
        show(entry)
    summary = block.cost.get_final_summary()
    print(f"logistics: {summary.calls} calls, {summary.total_cost:.9f} {summary.currency}")


if __name__ == "__main__":
    main()
